#!/bin/sh
# Both commands of README.md on a machine that has nothing, then a wheel on a machine that has no compiler.
#
#   packaging/fresh-machine.sh [PYTEST ARGUMENTS]     (instead of the short selection)
#
# The machine is a tree of this host's own release, as bare as mmdebstrap makes it: no Python, no compiler,
# no certificates. It is entered with a root directory, mounts and processes of its own, which end with this
# script, whatever ends it. Devices are the tree's own. What lies on the disk a killed run leaves to the next one.
# From this host it has the sources of apt, the configuration of pip, and certificates. Needs root.
set -eu

source_dir=$(cd "$(dirname "$0")/.." && pwd)
. "$source_dir/packaging/packages.sh"
place=/var/lib/rootless-tests/fresh-machine
# What depends on the machine's compiler, pip and packages; the gate has the rest of tests/native beside it, on the same release.
short_selection="tests/native/test_build.py tests/cli/test_installed.py tests/system/test_run.py"

say() { printf '==> fresh machine: %s\n' "$*"; }
die() {
    printf 'fresh machine: %s\n' "$*" >&2
    exit 1
}

# --- a tree --------------------------------------------------------------------------------------

# Files with the sources of this release, and not those that somebody added for other programs.
apt_sources() {
    . /etc/os-release
    apt-get indextargets 'Created-By: Packages' --format '$(ORIGIN) $(SOURCESENTRY)' |
        awk -v id="$ID" 'tolower($1) == id { sub(/:[0-9]*$/, "", $2); print $2 }' | sort -u
}

# How apt gets through from here (proxies, a mirror's dates), as lines of apt.conf.
apt_options() {
    apt-config dump | grep -E '^Acquire::(http|https|Check-[A-Za-z-]*|Retries|Languages)[ :]' || true
}

over_https() { # then a machine of this network has certificates from the beginning, or apt could get nothing
    # shellcheck disable=SC2046  # one word for each file
    grep -hEv '^ *#' $(apt_sources) | grep -q 'https://'
}

make_bare() { # DIRECTORY
    . /etc/os-release
    include=
    ! over_https || include=--include=ca-certificates
    # shellcheck disable=SC2046,SC2086
    mmdebstrap $include --quiet --mode=root --variant=minbase --aptopt="$place/apt.conf" --dpkgopt=force-unsafe-io \
        "$VERSION_CODENAME" "$1" $(apt_sources)
    for program in python3 pip gcc cc mmdebstrap newuidmap; do
        [ ! -e "$1/usr/bin/$program" ] || die "a bare tree has $program; it proves nothing"
    done
}

# Paths that the values of pip's and the certificates' settings name: local indexes, wheels, a bundle.
named_paths() {
    {
        cat /etc/pip.conf /etc/xdg/pip/pip.conf "$HOME/.config/pip/pip.conf" 2>/dev/null || true
        env | grep -E '^(PIP_|SSL_CERT_FILE=|REQUESTS_CA_BUNDLE=)' || true
    } | tr -s ' =' '\n\n' | sed -n -e 's,^file:///,/,' -e 's,/simple/*$,,' -e '/^\//p' | sort -u
}

configure() { # DIRECTORY: what an administrator of this network would have configured there
    for file in /etc/hosts /etc/resolv.conf /etc/pip.conf /etc/xdg/pip "$HOME/.config/pip" /etc/apt/auth.conf.d; do
        [ -e "$file" ] || continue
        mkdir -p "$1$(dirname "$file")"
        rm -rf "${1:?}$file"
        cp -rL "$file" "$1$file"
    done
    if [ -d /usr/local/share/ca-certificates ]; then # Debian's ca-certificates adds them when it is installed
        mkdir -p "$1/usr/local/share/ca-certificates"
        cp -rL /usr/local/share/ca-certificates/. "$1/usr/local/share/ca-certificates"
        ! over_https || chroot "$1" update-ca-certificates >/dev/null
    fi
    mkdir -p "$1/srv/checkout" "$1/srv/shared"
    tar -C "$source_dir" --exclude=./.git --exclude=./.venv --exclude=./build --exclude='.*_cache' --exclude=__pycache__ \
        --exclude='*.egg-info' --exclude=./rootless/_helpers -cf - . | tar -C "$1/srv/checkout" --no-same-owner -xf -
}

# --- in it ---------------------------------------------------------------------------------------

# Runs in namespaces of its own: turns DIRECTORY into the root directory and executes the rest. Not chroot(2): there
# the kernel lets nobody make a user namespace.
enter() { # DIRECTORY COMMAND...
    tree=$1
    shift
    mount --bind "$tree" "$tree"
    mount -t proc proc "$tree/proc"
    mount --rbind /sys "$tree/sys"
    mount -t tmpfs -o mode=755,nosuid tmpfs "$tree/dev"
    for device in "null 1 3" "zero 1 5" "full 1 7" "random 1 8" "urandom 1 9" "tty 5 0"; do
        mknod -m 666 "$tree/dev/${device%% *}" c ${device#* }
    done
    mkdir "$tree/dev/pts" "$tree/dev/shm"
    ln -s pts/ptmx "$tree/dev/ptmx"
    ln -s /proc/self/fd "$tree/dev/fd"
    for number in "0 stdin" "1 stdout" "2 stderr"; do ln -s "/proc/self/fd/${number% *}" "$tree/dev/${number#* }"; done
    mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts "$tree/dev/pts"
    mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$tree/dev/shm"
    mount --bind "$place/shared" "$tree/srv/shared"
    for path in $(named_paths); do
        [ -e "$path" ] && [ ! -e "$tree$path" ] || continue
        case $path in /etc/ssl/*) continue ;; esac # made there, by its own package
        if [ -d "$path" ]; then mkdir -p "$tree$path"; else mkdir -p "$tree$(dirname "$path")" && : >"$tree$path"; fi
        mount --rbind -o ro "$path" "$tree$path"
    done
    cd "$tree"
    mkdir -p old
    pivot_root . old
    umount -l /old
    rmdir /old
    kept=$(env | grep -E '^(PIP_[A-Z_]*|[a-z]*_proxy|[A-Z]*_PROXY|SSL_CERT_[A-Z]*|REQUESTS_CA_BUNDLE)=' || true)
    IFS='
'
    # shellcheck disable=SC2086  # one word for each line
    exec env -i $kept PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
        TERM=dumb CI=true ROOTLESS_MUST_WORK=1 "$@"
}

inside() { # WHAT DIRECTORY COMMAND...: in the tree; what fails there ends this script
    told=$1
    shift
    step=$(date +%s)
    setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --propagation private -- \
        "$source_dir/packaging/fresh-machine.sh" --enter "$@" </dev/null
    say "$told: $(($(date +%s) - step)) s"
}

wheel_script='
set -eu
! command -v gcc cc musl-gcc clang || { echo "there is a compiler" >&2; exit 1; }
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -qq -y --no-install-recommends "$@" >/dev/null
! command -v gcc cc musl-gcc clang || { echo "a package that is needed brings a compiler" >&2; exit 1; }
mkdir -p /dev/net
[ -e /dev/fuse ] || mknod -m 666 /dev/fuse c 10 229      # as udev would
[ -e /dev/net/tun ] || mknod -m 666 /dev/net/tun c 10 200
useradd -m -s /bin/bash ada
exec setpriv --reuid ada --regid ada --init-groups env HOME=/home/ada USER=ada LOGNAME=ada sh -euc "
    cd
    python3 -m venv venv
    PATH=\$HOME/venv/bin:\$PATH
    pip install -q --disable-pip-version-check --only-binary=:all: /srv/shared/rootless-*.whl
    rootless version
    rootless doctor
    rootless load -q -i /srv/shared/image.tar
    [ \"\$(rootless run --rm debian:bookworm sh -c \"id -u; uname -n | wc -c\" | tr \"\\n\" \" \")\" = \"0 13 \" ]
    rootless system reset --force
"
'

# --- the trial -----------------------------------------------------------------------------------

if [ "${1:-}" = --enter ]; then
    shift
    enter "$@"
fi
[ "$(id -u)" = 0 ] || die "needs root, to make a machine and to be its root"
command -v apt-get >/dev/null || die "needs Debian or Ubuntu"
command -v mmdebstrap >/dev/null || die "mmdebstrap is not installed: apt-get install mmdebstrap"

mkdir -p "$place"
exec 9>"$place.lock"
flock -n 9 || { say "waiting for another one" && flock 9; }
remove() { find "$place" -mindepth 1 -delete; }
remove
trap 'remove >/dev/null 2>&1 </dev/null &' EXIT # it has the lock as long as it takes, and nobody waits for it
trap 'exit 143' INT TERM HUP
mkdir -m 755 "$place/shared"
[ -n "$(apt_sources)" ] || apt-get update -qq
[ -n "$(apt_sources)" ] || die "apt knows no sources of this release"
apt_options >"$place/apt.conf"

began=$(date +%s)
make_bare "$place/bare"
configure "$place/bare"
cp -a --reflink=auto "$place/bare" "$place/no-compiler"
say "a bare tree: $(($(date +%s) - began)) s"

[ $# -gt 0 ] || set -- $short_selection
inside ./demo "$place/bare" /srv/checkout/demo
inside "./test $*" "$place/bare" /srv/checkout/test "$@"
inside "a wheel made there" "$place/bare" sh -euc '
    cd /home/rootless-user/rootless
    exec setpriv --reuid rootless-user --regid rootless-user --init-groups env HOME=/home/rootless-user sh -euc "
        .venv/bin/python packaging/wheels.py /tmp/wheel
        .venv/bin/rootless save -o /tmp/wheel/image.tar debian:bookworm"
'
mv "$place"/bare/tmp/wheel/* "$place/shared"
chmod a+r "$place"/shared/*
# shellcheck disable=SC2086
inside "the wheel without a compiler" "$place/no-compiler" sh -c "$wheel_script" sh $host_packages
say "both commands work on a bare machine, and the wheel on one without a compiler: $(($(date +%s) - began)) s"
