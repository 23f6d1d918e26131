#!/usr/bin/env bash
# check.sh - install what the tests need, build in every way that matters, run every test.
set -u
# shellcheck source=contrib/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<'END'
Usage: contrib/check.sh [--quick]
Install what the tests need (as root; else missing packages are named), build out of tree, and run
the tests:

  gcc         everything
  lint        clang-format, clang-tidy and cppcheck, beside gcc's tests
  sanitizers  (of addresses, of undefined behaviour) everything that a build makes a difference to
  clang       make distcheck: build, install and uninstall what the tarball has, from a source that
              nobody may write; unit tests, a file of integration tests, and what differs from user
              to user: root has another user do it

Can be run again and again, from anywhere.

  --quick   only gcc and its tests
  --help    show this help

Builds are made anew, and kept, in build-check/ of the clone, or in $CW_BUILD_DIR. $CW_JOBS says how
many jobs and tests run at once: three a processor, if it does not, for most of the time they wait.
With CI=true a test that cannot run, because something is missing, has failed.

Example, as root: contrib/check.sh
END
}

quick=no steps=10 minutes=16 # on two processors
for argument; do
    case $argument in
    --quick) quick=yes steps=4 minutes=5 ;;
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
width=${CW_JOBS:-$((3 * JOBS))}
another=nobody # whom root has make distcheck
place=         # ... and where
lint=          # the process that lints
tested=()      # the builds whose tests have run
passed=0 failed=0 skipped=0 at=0

add() {
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}

results() {
    python3 -B "$CLONE/contrib/results.py" "$@"
}

# step NAME COMMAND...: one thing that must succeed; its output goes to a log that is shown if not.
step() {
    local name=$1 log began=$SECONDS
    log=$folder/${1//[: ]/-}.log
    at=$((at + 1))
    shift
    printf '%2d/%d  %-24s ' $at $steps "$name"
    if "$@" >"$log" 2>&1; then
        printf 'ok      %4d s\n' $((SECONDS - began))
        return 0
    fi
    printf 'FAILED  %4d s\n' $((SECONDS - began))
    say "---- the end of $log"
    tail -n 60 "$log"
    say "----"
    return 1
}

# Like step, and counts as a test.
counted() {
    if step "$@"; then
        add 1 0 0
    else
        add 0 1 0
        return 1
    fi
}

# as_another COMMAND...: as a user without rights, if root runs this.
as_another() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid="$(id -u $another)" --regid="$(id -g $another)" --clear-groups "$@"
    else
        "$@"
    fi
}

# configure_in FOLDER [OPTION]...: for a build that is made once, by many short shells.
configure_in() (
    mkdir -p "$1" && cd "$1" || exit
    shift
    CONFIG_SHELL=/bin/sh "$CLONE/configure" --enable-developer --disable-dependency-tracking "$@"
)

# Anew, as what a file depends on is not tracked.
build_in() {
    make -C "$1" clean && make -k -C "$1" -j"$width" check TESTS=
}

# build NAME [OPTION]...: everything that tests need, configured so.
build() {
    local name=$1 in=$folder/$1
    shift
    if ! step "$name: configure" configure_in "$in" "$@" || ! step "$name: build" build_in "$in"; then
        add 0 1 0
        return 1
    fi
}

# run_tests FOLDER TESTS ALONE: many at once, and then the others one by one.
run_tests() {
    local status=0
    make -C "$1" -k -j"$width" check TESTS="$2" || status=1
    make -C "$1" -k check TESTS="$3" || status=1
    return $status
}

# check NAME RESULTS COMMAND...: the tests inside each program and file are counted.
check() {
    local name=$1 in=$2 before=$failed sums
    shift 2
    step "$name" "$@"
    local status=$?
    sums=$(results sums "$in")
    # shellcheck disable=SC2086  # three numbers
    add $sums
    # shellcheck disable=SC2086
    printf '%31s %d passed, %d failed, %d skipped\n' "" $sums
    tested+=("$in")
    if [ $status != 0 ]; then
        [ "$failed" -gt "$before" ] || add 0 1 0 # what is no test
        results failures "$in"
    fi
}

# Unpack the tarball where every user can enter, whoever can enter the clone.
configure_tarball() {
    mkdir -m 755 "$place/source" "$place/build" && chmod 755 "$place" &&
        make -C "$folder/gcc" dist &&
        tar -xzf "$folder"/gcc/connect-webhook-*.tar.gz -C "$place/source" --strip-components=1 || return 1
    [ "$(id -u)" != 0 ] || chown -R $another "$place"
    (cd "$place/build" &&
        as_another env CONFIG_SHELL=/bin/sh ../source/configure --disable-dependency-tracking CC=clang)
}

make_distcheck() {
    as_another env CW_RESULTS="$place/clang" make -C "$place/build" -j"$width" distcheck \
        DISTCHECK_CONFIGURE_FLAGS="--enable-developer --disable-dependency-tracking CC=clang CFLAGS=-O1" \
        TESTS='$(unit_tests) $(fuzz_tests) $(tree_tests) $(user_tests)'
}

# Are the linters of the versions that the code is checked with?
lint_tools() {
    local says
    says=$(make -s -C "$folder/gcc" lint-tools 2>&1) && return 0
    say "No lint: $says"
    steps=$((steps - 1))
    add 0 0 1
    return 1
}

# What lint said, once it has ended.
end_lint() {
    wait "$lint"
    local status=$?
    lint=
    grep -v 'warnings\? generated' "$folder/beside.log" # and left out, as it is of others' headers
    return $status
}

clean_up() {
    [ -z "$lint" ] || kill -- "-$lint"
    [ -z "$place" ] || [ "$failed" != 0 ] || rm -rf "$place"
    give_back "$folder"
}

need_plain_clone
need_folder "$folder"
trap clean_up EXIT
need_packages "$folder/packages.log" build run test
say "Building and testing in $folder, $width jobs at once: about $minutes minutes on two processors."
step "autoreconf" need_configure || exit 1

if build gcc CC=gcc; then
    if [ $quick = no ] && lint_tools; then
        set -m # a process group of its own
        make -C "$folder/gcc" lint >"$folder/beside.log" 2>&1 &
        lint=$!
        set +m
    fi
    check "gcc: make check" "$folder/gcc" run_tests "$folder/gcc" \
        '$(tree_tests) $(ground_tests) $(beside_tests)' '$(alone_tests)'
fi
if [ $quick = no ]; then
    [ -z "$lint" ] || counted "lint" end_lint
    if build sanitizers CC=gcc CFLAGS="-O1 -g1" --with-sanitizer=address,undefined; then
        check "sanitizers: make check" "$folder/sanitizers" run_tests "$folder/sanitizers" \
            '$(beside_tests)' '$(alone_tests)'
    fi
    if [ -e "$folder/gcc/Makefile" ]; then
        place=$(mktemp -d /tmp/connect-webhook-check.XXXXXX)
        counted "clang: configure" configure_tarball &&
            check "clang: make distcheck" "$place/clang" make_distcheck
    fi
fi

results report "${tested[@]}"
say "It took $((SECONDS / 60)) min $((SECONDS % 60)) s."
say "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
