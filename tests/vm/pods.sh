# A hook of mmdebstrap's for machines with pods: the next Debian's containerd in /opt/next, besides that of the suite, whose libraries it
# takes. By the host's apt, with a state of its own. $1 is the new machine's root.
set -eu
chroot "$1" systemctl -q disable containerd
mkdir -p "$1/next/state/lists/partial" "$1/next/cache/archives/partial"
cd "$1/next"
: >status
echo 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian forky main' >list
set -- -q -o "Dir::State=$PWD/state" -o "Dir::Cache=$PWD/cache" -o "Dir::State::status=$PWD/status" \
    -o "Dir::Etc::SourceList=$PWD/list" -o Dir::Etc::SourceParts=- -o APT::Architecture=amd64 -o APT::Sandbox::User=
apt-get "$@" update
apt-get "$@" download containerd
mkdir ../opt/next
dpkg-deb -x containerd_*.deb ../opt/next
rm -r ../next
