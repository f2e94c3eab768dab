#!/bin/sh
# Installs real TLS peers for the interoperability tests on Debian 12, as root.
#
#   setup.sh [DEST] [min|newer|runtimes|all]          DEST: $INTEROP, or /opt/interop
#
#   min    packages of this Debian: OpenSSL 3.0, GnuTLS, NSS, BoringSSL, Botan 2, mbedTLS 2.28, wolfSSL, BearSSL, Erlang,
#          BouncyCastle (and SunJSSE where Java is there), sslscan, faketime                             about 15 s
#   newer  min, tshark, and newer Debian packages unpacked beside the system, never installed: OpenSSL 3.5 (ML-KEM, ML-DSA,
#          raw public keys, certificate compression), GnuTLS 3.8, NSS 3.110, Botan 3, mbedTLS 3.6, wolfSSL 5.7; OpenSSL 4
#          (ECH)
#   runtimes  min, and where our own code runs besides this Node (test/runtimes): Bun, Deno (rustls) and Node 24 from npm,
#          400 MB; Chromium                                                                           about 50 s
#   all    newer, runtimes, esbuild (Go) from npm, Go 1.24 (ECH)
#
# What is already there is left alone, so that a second run costs nothing. What cannot be had (no network, another
# Debian) is named on standard error and makes the exit code 1; everything else is installed all the same.
# A binary of an unpacked tree runs with its own loader: DEST/bin/rr trixie openssl version; one built here: DEST/bin/rrx
set -u
DEST=${1:-${INTEROP:-/opt/interop}}
LEVEL=${2:-min}
PEERS=$(cd "$(dirname "$0")" && pwd)/peers
FAILED=0
case $LEVEL in
  min | newer | runtimes | all) ;;
  *)
    echo "setup.sh: no level '$LEVEL': min, newer, runtimes or all" >&2
    exit 2
    ;;
esac
wants() { [ "$LEVEL" = "$1" ] || [ "$LEVEL" = all ]; }
missing() {
  echo "setup.sh: missing: $*" >&2
  FAILED=1
}
mkdir -p "$DEST/bin" || exit 1

# --- packages of this Debian ---------------------------------------------------------------------------------------
export DEBIAN_FRONTEND=noninteractive
# Without a network apt waits two minutes for each address; a test run cannot.
APT='-qq -o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 -o DPkg::Lock::Timeout=120'
UPDATED=
installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
packages() {
  wanted=
  for package in "$@"; do installed "$package" || wanted="$wanted $package"; done
  [ -n "$wanted" ] || return 0
  if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    missing "$wanted (apt-get and root are needed)"
    return 0
  fi
  # One failing package must not take the others with it. Old lists may do where new ones cannot be had.
  [ -n "$UPDATED" ] || apt-get $APT update >/dev/null 2>&1
  UPDATED=yes
  apt-get $APT install -y --no-install-recommends $wanted >/dev/null 2>&1 && return 0
  for package in $wanted; do
    apt-get $APT install -y --no-install-recommends "$package" >/dev/null 2>&1 || missing "$package"
  done
}
packages openssl gnutls-bin libnss3-tools botan android-boringssl erlang-ssl libbctls-java libmbedtls-dev libwolfssl-dev \
  libbearssl-dev sslscan faketime gcc libc6-dev
if wants newer; then packages tshark; fi

# --- newer Debians, unpacked under DEST/roots ----------------------------------------------------------------------
MIRROR=$(sed -n 's/^URIs: *\(.*debian\)\/*$/\1/p; s/^deb \(\[[^]]*\] \)*\([^ ]*\/debian\)\/* .*/\2/p' \
  /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list /etc/apt/sources.list 2>/dev/null | head -n 1)
KEY='[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]'
tree() { # name, suites, packages...: an apt with a configuration and a status of its own, so that the system stays as it is
  name=$1 suites=$2
  shift 2
  root=$DEST/roots/$name apt=$DEST/apt-$name
  [ ! -e "$root/.complete" ] || return 0
  rm -rf "$root" "$apt"
  mkdir -p "$root" "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/etc/apt.conf.d" "$apt/etc/preferences.d" "$apt/etc/parts"
  : >"$apt/status"
  for suite in $suites; do echo "deb $KEY $MIRROR $suite main"; done >"$apt/etc/sources.list"
  cat >"$apt/apt.conf" <<C
Dir::Etc "$apt/etc"; Dir::Etc::SourceList "$apt/etc/sources.list"; Dir::Etc::SourceParts "$apt/etc/parts"; Dir::State "$apt";
Dir::State::Lists "$apt/lists"; Dir::State::status "$apt/status"; Dir::Cache "$apt/cache"; APT::Install-Recommends "false";
Acquire::Languages "none"; APT::Sandbox::User "root"; Acquire::Check-Valid-Until "false";
C
  if APT_CONFIG=$apt/apt.conf apt-get $APT update >/dev/null 2>&1 &&
    APT_CONFIG=$apt/apt.conf apt-get $APT install -y --download-only "$@" >/dev/null 2>&1 &&
    find "$apt/cache/archives" -name '*.deb' -print0 | xargs -0 -r -n 1 sh -c 'dpkg -x "$1" "$0"' "$root"; then
    : >"$root/.complete"
  else
    missing "tree $name"
    rm -rf "$root"
  fi
  rm -rf "$apt"
}
if wants newer; then
  tree trixie trixie openssl gnutls-bin botan libnss3-tools libmbedtls-dev libwolfssl-dev
  tree ossl4 'sid experimental' -t experimental openssl
fi
if wants all; then tree go124 trixie golang-1.24-go golang-1.24-src; fi

# --- programs from npm ---------------------------------------------------------------------------------------------
npm_programs() { # folder, packages...: as name@version; the program has the package's name
  folder=$DEST/$1
  shift
  wanted=
  for package in "$@"; do [ -x "$folder/node_modules/.bin/${package%@*}" ] || wanted="$wanted $package"; done
  [ -n "$wanted" ] || return 0
  mkdir -p "$folder"
  [ -e "$folder/package.json" ] || echo '{ "private": true }' >"$folder/package.json"
  (cd "$folder" && npm install --no-audit --no-fund --silent $wanted) || missing "$wanted (npm)"
}
if wants runtimes; then
  npm_programs npm bun@1 deno@2
  # Apart, since its name is that of the Node that is there already.
  npm_programs npm24 node@24
  packages chromium
fi
if wants all; then npm_programs npm esbuild; fi

# --- peers that are libraries: small programs around them ----------------------------------------------------------
built() { # program, source, command...: again only when the source is newer
  program=$DEST/bin/$1 source=$PEERS/$2
  shift 2
  [ "$program" -nt "$source" ] || "$@" >/dev/null 2>&1 || missing "$program"
}
cc_peer() { # program, source, flags...
  name=$1 file=$2
  shift 2
  built "$name" "$file" cc -O1 -w -o "$DEST/bin/$name" "$PEERS/$file" "$@"
}
cc_peer wolf_peer wolf_peer.c -lwolfssl
cc_peer mbed_peer mbed_peer.c -lmbedtls -lmbedx509 -lmbedcrypto
cc_peer bear_peer bear_peer.c -lbearssl
R=$DEST/roots/trixie
if [ -e "$R/.complete" ]; then
  set -- -I"$R/usr/include" -L"$R/usr/lib/x86_64-linux-gnu" -Wl,--allow-shlib-undefined
  cc_peer wolf_peer-trixie wolf_peer.c "$@" -lwolfssl
  cc_peer mbed_peer-trixie mbed_peer.c "$@" -lmbedtls -lmbedx509 -lmbedcrypto
fi
GO=$DEST/roots/go124/usr/lib/go-1.24
if [ -x "$GO/bin/go" ]; then
  built gopeer-go124 go/main.go env -C "$PEERS/go" GOROOT="$GO" GOCACHE="$DEST/go-cache" GOFLAGS=-mod=mod GOTOOLCHAIN=local \
    "$GO/bin/go" build -o "$DEST/bin/gopeer-go124" .
  built gopki-go124 gopki/main.go env -C "$PEERS/gopki" GOROOT="$GO" GOCACHE="$DEST/go-cache" GOFLAGS=-mod=mod \
    GOTOOLCHAIN=local "$GO/bin/go" build -o "$DEST/bin/gopki-go124" .
fi
if command -v javac >/dev/null; then built JPeer.class JPeer.java javac -d "$DEST/bin" "$PEERS/JPeer.java"; fi

runner() { # name, how the program is found
  cat >"$DEST/bin/$1" <<C
#!/bin/sh
R=$DEST/roots/\$1 program=\$2
shift 2
LD=\$(ls \$R/usr/lib64/ld-linux-x86-64.so.2 \$R/lib64/ld-linux-x86-64.so.2 \$R/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 2>/dev/null | head -n 1)
export OPENSSL_MODULES=\$R/usr/lib/x86_64-linux-gnu/ossl-modules OPENSSL_CONF=\${OPENSSL_CONF:-\$R/usr/lib/ssl/openssl.cnf}
exec "\$LD" --library-path "\$R/usr/lib/x86_64-linux-gnu:\$R/lib/x86_64-linux-gnu" "$2" "\$@"
C
  chmod +x "$DEST/bin/$1"
}
runner rr '$R/usr/bin/$program'
runner rrx '$program'

[ "$FAILED" = 0 ] && echo "peers ready under $DEST"
exit "$FAILED"
