/**
 * Path building and validation (RFC 5280 §6).
 *
 * @since 0.1.0
 */

/**
 * How much effort one verification may take, and which keys are good enough. `Limits` of the schema is one.
 *
 * @since 0.1.0
 * @category models
 */
export interface PathLimits {
  /** Certificates between leaf and anchor. */
  readonly intermediates: number
  /** Signatures verified while looking for one path. */
  readonly pathSignatures: number
  /** Comparisons of a name with a constraint. */
  readonly nameConstraintComparisons?: number
  /** Bits of an RSA modulus. */
  readonly rsaModulusMin?: number
  readonly rsaModulusMax?: number
}
