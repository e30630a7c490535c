# What Scripts/start and Scripts/test share: saying what happens, and finding or installing what is needed. Sourced, not run.

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# as_root COMMAND...: runs it as root, through sudo where we are not.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"
    elif command -v sudo >/dev/null 2>&1; then sudo "$@"
    else fail "this needs root: run as root or install sudo, then try again: $*"
    fi
}

# need_packages PACKAGE...: installs those of the Debian packages that are missing.
need_packages() {
    command -v dpkg-query >/dev/null 2>&1 || fail "no dpkg here. On a system that is not Debian, install what is named in Docs/Development.md by hand."
    local missing=() package
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    say "installing ${missing[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

need_swift() {
    command -v swift >/dev/null 2>&1 ||
        fail "swift was not found on PATH. Martlet needs a Swift 6.1 toolchain or later: https://www.swift.org/install/linux/"
}

# How the release is built: as Package.swift says, and of the packages too each function is a section of its own (Docs/Performance.md, "The
# order of functions"). Other flags than last time build everything anew.
RELEASE=(-c release -Xswiftc -Xfrontend -Xswiftc -function-sections -Xcc -ffunction-sections)

# What the build links against: libpq, SQLite, libcrypt, libcurl, libvips and zlib.
BUILD_PACKAGES=(libpq-dev libsqlite3-dev libcrypt-dev libcurl4-openssl-dev libvips-dev zlib1g-dev pkg-config git ca-certificates)
