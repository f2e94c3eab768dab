/** The peers: one row each, with the commands of either role and what it can do. */
import { Effect } from "effect"
import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Again, AsClient, AsServer, Command, Row } from "./peer.ts"
import type { Issued, Root } from "./pki.ts"
import { run } from "./process.ts"

type Word = string | number | ReadonlyArray<string>

/** A command line as one reads it: words between spaces, a list for many or none; a value's own spaces do not count. */
const line = (texts: TemplateStringsArray, ...values: ReadonlyArray<Word>): ReadonlyArray<string> => {
  const words: Array<string> = []
  let open = ""
  const close = () => {
    if (open !== "") words.push(open)
    open = ""
  }
  texts.forEach((text, i) => {
    const [first = "", ...others] = text.split(/\s+/)
    open += first
    for (const word of others) {
      close()
      open = word
    }
    const value = values[i] ?? ""
    if (typeof value === "object") words.push(...value)
    else open += value
  })
  close()
  return words
}

type Server = Parameters<AsServer["command"]>[0]
type Client = Parameters<AsClient["command"]>[0]

const optional = <A>(value: A | undefined, words: (value: A) => ReadonlyArray<string>): ReadonlyArray<string> =>
  value === undefined ? [] : words(value)

const source = (name: string): string => fileURLToPath(new URL(`peers/${name}`, import.meta.url))
const interop = process.env["INTEROP"] ?? "/opt/interop"
const bin = (name: string): string => join(interop, "bin", name)
const hasTrixie = existsSync(join(interop, "roots/trixie/.complete"))

/** A program of the newer Debian. */
const newer = (program: string) => line`${bin("rr")} trixie ${program}`
/** A program of the newer Debian, or of this one. */
const newest = (program: string) => (hasTrixie ? newer(program) : [program])

const echo = {
  shape: "echo",
  ends: "close_notify",
  alpn: "http/1.1",
  clientCertificate: true,
  hybrid: false,
  bulk: "takes",
  resumes: true
} as const
const pipe = { ...echo, shape: "pipe" } as const
const { alpn: _, ...withoutAlpn } = pipe
/** Its server moves 10 MiB too, and that takes its time. */
const enough = { bulk: false } as const
const thrice = { connections: 3 } as const

/** Three runs, from the second on with the session that the one before left in a file. */
const threeRuns =
  (command: (client: Client) => Command, leave: string, resume: string): Again["commands"] =>
  (client, file) => {
    const { argv } = command(client)
    const nth = (n: number, words: ReadonlyArray<string>) => ({ argv: [...argv, leave, `${file}-${n}`, ...words] })
    return [nth(0, []), nth(1, [resume, `${file}-0`]), nth(2, [resume, `${file}-1`])]
  }

/** A program of ours around a library: it echoes in either role, and ends with close_notify. */
const program = (argv: ReadonlyArray<string>, versions = "13", groups?: string) => ({
  server: ({ clientCa, issued, port }: Server) => ({
    ...(groups === undefined ? {} : { env: { GROUPS: groups } }),
    argv: line`${argv} s ${port} ${versions} ${ownFiles(issued)} ${optional(clientCa, ({ file }: Root) => [file])}`
  }),
  client: ({ ca, own, port }: Client) => ({
    argv: line`${argv} c ${port} ${versions} ${ca.file} ${optional(own, ownFiles)}`
  }),
  again: {
    ...thrice,
    commands: ({ ca, own, port }: Client) => [
      { argv: line`${argv} c ${port} ${versions} ${ca.file} ${optional(own, ownFiles)}`, env: { RESUME: "2" } }
    ]
  }
})
const ownFiles = ({ certFile, keyFile }: Issued): ReadonlyArray<string> => [certFile, keyFile]

const openssl = newer("openssl")
const opensslClient = ({ ca, own, port }: Client): Command => ({
  argv: line`${openssl} s_client -connect 127.0.0.1:${port} -servername localhost
    -CAfile ${ca.file} -verify_return_error -verify_hostname localhost -alpn http/1.1
    ${optional(own, ({ certFile, keyFile }) => line`-cert ${certFile} -key ${keyFile}`)}`
})
const gnutlsClient =
  (...words: ReadonlyArray<string>) =>
  ({ ca, own, port }: Client): Command => ({
    argv: line`${newest("gnutls-cli")} -p ${port} localhost --priority NORMAL:-VERS-ALL:+VERS-TLS1.3
      --x509cafile=${ca.file} --alpn=http/1.1 ${words}
      ${optional(own, ({ certFile, keyFile }) => line`--x509certfile=${certFile} --x509keyfile=${keyFile}`)}`
  })
const nssClient =
  (...words: ReadonlyArray<string>) =>
  ({ hybrid, own, pki, port }: Client): Command => ({
    argv: line`${newest("tstclnt")} -h localhost -4 -p ${port} -d ${nssOf(pki.directory)} -V tls1.3:tls1.3
      ${hybrid ? line`-I mlkem768x25519,x25519` : []} ${own === undefined ? [] : line`-n client`} ${words}`
  })
const boringClient = ({ ca, own, port }: Client): Command => ({
  argv: line`bssl-tool client -connect localhost:${port} -server-name localhost -root-certs ${ca.file}
    -alpn-protos http/1.1 -grease -permute-extensions -min-version tls1.3
    ${optional(own, ({ certFile, keyFile }) => line`-cert ${certFile} -key ${keyFile}`)}`
})
const botanClient = ({ ca, own, port }: Client): Command => ({
  argv: line`${newer("botan")} tls_client localhost --port=${port} --trusted-cas=${ca.file}
    --skip-system-cert-store --tls-version=1.3 --next-protocols=http/1.1
    ${optional(own, ({ certFile, keyFile }) => line`--client-cert=${certFile} --client-cert-key=${keyFile}`)}`
})
const wolf = hasTrixie ? line`${bin("rrx")} trixie ${bin("wolf_peer-trixie")}` : [bin("wolf_peer")]
const mbed = line`${bin("rrx")} trixie ${bin("mbed_peer-trixie")}`
const erlang = line`escript ${source("erl_peer.escript")}`
const deno = join(interop, "npm/node_modules/.bin/deno")
const denoPeer = line`${deno} run -A --no-check ${source("deno_peer.ts")}`
const go = [bin("gopeer-go124")]

const jars = ["bcprov", "bcutil", "bctls"].map((name) => `/usr/share/java/${name}.jar`)
/** JPeer with some properties. The virtual machine starts for one handshake: soon is better than fast. */
const java = (...properties: ReadonlyArray<string>) =>
  line`java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC ${properties} -cp ${[...jars, bin("")].join(":")} JPeer`
const bouncy = "-Dbc=1"
/** x25519, and what its certificate needs. */
const few = "-Djdk.tls.namedGroups=secp256r1,x25519"

const nssOf = (directory: string): string => `sql:${join(directory, "nss")}`
const botanPolicy = (directory: string): string => join(directory, "botan.policy")

export const rows: ReadonlyArray<Row> = [
  {
    name: "OpenSSL",
    version: line`${openssl} version`,
    pattern: /^OpenSSL (\S+)/,
    install: "newer",
    server: {
      ...pipe,
      hybrid: true,
      command: ({ clientCa, issued, port, repeatedly = false }) => ({
        argv: line`${openssl} s_server -accept 127.0.0.1:${port} ${repeatedly ? [] : line`-naccept 1`} -cert ${issued.certFile} -key ${issued.keyFile}
          -alpn http/1.1 -groups X25519MLKEM768:X25519
          ${optional(clientCa, ({ file }) => line`-Verify 1 -verify_return_error -CAfile ${file}`)}`
      }),
      retry: ["secp384r1", "x25519"]
    },
    client: {
      ...pipe,
      hybrid: true,
      command: (client) => ({ argv: [...opensslClient(client).argv, "-quiet", "-no_ign_eof"] }),
      again: {
        ...thrice,
        commands: threeRuns(opensslClient, "-sess_out", "-sess_in"),
        anywhere: true,
        said: /Reused, TLSv1\.3/
      },
      retry: "secp384r1"
    }
  },
  {
    name: "GnuTLS",
    version: line`${newest("gnutls-cli")} --version`,
    pattern: /gnutls-cli (\S+)/,
    install: "min",
    server: {
      ...echo,
      everyAddress: true,
      command: ({ clientCa, issued, port }) => ({
        argv: line`${newest("gnutls-serv")} -p ${port} --echo --crlf --alpn=http/1.1
          --priority NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-X25519
          --x509certfile=${issued.certFile} --x509keyfile=${issued.keyFile}
          ${clientCa === undefined ? ["-a"] : line`-r --verify-client-cert --x509cafile=${clientCa.file}`}`
      }),
      retry: ["secp384r1", "x25519"]
    },
    client: {
      ...pipe,
      ...enough,
      command: gnutlsClient(),
      again: {
        connections: 2,
        commands: (client) => [gnutlsClient("-r", "--waitresumption")(client)],
        drops: true,
        said: /This is a resumed session/
      },
      retry: "secp384r1"
    }
  },
  {
    name: "NSS",
    // Its programs do not say.
    version: hasTrixie
      ? line`zcat ${join(interop, "roots/trixie/usr/share/doc/libnss3-tools/changelog.Debian.gz")}`
      : line`dpkg-query -W -f=nss(${"${Version}"}) libnss3-tools`,
    pattern: /^nss ?\((?:\d+:)?([\d.]+)/,
    install: "min",
    prepare: (pki) => {
      const database = nssOf(pki.directory)
      const tool = ([name, ...args]: ReadonlyArray<string>) => run(name!, args)
      const anchor = (name: string, { file }: Root) =>
        tool(line`certutil -A -d ${database} -n ${name} -t CT,C,C -i ${file}`)
      const own = (name: string, { certFile, keyFile }: Issued) => {
        const file = join(pki.directory, `${name}.p12`)
        return Effect.zipRight(
          tool(
            line`openssl pkcs12 -export -in ${certFile} -inkey ${keyFile} -name ${name} -out ${file} -passout pass:x`
          ),
          tool(line`pk12util -i ${file} -d ${database} -W x`)
        )
      }
      return Effect.all(
        [
          tool(line`mkdir ${join(pki.directory, "nss")}`),
          tool(line`certutil -N -d ${database} --empty-password`),
          anchor("p256", pki.root.p256),
          anchor("rsa", pki.root.rsa),
          own("server", pki.server.p256),
          own("client", pki.client.rsa)
        ],
        { discard: true }
      )
    },
    server: {
      ...echo,
      shape: "page",
      page: /GET \/ HTTP/,
      everyAddress: true,
      hybrid: hasTrixie,
      command: ({ bulk, clientCa, pki, port }) => ({
        argv: line`${newest("selfserv")} -d ${nssOf(pki.directory)} -n server -e server -p ${port} -V tls1.3:tls1.3 -Q
          -I ${hasTrixie ? "mlkem768x25519,x25519" : "x25519"} -u ${bulk ? line`-g 640` : []}
          ${clientCa === undefined ? [] : line`-r -r`}`
      }),
      retry: ["secp384r1", "x25519"]
    },
    client: {
      ...withoutAlpn,
      hybrid: hasTrixie,
      waits: true,
      command: nssClient(),
      again: {
        ...thrice,
        commands: (client, file) => {
          writeFileSync(file, "GET\r\n\r\n")
          return [nssClient("-u", "-L", "3", "-A", file)(client)]
        },
        shape: "request"
      },
      retry: "secp384r1"
    }
  },
  {
    name: "BoringSSL",
    version: line`dpkg-query -W -f=${"${Version}"} android-boringssl`,
    pattern: /^(\S+)/,
    install: "min",
    server: {
      ...withoutAlpn,
      // It writes 512 bytes at a time.
      bulk: "gives",
      everyAddress: true,
      command: ({ clientCa, issued, port, repeatedly = false }) => ({
        argv: line`bssl-tool server -accept ${port} -cert ${issued.certFile} -key ${issued.keyFile}
          ${clientCa === undefined ? [] : ["-require-any-client-cert"]} ${repeatedly ? ["-loop"] : []}`
      }),
      retry: ["x448", "x25519"]
    },
    client: {
      ...pipe,
      bulk: "gives",
      command: boringClient,
      again: {
        ...thrice,
        commands: threeRuns(boringClient, "-session-out", "-session-in"),
        anywhere: true,
        said: /Resumed session: yes/
      },
      retry: "secp384r1"
    }
  },
  {
    name: "BoringSSL -www",
    version: line`dpkg-query -W -f=${"${Version}"} android-boringssl`,
    pattern: /^(\S+)/,
    install: "min",
    server: {
      ...withoutAlpn,
      shape: "page",
      page: /Version: TLSv1\.3/,
      ends: "drop",
      bulk: false,
      everyAddress: true,
      command: ({ clientCa, issued, port, repeatedly = false }) => ({
        argv: line`bssl-tool server -www -accept ${port} -cert ${issued.certFile} -key ${issued.keyFile}
          ${clientCa === undefined ? [] : ["-require-any-client-cert"]} ${repeatedly ? ["-loop"] : []}`
      }),
      retry: ["x448", "x25519"]
    }
  },
  {
    name: "wolfSSL",
    version: line`${wolf} version`,
    pattern: /^(\d\S+)/,
    install: "min",
    server: { ...echo, command: program(wolf, "13", "29").server, retry: ["secp384r1", "x25519"] },
    // Its second hello has its extensions in another order.
    client: {
      ...echo,
      command: program(wolf).client,
      again: { ...program(wolf).again, keepsGroup: true, said: /resumed=1/ },
      retry: "secp384r1"
    }
  },
  {
    name: "Mbed TLS",
    version: line`${mbed} version`,
    pattern: /^Mbed TLS (\S+)/,
    install: "newer",
    server: { ...echo, command: program(mbed, "13", "29").server, retry: ["secp384r1", "x25519"] },
    client: { ...echo, command: program(mbed).client, again: program(mbed).again, retry: "secp384r1" }
  },
  {
    name: "Botan",
    version: line`${newer("botan")} version`,
    pattern: /^(3\S+)/,
    install: "newer",
    prepare: ({ directory }) =>
      Effect.sync(() => writeFileSync(botanPolicy(directory), "key_exchange_groups = x25519\n")),
    server: {
      ...echo,
      // It takes no other, whatever it is offered.
      alpn: "echo/0.1",
      clientCertificate: false,
      hybrid: true,
      everyAddress: true,
      command: ({ hybrid, issued, pki, port }) => ({
        argv: line`${newer("botan")} tls_server ${issued.certFile} ${issued.keyFile} --port=${port}
          ${hybrid ? [] : line`--policy=${botanPolicy(pki.directory)}`}`
      }),
      retry: ["secp384r1", "x25519"]
    },
    client: {
      ...pipe,
      ...enough,
      hybrid: true,
      command: botanClient,
      again: {
        ...thrice,
        commands: (client, file) => {
          const { argv } = botanClient(client)
          const command = { argv: line`${argv} --session-db=${file} --session-db-pass=of-a-test` }
          return [command, command, command]
        }
      },
      retry: "secp384r1"
    }
  },
  {
    name: "JSSE",
    version: line`${java()} version`,
    pattern: /^(\d\S+)/,
    install: "min, with a JDK,",
    server: { ...echo, command: program(java(few), "TLSv1.3").server, retry: ["secp384r1", "x25519"] },
    client: {
      ...echo,
      ...enough,
      command: program(java(), "TLSv1.3").client,
      again: {
        ...thrice,
        commands: (client) => [program(java("-Dresume=2"), "TLSv1.3").client(client)],
        said: /t=(\d+)[^]*t=\1\b/
      },
      retry: "secp384r1"
    }
  },
  {
    name: "BouncyCastle",
    version: line`${java(bouncy)} version`,
    pattern: /Provider v(\S+)/,
    install: "min, with a JDK,",
    // It has no resumption in TLS 1.3.
    server: {
      ...echo,
      resumes: false,
      command: program(java(bouncy, few), "TLSv1.3").server,
      retry: ["secp384r1", "x25519"]
    },
    client: {
      ...echo,
      ...enough,
      resumes: false,
      command: program(java(bouncy), "TLSv1.3").client,
      again: {
        connections: 2,
        commands: (client) => [program(java(bouncy, "-Dresume=1"), "TLSv1.3").client(client)]
      },
      retry: "secp384r1"
    }
  },
  {
    name: "Erlang",
    version: line`${erlang} version`,
    pattern: /^(OTP .*)/,
    install: "min",
    server: { ...echo, command: program(erlang, "13", "x25519").server, retry: ["secp384r1", "x25519"] },
    client: {
      ...echo,
      ...enough,
      command: program(erlang).client,
      // It says how it would use tickets only when it has one: who heeds that gives it none (RFC 9846 §4.2.9).
      resumes: false,
      again: program(erlang).again,
      retry: "secp384r1"
    }
  },
  {
    name: "rustls (Deno)",
    version: line`${deno} --version`,
    pattern: /^deno (\S+)/,
    install: "all",
    server: {
      ...echo,
      clientCertificate: false,
      hybrid: true,
      command: program(denoPeer).server,
      retry: ["secp521r1", "x25519"]
    },
    client: {
      ...echo,
      hybrid: true,
      command: program(denoPeer).client,
      again: { ...program(denoPeer).again, shape: "request", keepsGroup: true },
      retry: "secp384r1"
    }
  },
  {
    name: "Go",
    version: line`${go} version`,
    pattern: /^go(\S+)/,
    install: "all",
    server: { ...echo, hybrid: true, command: program(go).server, retry: ["x448", "x25519"] },
    client: {
      ...echo,
      hybrid: true,
      command: program(go).client,
      again: { ...program(go).again, said: /resumed=true/ },
      retry: "secp384r1"
    }
  }
]
