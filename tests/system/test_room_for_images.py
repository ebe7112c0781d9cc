"""Before the first byte of a layer comes: whether there is room for it, with the numbers."""

from __future__ import annotations

import os
import random
import subprocess
import tempfile
from pathlib import Path

from tests.harness.command import Rootless
from tests.harness.trees import remove_tree
from tests.harness.writable_registry import WritableRegistry
from tests.image.publishing import publish
from tests.image.strange_registry import tar_of
from tests.need import need

# As root of a user namespace with a mount namespace of its own: stores on file systems of these sizes.
SCRIPT = """\
set -u
export XDG_RUNTIME_DIR="$2" PATH="$4:$PATH"
in_one_of() {
    mkdir -p "$1/$2"
    mount -t tmpfs -o "size=$3,nr_inodes=$4,mode=700" small "$1/$2"
    export ROOTLESS_ROOT="$1/$2"
    if rootless pull "$5" >said 2>&1; then echo "pulled: $(grep 'may not fit' said)"; else echo "refused: $(grep ^rootless said)"; fi
    find "$ROOTLESS_ROOT" -type f ! -name '*.lock' ! -name '*.json' | sed 's,/[0-9a-f]*$,,' | sort -u | tr '\\n' ' '; echo
}
cd "$2"
in_one_of "$1" few 20m 2 "$3"
in_one_of "$1" small 2m 1000 "$3"
in_one_of "$1" tight 8m 1000 "$3"
"""


def test_an_image_that_cannot_fit(rootless: Rootless) -> None:
    words = ["unshare", "-Urmpf", "--mount-proc", "--kill-child", "--"]
    need(subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0, "unshare -Urmpf does not work here")
    root, runtime = (Path(tempfile.mkdtemp(prefix="rl-small-", dir=place)) for place in ("/var/tmp", "/tmp"))
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    try:
        with WritableRegistry() as server:
            publish(server, "app", machine, layer=tar_of({"noise": random.Random("app").randbytes(3_000_000)}))
            name = f"{server.address}/app"
            argv = [*words, "sh", "-c", SCRIPT, "sh", str(root), str(runtime), name, str(Path(rootless.argv[0]).parent)]
            done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, timeout=110, check=False).stdout.splitlines()
    finally:
        remove_tree(root)
        remove_tree(runtime)
    assert len(done) == 6, done
    few, nothing, small, neither, tight, there = done
    assert few.startswith("refused: ")
    assert f"inodes are free on {root}/few (tmpfs)" in few
    assert nothing == neither == ""
    assert f"there is no room for {name}:latest: its layers are 3MB compressed, and 2.1MB are free on {root}/small (tmpfs)" in small
    assert tight.startswith("pulled: ")
    assert f"unpacked it is about 7.5MB, and 8.39MB are free on {root}/tight (tmpfs)" in tight
    assert "/blobs/sha256" in there
