/**
 * What is wrong with the options.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import type { Fault, Phase } from "./Phase.ts"

/**
 * One thing wrong with the options: where, and what would be right. Never secret bytes.
 *
 * @since 0.1.0
 * @category models
 */
export class ConfigIssue extends Schema.Class<ConfigIssue>("effect-tls/ConfigIssue")({
  path: Schema.String,
  message: Schema.String
}) {}

/**
 * The options cannot be honoured: they are malformed, contradict each other, or ask for what the provider lacks.
 *
 * @since 0.1.0
 * @category errors
 */
export class TlsConfigError extends Schema.TaggedError<TlsConfigError>()("TlsConfigError", {
  reason: Schema.Literal(
    "InvalidOptions",
    "InvalidCertificate",
    "InvalidPrivateKey",
    "MissingPassphrase",
    "WrongPassphrase",
    "KeyMismatch",
    "Unsupported",
    "Unreadable"
  ),
  issues: Schema.NonEmptyArray(ConfigIssue)
}) {
  readonly phase: Phase = "configuration"
  readonly fault: Fault = "local"
  readonly isRetryable: boolean = false

  /** A single issue as an error. */
  static of(reason: TlsConfigError["reason"], path: string, message: string): TlsConfigError {
    return new TlsConfigError({ reason, issues: [new ConfigIssue({ path, message })] })
  }

  get hint(): string {
    return "Correct the named option."
  }

  override get message(): string {
    return this.issues
      .map((issue) => (issue.path === "" ? issue.message : `${issue.path}: ${issue.message}`))
      .join("\n")
  }
}
