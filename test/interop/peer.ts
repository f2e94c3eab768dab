/** A real peer of another family: how it is started in either role, and how one converses with it. */
import { assert } from "@effect/vitest"
import { Effect, Option, type Scope } from "effect"
import { Endpoint, type TlsConnection, type TlsError } from "effect-tls"
import { execFile, spawnSync } from "node:child_process"
import { randomUUID } from "node:crypto"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Info } from "./cases.ts"
import * as Ours from "./ours.ts"
import type { Issued, Pki, Root } from "./pki.ts"
import { type Peer, start, type StartOptions } from "./process.ts"
import type { PeerFailure } from "./watch.ts"

export interface Command {
  readonly argv: ReadonlyArray<string>
  readonly env?: Record<string, string>
}

/**
 * What a program does with an open connection: sends back what it receives; joins it to its standard input and output;
 * answers a request with a page, and closes.
 */
export type Shape = "echo" | "pipe" | "page"

/** How it ends a connection when all is said: with close_notify, or by dropping TCP. */
export type Ending = "close_notify" | "drop"

type Group = Info["group"]

export interface Role {
  readonly shape: Shape
  readonly ends: Ending
  /** The application protocol it takes, if it takes one. */
  readonly alpn?: string
  readonly clientCertificate: boolean
  /** It can do X25519MLKEM768. */
  readonly hybrid: boolean
  /** It can take 10 MiB in reasonable time, or give them. */
  readonly bulk: "takes" | "gives" | false
  /** It can resume sessions. */
  readonly resumes: boolean
  /** What is on its page. */
  readonly page?: RegExp
}

export interface AsServer extends Role {
  readonly command: (server: {
    readonly issued: Issued
    /** Who must have issued the client's certificate, when one is required. */
    readonly clientCa: Root | undefined
    readonly port: number
    readonly bulk: boolean
    readonly hybrid: boolean
    readonly pki: Pki
    /** It is to serve one connection after the other, where it would end with the first. */
    readonly repeatedly?: boolean
  }) => Command
  /** It binds every address: it runs in a network of its own. */
  readonly everyAddress?: boolean
  /** A group it refuses, whose share we send, and one it asks for. */
  readonly retry: readonly [share: Group, group: Group]
}

interface ClientOptions {
  readonly port: number
  readonly ca: Root
  readonly own: Issued | undefined
  readonly hybrid: boolean
  readonly pki: Pki
}

/** How a client connects several times, to resume its first session: in one run, or with sessions in a file. */
export interface Again {
  readonly commands: (client: ClientOptions, file: string) => ReadonlyArray<Command>
  readonly connections: number
  /** How it converses then, if otherwise: it says `GET`, and waits for an answer and our end. */
  readonly shape?: "request"
  /** It drops its first connection without a word. */
  readonly drops?: boolean
  /** It offers its session to whatever server it is sent to. */
  readonly anywhere?: boolean
  /** It sends a share of the group that it met before, so that nobody asks for another. */
  readonly keepsGroup?: boolean
  /** What it says of a session that it resumed. */
  readonly said?: RegExp
}

export interface AsClient extends Role {
  readonly shape: "echo" | "pipe"
  readonly command: (client: ClientOptions) => Command
  readonly again: Again
  /** A group it offers without a share. */
  readonly retry: Group
  /** The end of its input does not end the connection: it waits for our end. */
  readonly waits?: boolean
}

export interface Row {
  readonly name: string
  /** A command that says its version, and where. */
  readonly version: ReadonlyArray<string>
  readonly pattern: RegExp
  readonly install: string
  readonly server?: AsServer
  readonly client?: AsClient
  /** Made once before the first test. */
  readonly prepare?: (pki: Pki) => Effect.Effect<void, PeerFailure>
}

export interface Found extends Row {
  /** Its version, or `undefined` where it is missing. */
  readonly found: string | undefined
}

const say = (argv: ReadonlyArray<string>): Promise<string> =>
  new Promise((done) => {
    execFile(argv[0]!, argv.slice(1), { timeout: 10_000 }, (_error, stdout, stderr) => done(`${stdout}${stderr}`))
  })

/** Looks for each peer of the table. */
export const find = (rows: ReadonlyArray<Row>): Promise<ReadonlyArray<Found>> =>
  Promise.all(
    rows.map(async (row) => {
      const [, found] = row.pattern.exec(await say(row.version)) ?? []
      return { ...row, found }
    })
  )

/** What of the table cannot be tried here, and what would bring it. */
export const absent = (found: ReadonlyArray<Found>): ReadonlyArray<string> =>
  found.flatMap(({ found: version, install, name, server }) =>
    version === undefined
      ? [`${name} (setup.sh ${install} brings it)`]
      : server?.everyAddress === true && !hasOwnNetwork
        ? [`the server of ${name} ${version} (it binds every address, and no network of its own may be made here)`]
        : []
  )

/** The command that gives a program a network of its own, with a loopback; `undefined` where that is not allowed. */
const ownNetwork: ReadonlyArray<string> | undefined = [
  ["unshare", "-n"],
  ["unshare", "-r", "-n"]
].find(([command, ...args]) => spawnSync(command!, [...args, "ip", "link", "set", "lo", "up"]).status === 0)

export const hasOwnNetwork = ownNetwork !== undefined

const relay = fileURLToPath(new URL("peers/relay.mjs", import.meta.url))

const launch = ({ argv: [command, ...args], env }: Command, { shape }: Role, options: StartOptions = {}) =>
  start(command!, args, {
    ...options,
    ...(env === undefined ? {} : { env }),
    ...(shape === "pipe" ? { data: "not ASCII" as const } : {})
  })

/**
 * Starts a server, on a port that it chooses, or behind a Unix socket in a network of its own: at `path`, if that is to
 * be known.
 */
export const serve = (
  server: AsServer,
  { path, ...options }: Omit<Parameters<AsServer["command"]>[0], "port"> & { readonly path?: string }
): Effect.Effect<Peer & { readonly endpoint: Endpoint.Endpoint }, PeerFailure, Scope.Scope> =>
  Effect.gen(function* () {
    if (server.everyAddress !== true && path === undefined) {
      const peer = yield* launch(server.command({ ...options, port: 0 }), server)
      const [, port] = yield* peer.saw(/(?:LISTENING|ACCEPT \S+:)\s*(\d+)/)
      return { ...peer, endpoint: Endpoint.tcp("127.0.0.1", Number(port)) }
    }
    const socket = path ?? join(options.pki.directory, `${randomUUID()}.sock`)
    const port = 4433
    const { argv, env } = server.command({ ...options, port })
    const script = 'ip link set lo up; "$0" "$1" "$2" "$3" </dev/null >/dev/null & shift 3; exec "$@"'
    const inside = ["sh", "-c", script, process.execPath, relay, socket, String(port)]
    const peer = yield* launch(
      { argv: [...ownNetwork!, ...inside, ...argv], ...(env === undefined ? {} : { env }) },
      server,
      { cwd: options.pki.directory }
    )
    yield* peer.saw(/RELAYING/)
    return { ...peer, endpoint: Endpoint.unix(socket) }
  })

export const run = (client: AsClient, options: ClientOptions) => launch(client.command(options), client)

/** One of the commands with which a client connects again. */
export type Running = Effect.Effect.Success<ReturnType<typeof run>>

export const runAgain = (client: AsClient, command: Command) =>
  launch(command, client.again.shape === undefined ? client : { ...client, shape: "echo" })

type Connection = TlsConnection.TlsConnection

/** Bytes over 127 in lines: some peers echo by line, and what they say themselves is ASCII. */
const lines = (length: number): Uint8Array => {
  const data = samples.get(length) ?? Ours.sample(length)
  samples.set(length, data)
  for (let i = 999; i < length; i += 1000) data[i] = 10
  data[length - 1] = 10
  return data
}

const samples = new Map<number, Uint8Array>()

const notAscii = (data: Uint8Array): Uint8Array => data.filter((byte) => byte > 127)

/**
 * Bytes there and the same back, or some there and others back: `visits` conversations after the first. Gives how many we
 * have received.
 */
export const converse = (
  shape: "echo" | "pipe",
  connection: Connection,
  peer: Peer,
  { given, taken, visits = 0 }: { readonly given: number; readonly taken: number; readonly visits?: number }
) =>
  Effect.gen(function* () {
    const theirs = lines(given)
    const ours = lines(taken)
    if (shape === "echo") {
      const [, back] = yield* Effect.all([connection.write(ours), Ours.read(connection, taken)], {
        concurrency: "unbounded"
      })
      Ours.equals(ours)(back)
      return taken
    }
    yield* peer.send(theirs)
    Ours.equals(theirs)(yield* Ours.read(connection, given))
    yield* connection.write(ours)
    const sent = notAscii(ours)
    const received = yield* peer.received((visits + 1) * sent.length)
    Ours.equals(sent)(received.subarray(visits * sent.length))
    return given
  })

/** A request, and the whole page with its end. */
export const browse = ({ ends, page = /^/ }: Role, connection: Connection, length: number) =>
  Effect.gen(function* () {
    yield* connection.write(Ours.bytes("GET / HTTP/1.0\r\n\r\n"))
    const { data, end } = yield* Ours.readAll(connection)
    if (length > 0) assert.isAtLeast(data.length, length)
    else assert.match(Ours.text(data), page)
    isEnd(end, ends, data.length)
  })

const isEnd = (end: Option.Option<TlsError.TlsError>, ends: Ending, received: number): void => {
  if (ends === "close_notify") assert.deepStrictEqual(end, Option.none())
  else assert.include(Option.getOrThrow(end), { _tag: "TruncationError", bytesReceived: received })
}

/** The end of all data: as this peer ends, and no byte more. */
export const ended = (connection: Connection, ends: Ending, received: number) =>
  Effect.map(Ours.readAll(connection), ({ data, end }) => {
    assert.strictEqual(data.length, 0)
    isEnd(end, ends, received)
  })
