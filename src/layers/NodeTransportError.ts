/**
 * What the system says about sockets, as TransportErrors.
 *
 * @since 0.1.0
 */
import type { Endpoint } from "../schema/Endpoint.ts"
import { TransportError } from "../schema/TlsError.ts"

const codeOf = (cause: unknown): string | undefined =>
  typeof cause === "object" && cause !== null && "code" in cause && typeof cause.code === "string"
    ? cause.code
    : undefined

const reasonOf = (operation: TransportError["operation"], code: string | undefined): TransportError["reason"] => {
  switch (code) {
    case "ECONNREFUSED":
      return "ConnectionRefused"
    case "ENOENT":
      // A Unix socket: no file has the path; listening, the directory is missing, for which libuv says EACCES.
      return operation === "connect" ? "ConnectionRefused" : operation === "listen" ? "PermissionDenied" : "Other"
    case "ECONNRESET":
    case "ECONNABORTED":
    case "EPIPE":
      return "ConnectionReset"
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "EAI_NODATA":
    case "EAI_NONAME":
      return "HostNotFound"
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "EHOSTDOWN":
    case "ENETDOWN":
      return "HostUnreachable"
    case "EADDRNOTAVAIL":
      // Dialling an address family the machine does not have; when listening, an address that is not the machine's.
      return operation === "connect" ? "HostUnreachable" : "Other"
    case "EADDRINUSE":
      return "AddressInUse"
    case "EACCES":
    case "EPERM":
    case "ERR_ACCESS_DENIED":
      return "PermissionDenied"
    case "ETIMEDOUT":
      return "TimedOut"
    case "ERR_SOCKET_CLOSED":
    case "ERR_STREAM_DESTROYED":
    case "ERR_STREAM_PREMATURE_CLOSE":
    case "ERR_STREAM_WRITE_AFTER_END":
      return "Closed"
    default:
      return "Other"
  }
}

const explanation = (
  operation: TransportError["operation"],
  endpoint: Endpoint | undefined,
  reason: TransportError["reason"],
  code: string | undefined,
  cause: unknown
): string => {
  const unix = endpoint?._tag === "UnixEndpoint"
  switch (reason) {
    case "ConnectionRefused":
      return code === "ENOENT" ? "there is no such socket" : "nothing listens there"
    case "ConnectionReset":
      return "the peer reset the connection"
    case "HostNotFound":
      return code === "EAI_AGAIN" ? "the name cannot be looked up at the moment" : "the name does not resolve"
    case "HostUnreachable":
      return "there is no way to that host or network"
    case "AddressInUse":
      return unix
        ? "the path exists already: another program listens there, or ended without removing it"
        : "another program listens there"
    case "PermissionDenied":
      return unix && operation === "listen"
        ? "the directory does not exist or may not be written to"
        : "this process is not allowed to"
    case "TimedOut":
      return "the peer did not answer in time"
    case "Closed":
      return "it is closed"
    case "Other":
      return code === "EADDRNOTAVAIL"
        ? "this machine does not have that address"
        : cause instanceof Error
          ? cause.message
          : String(cause)
  }
}

/** The attempts of happy eyeballs fail together as one AggregateError; the host that answered says most. */
const unpack = (cause: unknown): { readonly telling: unknown; readonly attempts: string } => {
  if (!(cause instanceof AggregateError) || cause.errors.length === 0) {
    return { telling: cause, attempts: "" }
  }
  const errors = cause.errors as ReadonlyArray<unknown>
  const answered = errors.find(
    (error) => !["HostUnreachable", "TimedOut", "Other"].includes(reasonOf("connect", codeOf(error)))
  )
  const address = (error: unknown) =>
    typeof error === "object" && error !== null && "address" in error ? `${String(error.address)} ` : ""
  return {
    telling: answered ?? errors[0],
    attempts: `; tried ${errors.map((error) => `${address(error)}(${codeOf(error) ?? String(error)})`).join(", ")}`
  }
}

const phases = {
  connect: "dial",
  listen: "listen",
  accept: "listen",
  read: "connected",
  write: "connected"
} as const

/**
 * The error of an operation that failed with an error of Node's, or with an AggregateError of several attempts.
 *
 * @since 0.1.0
 * @category constructors
 */
export const failed = (
  operation: TransportError["operation"],
  endpoint: Endpoint | undefined,
  origin: unknown
): TransportError => {
  const { attempts, telling } = unpack(origin)
  const code = codeOf(telling)
  const reason = reasonOf(operation, code)
  const subject =
    operation === "connect"
      ? "could not connect to"
      : operation === "listen"
        ? "could not listen at"
        : operation === "accept"
          ? "could not accept a connection at"
          : operation === "read"
            ? "could not read from"
            : "could not write to"
  const what = explanation(operation, endpoint, reason, code, telling)
  const suffix = attempts === "" && code !== undefined ? ` (${code})` : attempts
  return new TransportError({
    reason,
    operation,
    phase: phases[operation],
    message: `${subject} ${endpoint === undefined ? "the peer" : endpoint.toString()}: ${what}${suffix}`,
    ...(code === undefined ? {} : { code }),
    cause: origin
  })
}

/**
 * The error of an operation on what is closed on this side.
 *
 * @since 0.1.0
 * @category constructors
 */
export const closed = (operation: TransportError["operation"], message: string): TransportError =>
  new TransportError({ reason: "Closed", operation, phase: phases[operation], message })
