#!/bin/sh
# The gate: a machine that has nothing (packaging/fresh-machine.sh), the tests with machines, and all other tests. Needs
# root, as the first does. See .ci/run and .ci/full.
#
# Two lanes run at once: one begins with the bare machine, the other with tests/vm. Then both take the other rooms of
# tests/, one from the head of a list and one from its end, until they meet. The second has an account of its own: what a
# test leaves behind is looked for by account.
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
    ./test -m "${ROOTLESS_TEST_MARKS-not full}" "$@"
}

# Those that want a bootstrapped Debian come first: each account makes its own.
first_rooms="system hostile clients build network console slurm"

# What is run once more as a user without subordinate ids and XDG_RUNTIME_DIR, as accounts of a directory are; the second as in
# a batch job. One entry of the list, taken first: both lanes are busy until the end then.
without_range=without-a-range
without_range_outside="tests/slurm"
without_range_in_a_job="tests/build/test_build.py tests/build/test_mounts.py tests/hostile/test_images.py
    tests/hostile/test_own_directories.py"
for name in cp_attributes emulated_mounts exec files first_run given_mounts hosts isolation keep_id_alone run run_shared user_config \
    volume_archive volume_words; do
    without_range_in_a_job="$without_range_in_a_job tests/system/test_$name.py"
done

rooms() { # of tests/, but for tests/vm
    {
        echo $without_range
        printf '%s\n' $first_rooms
        find tests -mindepth 2 -name 'test_*.py' | cut -d / -f 2 | sort -u
    } | awk '$0 != "vm" && !seen[$0]++'
}

as_one_without_range() ( # PYTEST ARGUMENTS
    status=0
    export ROOTLESS_ACCOUNT=rootless-rangeless ROOTLESS_TEST_RANGE=none ROOTLESS_PREPARED=
    # shellcheck disable=SC2086
    tests $without_range_outside "$@" || [ $? = 5 ] || status=1
    export ROOTLESS_PREPARED=1
    # shellcheck disable=SC2086
    SLURM_JOB_ID=4242 tests $without_range_in_a_job "$@" || [ $? = 5 ] || status=1
    exit $status
)

take_rooms() { # a command that orders the list, PYTEST ARGUMENTS
    order=$1
    shift
    taken=0
    for room in $(rooms | $order); do
        mkdir "$logs/$room.taken" 2>/dev/null || continue
        if [ "$room" = $without_range ]; then
            as_one_without_range "$@" || taken=1
            continue
        fi
        # The bare machine has tried pip and the wheel. 5: nothing there that the arguments ask for.
        tests "tests/$room" --ignore=tests/cli/test_installed.py "$@" || [ $? = 5 ] || taken=1
    done
    return $taken
}

without_machines() {
    status=0
    packaging/fresh-machine.sh || status=1
    export ROOTLESS_PREPARED=1
    take_rooms cat "$@" || status=1
    return $status
}

with_machines() { # what failed is remembered apart from the other lane's
    status=0
    ROOTLESS_PREPARED=1 tests -o cache_dir=.pytest_cache/machines tests/vm "$@" || status=1
    export ROOTLESS_ACCOUNT=rootless-second
    ./test --version || return 1 # installs
    export ROOTLESS_PREPARED=1
    take_rooms tac "$@" || status=1
    return $status
}

if [ "${1:-}" = --lane ]; then
    lane=$2
    logs=$3 # of both: what each has taken is there, too
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
# Of a run that was repeated the first failures do not count.
awk -v seconds=$(($(seconds) - began)) -v status=$failed '
    /^=+ .* in [0-9.]+s.* =+$/ {
        failures = 0
        for (i = 2; i < NF; i++) {
            if ($(i + 1) ~ /^passed/) passed += $i
            if ($(i + 1) ~ /^(failed|errors?)/) failures += $i
            if ($(i + 1) ~ /^skipped/) skipped += $i
        }
        failed += failures
    }
    /^==> failed \(see above\)/ { failed -= failures }
    END {
        if (status && !failed) failed = 1 # something else than a test
        printf "==> gate: %d passed, %d failed, %d skipped in %d s\n", passed, failed, skipped, seconds
    }
' "$logs/without_machines.log" "$logs/with_machines.log"
exit $failed
