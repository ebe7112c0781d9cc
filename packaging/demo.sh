#!/bin/sh
# The demonstration: a Debian made here, and a container that shows what it sees of this machine.
# `rootless` is on the PATH; packaging/setup.sh sees to that.
set -eu

say() { printf '\n-- %s\n' "$*"; }
show() {
    printf '\n$ %s\n' "$*"
    "$@"
}

image=debian:bookworm
name=demo-$$
mark=/tmp/rootless-demo-$$
trap 'rootless rm --force $name >/dev/null 2>&1 || true' EXIT INT TERM

processes() { ls -d /proc/[0-9]* | wc -l; }
before="host name $(uname -n), root directory $(stat -c %i /), $(wc -l </proc/self/mountinfo) mounts"
echo "The host: user $(id -un), uid $(id -u), $(processes) processes, $before"

show rootless doctor
rootless image inspect $image >/dev/null 2>&1 || show rootless bootstrap $image

printf '\n$ rootless run -d --name %s --hostname demo %s sh -c "..."\n' "$name" "$image"
rootless run -d --name "$name" --hostname demo $image sh -c 'sleep 1000; :' >/dev/null
printf '$ rootless exec %s sh -c "..."\n' "$name"
rootless exec -e "MARK=$mark" "$name" sh -c '
    say() { printf "\n-- inside: %s\n" "$*"; }
    . /etc/os-release
    say "$PRETTY_NAME, host name $(uname -n)"
    say "the processes, all of them"
    for p in /proc/[0-9]*; do
        [ -r "$p/cmdline" ] && printf "%8s  %s\n" "${p#/proc/}" "$(tr "\\0\\n" "  " <"$p/cmdline" | cut -c1-50)"
    done
    say "the user: $(id)"
    say "the network"
    sed -n "s/^ *\([a-z0-9]*\):.*/        interface \1/p" /proc/net/dev
    sed "s/^/        /" /etc/resolv.conf
    say "root, but not over the machine"
    mount -t tmpfs none /mnt 2>&1 | sed "s/^/        /"
    echo 1 2>&1 >/proc/sys/kernel/panic | sed "s/^/        /"
    echo changed >/etc/rootless-demo && touch "$MARK" && echo "        wrote /etc/rootless-demo and $MARK"
' || [ $? = 1 ]

say "outside: the same process, seen from the host"
pid=$(rootless inspect --format '{{.State.Pid}}' "$name")
echo "   pid 1 of the container is pid $pid here, and its root is uid $(stat -c %u "/proc/$pid"): $(id -un)"
echo "   uid 1 of the container would be uid $(awk -F: -v n="$(id -un)" '$1 == n { print $2; exit }' /etc/subuid)"
show rootless ps
rootless rm --force "$name" >/dev/null

say "outside: the host is untouched"
for path in /etc/rootless-demo "$mark"; do
    if [ -e "$path" ]; then
        echo "   $path exists: the container got out" >&2
        exit 1
    fi
    echo "   no $path"
done
after="host name $(uname -n), root directory $(stat -c %i /), $(wc -l </proc/self/mountinfo) mounts"
[ "$before" = "$after" ] || { echo "   it was: $before" >&2; echo "   it is: $after" >&2; exit 1; }
echo "   $after, as before; containers left: $(rootless ps -aq | wc -l)"
printf '\nNow try: %s run -it --rm %s bash\n' "$(command -v rootless)" "$image"
