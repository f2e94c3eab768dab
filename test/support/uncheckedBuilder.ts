/** `CertificateBuilder` that also makes what no verifier may accept. */
import * as CertificateBuilder from "../../src/core/CertificateBuilder.ts"

export * from "../../src/core/CertificateBuilder.ts"

export const selfSigned = (options: CertificateBuilder.CertificateOptions) =>
  CertificateBuilder.selfSigned({ ...options, unchecked: true })

export const authority = (options: CertificateBuilder.AuthorityOptions) =>
  CertificateBuilder.authority({ ...options, unchecked: true })

export const issue = (ca: CertificateBuilder.Issued, options: CertificateBuilder.CertificateOptions) =>
  CertificateBuilder.issue(ca, { ...options, unchecked: true })

export const issueAuthority = (ca: CertificateBuilder.Issued, options: CertificateBuilder.AuthorityOptions) =>
  CertificateBuilder.issueAuthority(ca, { ...options, unchecked: true })
