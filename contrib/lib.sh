# shellcheck shell=bash
# lib.sh - what contrib/check.sh and contrib/quickstart.sh share; sourced by them.

CLONE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PATH=$PATH:/usr/sbin:/sbin
JOBS=$(nproc 2>/dev/null || echo 2)
ME=${0##*/}
policy=/usr/sbin/policy-rc.d # asked by packages whether their services may start

say() { printf '%s\n' "$*"; }
die() {
    printf '%s: %s\n' "$ME" "$*" >&2
    exit 1
}

# die_of LOG MESSAGE: with the end of what a command said.
die_of() {
    tail -n 40 "$1" >&2
    die "$2: $1"
}

is_installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Names of the packages of these groups that are not installed.
missing_packages() {
    local group package
    while read -r group package; do
        case " $* " in *" $group "*) is_installed "$package" || printf '%s ' "$package" ;; esac
    done < <(grep -v '^#' "$CLONE/contrib/packages")
}

# Install packages without starting the services that come with some of them.
apt_install() (
    if [ ! -e "$policy" ]; then
        trap 'rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get -o DPkg::Lock::Timeout=300 -qq update </dev/null &&
        apt-get -o DPkg::Lock::Timeout=300 -qq -y --no-install-recommends install "$@" </dev/null
)

# need_packages LOG GROUP...: see to it that the packages of these groups are there, or stop. What
# the package manager says goes to the log.
need_packages() {
    local log=$1 missing
    shift
    if ! command -v dpkg-query >/dev/null; then
        say "This is not Debian: contrib/packages lists what is needed. Going on with what is here."
        return
    fi
    missing=$(missing_packages "$@")
    [ -n "$missing" ] || return 0
    [ "$(id -u)" = 0 ] || die "these packages are missing: $missing
Install them (apt-get install $missing) as root, or run this as root."
    say "Installing, as $log tells: $missing"
    # shellcheck disable=SC2086  # a list of names
    apt_install $missing >"$log" 2>&1 || die_of "$log" "the packages could not be installed"
}

# A configured clone can be built in no other folder: that is make's, not ours, to decide.
need_plain_clone() {
    [ ! -e "$CLONE/config.status" ] ||
        die "$CLONE itself is configured: run 'make distclean' there first"
}

# need_folder FOLDER: make it, and see to it that it can be written.
need_folder() {
    { mkdir -p "$1" && : >"$1/.writable"; } 2>/dev/null ||
        die "$1 cannot be written: run this as its owner, or name another folder in \$CW_BUILD_DIR"
    rm -f "$1/.writable"
}

# Make ./configure, unless it is there and newer than what it is made from.
need_configure() {
    if [ ! -e "$CLONE/configure" ] || [ "$CLONE/configure.ac" -nt "$CLONE/configure" ] ||
        [ ! -e "$CLONE/Makefile.in" ]; then
        (cd "$CLONE" && autoreconf -fi)
    fi
}

# Under sudo, what was made in the clone belongs to whom the clone belongs.
give_back() {
    if [ "$(id -u)" = 0 ] && [ "$(stat -c %u "$CLONE/configure.ac")" != 0 ]; then
        find "$CLONE" "$@" -user root -exec chown -h --reference="$CLONE/configure.ac" {} +
    fi
}
