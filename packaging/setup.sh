#!/bin/sh
# Sets up what is missing, then runs the demonstration, the tests or the benchmarks.
#
#   packaging/setup.sh demo | test [PYTEST ARGUMENTS] | bench [CASES] | install
#
# As root: installs packages, mends device modes, makes an ordinary account, copies the source into
# its home and goes on as that account. As an ordinary user: needs no root; where something is
# missing it prints the line that an administrator runs.
#
#   ROOTLESS_ACCOUNT      the ordinary account (rootless-user)
#   ROOTLESS_MUST_WORK=1  tests that cannot run here are failures
#   ROOTLESS_TRY_AGAIN=1  what failed is run once more, and told
#   ROOTLESS_TEST_RANGE=none    the account is made without subordinate ids, for the tests as such a user
#   ROOTLESS_PREPARED=1   all is installed and copied: only run (packaging/gate.sh, which runs two at a time)
set -eu

verb=${1:-}
[ $# -gt 0 ] && shift
case $verb in
demo | test | bench | install) ;;
*)
    sed -n '2,/^set -eu/s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac

source_dir=$(cd "$(dirname "$0")/.." && pwd)
system_path=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin
. "$source_dir/packaging/packages.sh"

say() { printf '==> %s\n' "$*"; }
die() {
    printf 'setup: %s\n' "$1" >&2
    shift
    for line in "$@"; do printf '  %s\n' "$line" >&2; done
    exit 1
}

first_free() { # TABLE...: after the last range of all, for ranges of two users must never meet
    cat "$@" 2>/dev/null | awk -F: 'BEGIN { n = 100000 } $2 + $3 > n { n = $2 + $3 } END { print n }'
}

is_host_root() { # root of a user namespace is an ordinary user to us
    [ "$(id -u)" = 0 ] && [ "$(tr -s ' ' </proc/self/uid_map)" = " 0 0 4294967295" ]
}

# --- as root -----------------------------------------------------------------------------------

# Debian starts a package's service when it installs it; tests start their own instead.
without_services() {
    policy=/usr/sbin/policy-rc.d
    if [ -e $policy ]; then
        "$@"
        return
    fi
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT INT TERM
    "$@"
    rm -f $policy
    trap - EXIT INT TERM
}

install_packages() {
    missing=$(missing_packages "$verb")
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null || die "these packages are missing, and only apt is known here:" \
        "$missing" "Fedora and RHEL name them: $fedora_packages"
    say "installing: $missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq </dev/null
    # shellcheck disable=SC2086  # one word for each package
    without_services apt-get install -qq -y --no-install-recommends $missing </dev/null >/dev/null
}

mend_devices() { # without udev (containers, minimal machines) these are root's only, or absent
    for device in "/dev/fuse 10 229" "/dev/net/tun 10 200"; do
        # shellcheck disable=SC2086
        set -- $device
        if [ ! -e "$1" ]; then
            mkdir -p "$(dirname "$1")"
            mknod "$1" c "$2" "$3" 2>/dev/null || continue
            say "made $1"
        fi
        if [ "$(stat -c %a "$1")" != 666 ]; then
            chmod 666 "$1" && say "mode of $1 is now 0666, as udev would have it"
        fi
    done
}

make_account() {
    if ! id "$account" >/dev/null 2>&1; then
        useradd -m -s /bin/bash "$account"
        say "made the account $account"
        # useradd has given it some.
        [ "${ROOTLESS_TEST_RANGE:-}" != none ] || sed -i "/^$account:/d" /etc/subuid /etc/subgid
    fi
    [ "${ROOTLESS_TEST_RANGE:-}" != none ] || return 0
    for table in /etc/subuid /etc/subgid; do
        grep -q "^$account:" $table 2>/dev/null && continue
        echo "$account:$(first_free $table):65536" >>$table
        say "gave $account 65536 subordinate ids in $table"
    done
}

copy_source() {
    [ ! -e "$target" ] || [ -e "$target/.made-by-setup" ] || die "$target is there, and not made by this script"
    mkdir -p "$target"
    # Its virtual environment stays; everything else is replaced, so that what is gone here is gone there.
    find "$target" -mindepth 1 -maxdepth 1 ! -name .venv -exec rm -rf {} +
    tar -C "$source_dir" --exclude=./.git --exclude=./.venv --exclude=./build --exclude=__pycache__ \
        --exclude='*.egg-info' --exclude=./rootless/_helpers -cf - . | tar -C "$target" --no-same-owner -xf -
    touch "$target/.made-by-setup"
    chown -R "$account:" "$target"
}

# A part of cgroup v2 that the tests may divide, as an administrator would delegate it (tests/harness/cgroups.py).
give_cgroup() {
    mount=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
    uid=$(id -u "$account")
    top=$mount/rootless-tests-$uid
    [ -n "$mount" ] && mkdir -p "$top/outside" "$top/delegated/login" 2>/dev/null || return 0
    for file in "$top/cgroup.procs" "$top/outside/cgroup.procs" "$top/delegated" "$top/delegated/login" \
        "$top"/delegated/cgroup.* "$top"/delegated/login/cgroup.*; do
        case ${file##*/} in delegated | login | cgroup.procs | cgroup.threads | cgroup.subtree_control) ;; *) continue ;; esac
        chown "$account" "$file" 2>/dev/null || return 0
    done
    mkdir -p "$top-apart" && chown "$account" "$top-apart" "$top-apart/cgroup.procs" "$top-apart/cgroup.subtree_control"
    echo $$ >"$top/outside/cgroup.procs" 2>/dev/null || return 0
    ROOTLESS_TEST_CGROUP=$top
    export ROOTLESS_TEST_CGROUP
}

# One key of the configuration that pip has for root alone. pip itself is not asked: it need not be installed for root.
pip_option() { # KEY
    python3 - "$1" "${XDG_CONFIG_HOME:-$HOME/.config}/pip/pip.conf" "$HOME/.pip/pip.conf" <<'END' 2>/dev/null || true
import configparser, sys
parser = configparser.RawConfigParser()
parser.read(sys.argv[2:], encoding="utf-8")
print(*parser.get("global", sys.argv[1], fallback="").split())
END
}

# The account downloads from where root's pip does, with certificates that it can read.
pip_environment() {
    for key in index-url extra-index-url find-links cert; do
        name=PIP_$(echo "$key" | tr a-z- A-Z_)
        eval "value=\${$name:-}"
        [ -n "$value" ] || value=$(pip_option "$key")
        [ -z "$value" ] || export "$name=$value"
    done
    for name in PIP_CERT SSL_CERT_FILE REQUESTS_CA_BUNDLE; do
        eval "value=\${$name:-}"
        [ -z "$value" ] || as_account test -r "$value" || unset "$name"
    done
}

# The same of npm's: the registry and the certificates of root's own .npmrc.
npm_environment() {
    for key in registry cafile; do
        eval "value=\${npm_config_$key:-}"
        [ -n "$value" ] || value=$(sed -n "s/^ *$key *= *//p" "$HOME/.npmrc" 2>/dev/null | tail -n 1)
        [ -z "$value" ] || export "npm_config_$key=$value"
    done
    for name in npm_config_cafile NODE_EXTRA_CA_CERTS; do
        eval "value=\${$name:-}"
        [ -z "$value" ] || as_account test -r "$value" || unset "$name"
    done
}

as_account() {
    env -u XDG_RUNTIME_DIR -u XDG_DATA_HOME -u XDG_CONFIG_HOME -u XDG_CACHE_HOME -u TMPDIR -u PYTHONPATH \
        HOME="$home" USER="$account" LOGNAME="$account" SHELL=/bin/sh PATH="$system_path" \
        setpriv --reuid "$account" --regid "$account" --init-groups "$@"
}

if is_host_root; then
    account=${ROOTLESS_ACCOUNT:-rootless-user}
    if [ -z "${ROOTLESS_PREPARED:-}" ]; then
        install_packages
        mend_devices
        make_account
    fi
    home=$(getent passwd "$account" | cut -d: -f6)
    [ -d "$home" ] || die "$account has no home directory"
    target=$home/rootless
    [ -n "${ROOTLESS_PREPARED:-}" ] || copy_source
    pip_environment
    npm_environment
    say "going on as $account in $target"
    cd "$target"
    if [ "$verb" = bench ]; then
        status=0
        as_account "$target/packaging/setup.sh" bench "$@" </dev/null || status=$?
        cp -r "$target/benchmarks/results" "$source_dir/benchmarks/" 2>/dev/null || true
        exit $status
    fi
    [ "$verb" != test ] || give_cgroup
    as_account "$target/packaging/setup.sh" "$verb" "$@" </dev/null
    exit
fi

# --- as an ordinary user -----------------------------------------------------------------------

missing=$(missing_packages "$verb")
if [ -n "$missing" ]; then
    case $verb in
    test) [ -z "${ROOTLESS_MUST_WORK:-}" ] && say "tests that need these will be skipped: $missing" ;;
    bench) say "peers that are not installed are left out: $missing" ;;
    *) say "not needed, but better with: $missing" ;;
    esac
    required=$(missing_packages required)
    [ -z "$required" ] || die "packages are missing; an administrator runs:" \
        "apt-get install $required" "(Fedora, RHEL: dnf install $fedora_packages)"
fi
name=$(id -un)
first=$(first_free /etc/subuid /etc/subgid)
range=$first-$((first + 65535))
for table in /etc/subuid /etc/subgid; do
    [ "${ROOTLESS_TEST_RANGE:-}" != none ] || break
    grep -qE "^($name|$(id -u)):" $table 2>/dev/null || getsubids "$name" >/dev/null 2>&1 ||
        die "$name has no subordinate ids in $table; an administrator runs:" \
            "usermod --add-subuids $range --add-subgids $range $name"
done

cd "$source_dir"
[ -w . ] || die "$source_dir is not writable for $name" "copy it to a directory of yours"
python=
for candidate in python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3; do
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
[ -n "$python" ] || die "no Python 3.11 or later with venv; an administrator runs:" "apt-get install python3.11-venv"
[ -x .venv/bin/python ] && .venv/bin/python -c 'import pip' 2>/dev/null || {
    rm -rf .venv
    "$python" -m venv .venv
}
if [ -z "${ROOTLESS_PREPARED:-}" ]; then
    say "pip install ."
    extras=
    case $verb in test | bench) extras=[dev] ;; esac # the benchmarks use the tests' harness
    PIP_DISABLE_PIP_VERSION_CHECK=1 .venv/bin/python -m pip install -qq ".$extras" </dev/null
    rm -rf build rootless.egg-info
fi
PATH=$source_dir/.venv/bin:$PATH
export PATH

case $verb in
install) say "installed: $source_dir/.venv/bin/rootless" ;;
demo) exec "$source_dir/packaging/demo.sh" ;;
test)
    status=0
    .venv/bin/pytest --import-mode=append "$@" || status=$?
    if [ $status = 1 ] && [ -n "${ROOTLESS_TRY_AGAIN:-}" ]; then
        # Emulated machines and a kernel shared with others: what fails here has to fail twice.
        say "failed (see above); these get one more try, by themselves"
        status=0
        .venv/bin/pytest --import-mode=append --last-failed --last-failed-no-failures=none "$@" || status=$?
    fi
    exit $status
    ;;
bench) exec .venv/bin/python -m benchmarks "$@" ;;
esac
