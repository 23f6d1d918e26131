#!/usr/bin/env bash
# quickstart.sh - see the handler at work, on your own machine, without an account.
set -eu
# shellcheck source=contrib/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<'END'
Usage: contrib/quickstart.sh [--once]
Build connect-webhook, start a stand-in for Connect, nginx and the handler on free ports under a
temporary folder, press "Trigger Now", and show what became of every pending request. Stays until
Ctrl-C and leaves nothing behind but the build. Nothing outside this machine is called.

  --once   end afterwards: with 0 only if every request ended as its rule says
  --help   show this help

Missing packages are installed as root, and named otherwise. The build is kept in
build-quickstart/ of the clone, or in $CW_BUILD_DIR.

Example: sudo contrib/quickstart.sh
END
}

for argument; do
    case $argument in
    --once) ;;
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
mkdir -p "$folder" || die "$folder cannot be made"
log=$folder/quickstart-build.log

need_packages build run
say "Building in $folder (a minute, the first time) ..."
if ! { need_configure && configure_in "$folder" && make -C "$folder" -j"$JOBS"; } >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    die "the build failed: $log"
fi
give_back "$folder"
exec python3 -B "$CLONE/contrib/quickstart.py" "$folder" "$@"
