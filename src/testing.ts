/**
 * Testing programs that use effect-tls: in memory, reproducibly, without sockets or files.
 *
 * @since 0.1.0
 */
export * as DeterministicCrypto from "./layers/DeterministicCrypto.ts"
export * as Faults from "./layers/Faults.ts"
export * as MemoryTransport from "./layers/MemoryTransport.ts"
export * as TestPki from "./layers/TestPki.ts"
