"""What rootless.pyz runs: unpacks what it carries once into the user's home, and executes it from there.

Containers' monitors, units and crontabs name these programs by path, so they lie among the user's data and not in a cache,
which may be emptied at any time. A directory for each file that they came in, Python and machine; only we write below
it. It is written aside, synced and renamed, so what has its name is whole. Nothing here but what a start needs.
"""

import os
import sys

DIGEST = "@DIGEST@"  # SHA-256 of the member "payload"; build.py writes it
PAYLOAD = "payload"
OLDEST = (3, 11)


def main():
    if sys.version_info < OLDEST:
        sys.exit(f"rootless: this is Python {sys.version_info[0]}.{sys.version_info[1]}; 3.11 or later is needed")
    place = f"{directory()}/{DIGEST[:16]}-{sys.implementation.cache_tag}-{os.uname().machine}"
    if not whole(place):
        from unpack import unpack

        unpack(sys.path[0], PAYLOAD, DIGEST, place)
    # A link of that name to this file is the OCI runtime.
    command = "rootless-oci" if os.path.basename(sys.argv[0]).startswith("rootless-oci") else "rootless"
    os.execv(sys.executable, [sys.executable, "-EPS", place + "/bin/rootless-python", command, *sys.argv[1:]])


def directory():
    """Where they are unpacked: as paths.data_root() has it, beside ROOT."""
    base = os.environ.get("XDG_DATA_HOME", "")
    if not base.startswith("/"):
        base = os.path.expanduser("~/.local/share")
    return base + "/rootless-programs"


def whole(place):
    """Whether it is there, it and its directory ours alone to write to: what lies in it is executed."""
    for path in (os.path.dirname(place), place):
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            return False
        if status.st_uid != os.getuid() or status.st_mode & 0o170022 != 0o040000:
            sys.exit(f"rootless: {path} is not a directory that only you can write to\nhint: remove it; it is made anew")
    return True


main()
