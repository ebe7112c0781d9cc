#!/bin/sh
# The Debian package:
#
#   packaging/debian/build.sh DIRECTORY [SUITE]
#
# Made out of the source distribution in a tree of SUITE (trixie) of mmdebstrap's, by an ordinary user (its unshare mode) or root;
# lintian reads it there. DIRECTORY gets the .deb; tests/vm/test_package.py installs it on a machine. Needs mmdebstrap, and newuidmap
# for an ordinary user.
#
# The tree, as it is before our source is in it, is kept for a week, for the next build: ~/.cache/rootless-deb, 600 MB.
set -eu
packaging=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "${1:?where to}"
target=$(cd "$1" && pwd)
suite=${2:-trixie}
scratch=$(mktemp -d /var/tmp/rootless-deb-XXXXXX)
new_tree=
trap 'rm -rf "$scratch" $new_tree' EXIT
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
trees=${XDG_CACHE_HOME:-$HOME/.cache}/rootless-deb
tree=$trees/$suite-$(printf %s "$needs" | sha256sum | cut -c 1-16).tar
if [ -z "$(find "$tree" -mtime -7 2>/dev/null)" ]; then
    mkdir -p "$trees"
    rm -f "$trees/$suite"-*.tar
    new_tree=$tree.$$
    mmdebstrap --quiet --variant=buildd --dpkgopt=force-unsafe-io --include="$needs,lintian,fakeroot" --skip=output/dev \
        --format=tar "$suite" - >"$new_tree"
    mv "$new_tree" "$tree"
    echo "==> a tree to build in: $tree"
fi

mmdebstrap --quiet --variant=custom --skip=update,cleanup --setup-hook="tar-in $tree /" --setup-hook='mkdir "$1/dev"' \
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
cp "$scratch"/rootless_*.deb "$target"
echo "==> built, and lintian has nothing to say: $(ls "$target"/rootless_*.deb)"
