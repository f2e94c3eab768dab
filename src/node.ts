/**
 * effect-tls on Node: its cryptography, sockets, trust stores and files.
 *
 * @since 0.1.0
 */
export * as ConsoleHandshakeTrace from "./layers/ConsoleHandshakeTrace.ts"
export * as FileKeyLog from "./layers/FileKeyLog.ts"
export * as NodeCrypto from "./layers/NodeCrypto.ts"
export * as NodePeerCertificate from "./layers/NodePeerCertificate.ts"
export * as NodeSecureContext from "./layers/NodeSecureContext.ts"
export * as NodeTls from "./layers/NodeTls.ts"
export * as NodeTransport from "./layers/NodeTransport.ts"
export * as NodeTrustStore from "./layers/NodeTrustStore.ts"
export * as OpenSslCipherList from "./schema/OpenSslCipherList.ts"
export * as OpenSslList from "./schema/OpenSslList.ts"
