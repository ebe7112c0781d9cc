"""`commit` of a container that expects it: its files change while they are read, are larger than the disk, or have names that mean
something to whoever unpacks a layer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.harness.processes import wait_until

pytestmark = pytest.mark.own_store

SWAPPING = (
    "mkdir /s; cd /s; touch /ready; while :; do "
    "mkdir a; echo x > a/f; mkfifo b; echo y > c; rm -rf a b c; "
    "ln -s {0} a; ln -s {0} b; mkdir c; ln -s {0}/precious c/f; rm -rf a b c; "
    "echo z > a; mkdir -p b/b/b; mkfifo c; rm -rf a b c; done"
)


def layers(rootless: Rootless) -> list[str]:
    return sorted(path.name for path in (rootless.root / "layers").iterdir() if not path.name.startswith(".lock"))


def test_a_container_that_changes_what_is_read(rootless: Rootless, busybox_image: str, trap: Path) -> None:
    """Directories become links out of it, files FIFOs, between each look and the opening."""
    (trap / "precious").write_text("precious")
    rootless("run", "-d", "--name", "cc", "--network", "none", busybox_image, "sh", "-c", SWAPPING.format(trap))
    wait_until(lambda: rootless("exec", "cc", "test", "-e", "/ready", status=None).status == 0, "the loop")
    made = 0
    for _ in range(12):
        done = rootless("commit", "-q", "--no-pause", "cc", "made", status=None)
        made += done.status == 0
        if done.status == 0:
            shown = rootless("run", "--rm", "--network", "none", "made", "find", "/s", "-type", "f", "-exec", "cat", "{}", "+").stdout
            assert "precious" not in shown
    assert made
    assert rootless("inspect", "-f", "{{.State.Status}}", "cc").stdout == "running\n"
    rootless("commit", "-q", "cc", "made")
    rootless("rm", "-f", "cc")


def test_a_file_larger_than_the_disk(rootless: Rootless, busybox_image: str) -> None:
    rootless("run", "--name", "cc", "--network", "none", busybox_image, "truncate", "-s", "8000G", "/big")
    before = layers(rootless)
    failed = rootless("commit", "cc", "made", status=1)
    assert "there is room for" in failed.stderr
    assert layers(rootless) == before
    assert rootless("images", "-q", "made").stdout == ""
    rootless("rm", "cc")


def test_names(rootless: Rootless, busybox_image: str) -> None:
    """What is a deletion in a layer deletes what the container could have deleted itself, and nothing else."""
    script = (
        'cd /; touch .wh.home etc/.wh.group "$(printf "a\\nb")" "$(printf "\\377")" -- -x; mkdir d; cd d; '
        "i=0; while [ $i -lt 1200 ]; do mkdir d && cd d; i=$((i+1)); done; echo deep > f"
    )
    rootless("run", "--name", "cc", "--network", "none", busybox_image, "sh", "-c", script)
    rootless("commit", "-q", "cc", "made")
    look = 'cd /; ls -d home etc/group etc/passwd 2>/dev/null; cat "a\n"b - </dev/null; i=0; while cd d 2>/dev/null; do :; done; cat f'
    shown = rootless("run", "--rm", "--network", "none", "made", "sh", "-c", look).stdout
    assert shown.splitlines() == ["etc/passwd", "deep"]
    for name in (".wh.", ".wh...", ".wh..wh..opq", ".wh..wh.plnk"):
        rootless("rm", "cc")
        rootless("run", "--name", "cc", "--network", "none", busybox_image, "sh", "-c", f"mkdir /d; touch /d/{name}")
        done = rootless("commit", "-q", "cc", "odd", status=None)
        assert done.status == 0 or "damaged whiteout" in done.stderr
    rootless("rm", "cc")
