#!/usr/bin/env bash
# quickstart.sh - see the handler at work, on your own machine, without an account.
set -eu
# shellcheck source=contrib/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<'END'
Usage: contrib/quickstart.sh [--once] [--distributor]
Build connect-webhook, start a stand-in for Connect, nginx and the handler on free ports under a
temporary folder, press "Trigger Now", and show what became of everything that was pending: a
vendor's day, from a reseller's tier configuration and the purchase that waits for it to a usage
file. Stays until Ctrl-C and leaves nothing behind but the build. Nothing outside this machine is
called.

  --once         end afterwards: with 0 only if every object ended as its rule says
  --distributor  a distributor's day as well: listings, billing, usage files to accept
  --help         show this help

Missing packages are installed as root, and named otherwise. The build is kept in
build-quickstart/ of the clone, or in $CW_BUILD_DIR.

Example, as root: contrib/quickstart.sh
END
}

for argument; do
    case $argument in
    --once | --distributor) ;;
    -h | --help)
        usage
        exit 0
        ;;
    *)
        usage >&2
        exit 2
        ;;
    esac
done

folder=${CW_BUILD_DIR:-$CLONE/build-quickstart}
need_plain_clone
need_folder "$folder"
trap 'give_back "$folder"' EXIT
need_packages "$folder/packages.log" build run
log=$folder/quickstart-build.log
say "Building in $folder (a minute, the first time) ..."
{
    need_configure &&
        { [ -e "$folder/config.status" ] || (cd "$folder" && "$CLONE/configure"); } &&
        make -C "$folder" -j"$JOBS"
} >"$log" 2>&1 || die_of "$log" "the build failed"
give_back "$folder"
exec python3 -B "$CLONE/contrib/quickstart.py" "$folder" "$@"
