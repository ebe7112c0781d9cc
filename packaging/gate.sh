#!/bin/sh
# The gate: a machine that has nothing (packaging/fresh-machine.sh), then all tests but those of tests/vm; beside these
# two, the tests with machines. Needs root, as the first does. See .ci/run and .ci/full.
#
# Each of the two lanes writes into a file. The first is shown while it runs, then the second, so that nothing is
# mixed; the last line counts both. It passes if all of it does.
#
# Tests marked `full` are left out: they install clients of 250 MB from PyPI and npm, or say themselves why they take minutes.
# .ci/full has them ($ROOTLESS_TEST_MARKS).
#
#   packaging/gate.sh [PYTEST ARGUMENTS]      (more of them, for both)
set -eu
cd "$(dirname "$0")/.."

say() { printf '==> gate: %s\n' "$*"; }
seconds() { date +%s; }
began=$(seconds)

# --- a lane: a process of its own, with all that it starts in one process group ------------------

tests() { # PYTEST ARGUMENTS
    ROOTLESS_PREPARED=1 ./test -m "${ROOTLESS_TEST_MARKS-not full}" "$@"
}

without_machines() {
    status=0
    packaging/fresh-machine.sh || status=1
    # The bare machine has tried pip and the wheel.
    tests --ignore=tests/vm --ignore=tests/cli/test_installed.py "$@" || status=1
    return $status
}

with_machines() { # what failed is remembered apart from the other lane's
    tests -o cache_dir=.pytest_cache/machines tests/vm "$@"
}

if [ "${1:-}" = --lane ]; then
    lane=$2
    logs=$3
    shift 3
    status=0
    $lane "$@" || status=$?
    say "$lane: status $status after $(($(seconds) - began)) s"
    echo $status >"$logs/$lane.status"
    exit $status
fi

# --- both ----------------------------------------------------------------------------------------

[ "$(id -u)" = 0 ] || { say "needs root, to try a machine that has nothing" >&2; exit 1; }
logs=$(mktemp -d /var/tmp/rootless-gate-XXXXXX)
lanes=
end() {
    for pid in $lanes; do kill -s TERM -- "-$pid" 2>/dev/null || true; done
    rm -rf "$logs"
}
trap end EXIT
trap 'exit 143' INT TERM HUP

./test --version # installs
say "all is installed: $(($(seconds) - began)) s"

for name in without_machines with_machines; do
    : >"$logs/$name.log" # the lane may open it later than tail(1) does
    setsid packaging/gate.sh --lane $name "$logs" "$@" >"$logs/$name.log" 2>&1 </dev/null &
    lanes="$lanes $!"
done
name=without_machines
for pid in $lanes; do
    tail -n +1 -f --pid="$pid" "$logs/$name.log" &
    wait $! || true # in the foreground it would keep a signal from this shell
    wait "$pid" || true
    name=with_machines
done
lanes=

failed=0
for name in without_machines with_machines; do
    [ "$(cat "$logs/$name.status" 2>/dev/null)" = 0 ] || failed=1
done
# Of a run that was repeated the first failures do not count: what failed twice is in its last line.
awk -v seconds=$(($(seconds) - began)) -v status=$failed '
    FNR == 1 { add(); failures = 0 }
    /^=+ .* in [0-9.]+s.* =+$/ {
        failures = 0
        for (i = 2; i < NF; i++) {
            if ($(i + 1) ~ /^passed/) passed += $i
            if ($(i + 1) ~ /^(failed|errors?)/) failures += $i
            if ($(i + 1) ~ /^skipped/) skipped += $i
        }
    }
    function add() { failed += failures }
    END {
        add()
        if (status && !failed) failed = 1 # something else than a test
        printf "==> gate: %d passed, %d failed, %d skipped in %d s\n", passed, failed, skipped, seconds
    }
' "$logs/without_machines.log" "$logs/with_machines.log"
exit $failed
