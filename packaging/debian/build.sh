#!/bin/sh
# The Debian package, built and tried:
#
#   packaging/debian/build.sh DIRECTORY [SUITE]
#
# Made out of the source distribution in a tree of SUITE (trixie) of mmdebstrap's, by an ordinary user (its unshare mode) or root;
# lintian reads it there. Then a bare tree of the same suite installs it, with what it depends on and nothing else, and a user of
# that machine runs the command. DIRECTORY gets the .deb. Needs mmdebstrap, and newuidmap for an ordinary user.
set -eu
packaging=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "${1:?where to}"
target=$(cd "$1" && pwd)
suite=${2:-trixie}
scratch=$(mktemp -d /var/tmp/rootless-deb-XXXXXX)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 143' INT TERM HUP
chmod 755 "$scratch" # mmdebstrap's root is another id here

"${PYTHON:-python3}" "$packaging/wheels.py" "$scratch/dist" --sdist
mkdir "$scratch/rootless"
tar -C "$scratch/rootless" --strip-components=1 -xf "$scratch"/dist/rootless-*.tar.gz
cp -r "$scratch/rootless/packaging/debian" "$scratch/rootless/debian"
rm "$scratch/rootless/debian/build.sh"
tar -C "$scratch" -cf "$scratch/source.tar" rootless

needs=$(sed -n '/^Build-Depends:/,/^Standards/ { s/^Build-Depends://; /^Standards/d; s/([^)]*)//g; s/debhelper-compat/debhelper/; p }' \
    "$packaging/debian/control" | tr -d ' \n' | sed 's/dh-sequence-python3/dh-python/')
mmdebstrap --quiet --variant=buildd --dpkgopt=force-unsafe-io --include="$needs,lintian,fakeroot" --skip=cleanup/tmp \
    --customize-hook="tar-in $scratch/source.tar /srv" \
    --customize-hook='chroot "$1" sh -euc "
        cd /srv/rootless
        export SOURCE_DATE_EPOCH=\$(dpkg-parsechangelog -S Timestamp) DEB_BUILD_OPTIONS=nocheck
        dpkg-buildpackage -us -uc >/srv/build.log 2>&1 || { tail -n 60 /srv/build.log; exit 1; }
        cd /srv
        LC_ALL=C.UTF-8 lintian --allow-root --fail-on error,warning --info --tag-display-limit 0 rootless_*.changes
        mkdir out
        mv rootless_*.deb out"' \
    --customize-hook="sync-out /srv/out $scratch" "$suite" /dev/null
echo "==> built, and lintian has nothing to say"

tar -C "$scratch" -cf "$scratch/package.tar" "$(cd "$scratch" && ls rootless_*.deb)"
mmdebstrap --quiet --variant=minbase --dpkgopt=force-unsafe-io \
    --customize-hook="tar-in $scratch/package.tar /srv" \
    --customize-hook='chroot "$1" sh -euc "
        export DEBIAN_FRONTEND=noninteractive
        apt-get -qq -y --no-install-recommends install /srv/rootless_*.deb >/srv/install.log 2>&1 || { tail -n 40 /srv/install.log; exit 1; }
        useradd -m ada
        as_ada() { setpriv --reuid ada --regid ada --init-groups env HOME=/home/ada sh -euc \"\$1\"; }
        as_ada \"rootless version; rootless images; rootless-oci --version\"
        test -s /etc/apparmor.d/rootless
        test -e /usr/lib/systemd/user/rootless.socket
        test ! -e /etc/systemd/user/sockets.target.wants/rootless.socket
        test -e /usr/share/bash-completion/completions/rootless
        test -e /usr/share/zsh/vendor-completions/_rootless
        test -s /usr/share/man/man1/rootless-run.1.gz
        apt-get -qq -y purge rootless >/dev/null
        test ! -e /usr/bin/rootless
        test ! -e /usr/lib/python3/dist-packages/rootless"' \
    "$suite" /dev/null
cp "$scratch"/rootless_*.deb "$target"
echo "==> installed in a bare $suite and removed: $(ls "$target"/rootless_*.deb)"
