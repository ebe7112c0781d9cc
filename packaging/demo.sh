#!/bin/sh
# The demonstration: a Debian made here, and a container that shows what it sees of this machine.
# `rootless` is on the PATH; packaging/setup.sh sees to that.
set -eu

step() { printf '\n$ %s\n' "$*"; }
show() {
    step "$@"
    "$@"
}

name=demo-$$
trap 'rootless rm --force $name >/dev/null 2>&1 || true' EXIT INT TERM

echo "The host: user $(id -un) (uid $(id -u)), host name $(uname -n), $(ls -d /proc/[0-9]* | wc -l) processes"
show rootless doctor
if ! rootless image inspect debian:bookworm >/dev/null 2>&1; then
    show rootless bootstrap debian:bookworm
fi
mark=/tmp/rootless-demo-$$

step rootless run --rm --hostname demo debian:bookworm sh -c ...
rootless run --rm --name "$name" --hostname demo debian:bookworm sh -c '
    . /etc/os-release
    printf "\n-- a %s of its own\n" "$PRETTY_NAME"
    printf "\n-- its own processes: this is all there is in /proc\n"
    for p in /proc/[0-9]*; do
        [ -r "$p/cmdline" ] || continue
        printf "%6s  %s\n" "${p#/proc/}" "$(tr "\\0\\n" "  " <"$p/cmdline" | cut -c1-60)"
    done
    printf "\n-- its own host name: "; uname -n
    printf "\n-- its own users: "; id
    echo "   container uid   outside   how many"; sed "s/^/   /" /proc/self/uid_map
    printf "\n-- its own network\n"
    sed -n "s/^ *\([a-z0-9]*\):.*/   interface \1/p" /proc/net/dev
    sed "s/^/   resolv.conf: /" /etc/resolv.conf
    printf "\n-- root here, but not there: "
    mount -t tmpfs none /mnt 2>&1 || true
    echo "   the container writes to /etc, and to '"$mark"'"
    echo changed >/etc/rootless-demo && touch '"$mark"'
'

printf '\n-- the host is untouched\n'
for path in /etc/rootless-demo "$mark"; do
    if [ -e "$path" ]; then
        echo "   $path exists: the container got out" >&2
        exit 1
    fi
    echo "   no $path"
done
echo "   containers left: $(rootless ps -aq | wc -l)"
printf '\nNext: rootless run -it --rm debian:bookworm bash\n      (the command is %s)\n' "$(command -v rootless)"
