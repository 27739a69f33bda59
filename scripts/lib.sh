# Sourced by the other scripts: finds or installs what they need, or says clearly what is missing.

die() {
    echo "$(basename "$0"): $*" >&2
    exit 1
}

# need_cargo: a Rust toolchain, the one thing we do not install, and what building takes beside it.
need_cargo() {
    command -v cargo >/dev/null || PATH="${HOME-}/.cargo/bin:$PATH"
    command -v cargo >/dev/null || die "no Rust toolchain found; get one from https://rustup.rs (version $(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml) or later)"
    command -v cc >/dev/null || need_command cc gcc
    # What the crates link.
    need_library openssl libssl-dev
    need_library libzstd libzstd-dev
    need_library libpcre2-8 libpcre2-dev
}

# build_release: the daemon, as it is installed; its path in $daemon.
build_release() {
    echo "== building the release binary"
    cargo build --release --quiet || die "building failed; cargo says why above (it needs crates.io once, or a vendored copy)"
    daemon=$(realpath "${CARGO_TARGET_DIR:-target}/release/sluiced")
}

# need_ports FILE: no listener that failed in FILE, what the daemon said at its start.
need_ports() {
    ! grep -a -i 'could not create\|address already in use' "$1" >&2 ||
        die "another program has a port that this takes; stop it first"
}

# need_component SUBCOMMAND COMPONENT: a part of the toolchain that rustup can add.
need_component() {
    cargo "$1" --version >/dev/null 2>&1 && return
    command -v rustup >/dev/null || die "cargo $1 is missing; install the Rust component '$2'"
    echo "installing the Rust component $2" >&2
    rustup component add "$2" >&2 || die "installing the Rust component $2 failed"
}

# has_nightly: whether there is a nightly toolchain.
has_nightly() {
    command -v rustup >/dev/null && rustup toolchain list | grep -q '^nightly'
}

# need_nightly: a nightly toolchain with the source of the standard library, which it can rebuild with other flags.
need_nightly() {
    has_nightly || die "this takes a nightly toolchain: rustup toolchain install nightly"
    [ -e "$(rustc +nightly --print sysroot)/lib/rustlib/src/rust/library/Cargo.lock" ] && return
    echo "installing the Rust component rust-src of the nightly toolchain" >&2
    rustup component add rust-src --toolchain nightly >&2 || die "installing rust-src failed"
}

# install_package PACKAGE WHAT-IS-MISSING: installs the Debian package.
install_package() {
    command -v apt-get >/dev/null || die "$2 is missing and this is not a Debian system; install what Debian calls '$1'"
    local root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || die "$2 is missing; run as root: apt-get install $1"
        root=(sudo)
    fi
    echo "installing the Debian package $1" >&2
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-remove --no-install-recommends "$1" >/dev/null ||
        { "${root[@]}" apt-get update -qq && "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-remove --no-install-recommends "$1" >/dev/null; } ||
        die "installing $1 failed; try: apt-get install $1"
}

# need_command COMMAND PACKAGE: installs the Debian package unless the command exists.
need_command() {
    PATH="$PATH:/usr/sbin:/sbin"
    command -v "$1" >/dev/null && return
    install_package "$2" "the command '$1'"
    command -v "$1" >/dev/null || die "'$1' is still missing after installing $2"
}

# need_loggen: syslog-ng's load generator, its name in LOGGEN. Installed beside rsyslog its package would remove that,
# so it is unpacked.
need_loggen() {
    LOGGEN=loggen
    command -v loggen >/dev/null && return
    local cache="${XDG_CACHE_HOME:-${HOME-}/.cache}/sluice/loggen"
    LOGGEN=$cache/run
    [ -x "$LOGGEN" ] && return
    command -v apt-get >/dev/null || die "the command 'loggen' is missing and this is not a Debian system; it is part of syslog-ng"
    echo "unpacking loggen of the Debian package syslog-ng-core in $cache" >&2
    mkdir -p "$cache"
    (
        cd "$cache"
        apt-get download -qq syslog-ng-core libivykis0 >/dev/null 2>&1 ||
            { apt-get update -qq && apt-get download -qq syslog-ng-core libivykis0 >/dev/null 2>&1; }
        for package in *.deb; do dpkg -x "$package" root; done
    ) || die "unpacking syslog-ng-core failed"
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%s/usr/lib/syslog-ng SYSLOGNG_PREFIX=%s/usr exec %s/usr/bin/loggen "$@"\n' \
        "$cache/root" "$cache/root" "$cache/root" >"$LOGGEN"
    chmod +x "$LOGGEN"
}

# need_cargo_command SUBCOMMAND CRATE: a cargo subcommand from crates.io.
need_cargo_command() {
    cargo "$1" --version >/dev/null 2>&1 && return
    echo "installing $2 from crates.io" >&2
    cargo install --quiet --locked "$2" || die "installing $2 failed; try: cargo install --locked $2"
}

# need_library MODULE PACKAGE: the same for a library, by its name for pkg-config.
need_library() {
    need_command pkg-config pkg-config
    pkg-config --exists "$1" && return
    install_package "$2" "the library '$1'"
    pkg-config --exists "$1" || die "'$1' is still missing after installing $2"
}
