#!/usr/bin/env bash
# check.sh - install what the tests need, build in every way that matters, run every test.
set -u
# shellcheck source=contrib/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<'END'
Usage: contrib/check.sh [--quick]
Install what the tests need (as root; else missing packages are named), build out of tree and
run every test: with gcc, with clang, with the address and undefined-behaviour sanitizers, the
linters, and make distcheck. Can be run again and again, from anywhere.

  --quick   only gcc and its tests
  --help    show this help

Builds are kept in build-check/ of the clone, or in $CW_BUILD_DIR. With CI=true a test that cannot
run, because something is missing, has failed.

Example, as root: contrib/check.sh
END
}

quick=no
for argument; do
    case $argument in
    --quick) quick=yes ;;
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

folder=${CW_BUILD_DIR:-$CLONE/build-check}
passed=0 failed=0 skipped=0

add() {
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}

# step NAME COMMAND...: one thing that must succeed; its output goes to a log that is shown if not.
step() {
    local name=$1 log started=$SECONDS
    log=$folder/${1//[: ]/-}.log
    shift
    printf '%-28s ' "$name"
    if "$@" >"$log" 2>&1; then
        printf 'ok      %4d s\n' $((SECONDS - started))
        return 0
    fi
    printf 'FAILED  %4d s\n' $((SECONDS - started))
    say "---- the end of $log"
    tail -n 60 "$log"
    say "----"
    return 1
}

# Like step, and counts as a test.
counted() {
    if step "$@"; then add 1 0 0; else add 0 1 0; fi
}

# Count the tests inside each program and file: cmocka's and pytest's sums, else its result.
count_tests() {
    local results
    results=$(find "$1/tests" -name '*.trs' -print0 |
        xargs -0 -r -n 1 awk '
            /^:test-result:/ { result = $2 }
            END {
                log_file = FILENAME; sub(/trs$/, "log", log_file)
                while ((getline line < log_file) > 0) {
                    if (line ~ /^\[  PASSED  \] [0-9]+ test/) { split(line, w, " "); p += w[4] }
                    else if (line ~ /^\[  FAILED  \] [0-9]+ test/) { split(line, w, " "); f += w[4] }
                    else if (line ~ /^\[  SKIPPED \] [0-9]+ test/) { split(line, w, " "); s += w[4] }
                    else if (line ~ /^[0-9].* in [0-9.]+s/) {
                        n = split(line, w, /[ ,]+/)
                        for (i = 1; i < n; i++) {
                            if (w[i + 1] == "passed") p += w[i]
                            if (w[i + 1] ~ /^(failed|errors?)$/) f += w[i]
                            if (w[i + 1] == "skipped") s += w[i]
                        }
                    }
                }
                if (result == "PASS" && p + f + s == 0) p = 1
                if (result == "SKIP" && s == 0) s = 1
                if (result !~ /^(PASS|SKIP)$/ && f == 0) f = 1
                print p + 0, f + 0, s + 0
            }' | awk '{ p += $1; f += $2; s += $3 } END { print p + 0, f + 0, s + 0 }')
    # shellcheck disable=SC2086  # three numbers
    add $results
    printf '%-28s %d passed, %d failed, %d skipped\n' "" $results
}

show_failures() {
    local trs log
    for trs in $(grep -LE '^:test-result: (PASS|SKIP)' $(find "$1/tests" -name '*.trs') /dev/null |
        grep trs); do
        log=${trs%.trs}.log
        say "---- $log"
        tail -n 120 "$log"
        say "----"
    done
}

# build_and_test NAME OPTION...: the whole of make check, configured so.
build_and_test() {
    local name=$1 build=$folder/$1
    shift
    if ! { step "$name: configure" configure_in "$build" --enable-developer "$@" &&
        step "$name: build" make -k -C "$build" -j"$JOBS" && find "$build/tests" -name '*.trs' -delete; }; then
        add 0 1 0
        return
    fi
    if step "$name: make check" make -C "$build" -k -j"$JOBS" check; then
        count_tests "$build"
    else
        local before=$failed
        count_tests "$build"
        [ "$failed" -gt "$before" ] || add 0 1 0 # a test that does not even compile
        show_failures "$build"
    fi
}

need_plain_clone
need_folder "$folder"
trap 'give_back "$folder"' EXIT
need_packages "$folder/packages.log" build run test
say "Building in $folder with $JOBS jobs."
step "autoreconf" need_configure || exit 1

build_and_test gcc CC=gcc
if [ $quick = no ]; then
    build_and_test clang CC=clang
    build_and_test sanitizers CC=gcc --with-sanitizer=address,undefined
    if [ -e "$folder/gcc/Makefile" ]; then
        counted "lint" make -C "$folder/gcc" lint
        counted "distcheck" make -C "$folder/gcc" -j"$JOBS" distcheck
    fi
fi

say "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
