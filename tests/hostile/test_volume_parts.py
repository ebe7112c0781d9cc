"""A part of a volume is mounted while another container turns it into a link: CVE-2017-1002101, CVE-2021-25741."""

from __future__ import annotations

from pathlib import Path

from tests.harness.command import Rootless

ROUNDS = 12


def test_a_part_is_never_outside_of_its_volume(rootless: Rootless, busybox_image: str, payload: Path) -> None:
    made = "mkdir /v/a; touch /v/a/own; ln -s ../../../../../../../../../../ /v/b; ln -s /proc/self/root /v/magic"
    rootless("run", "--rm", "--network", "none", "-v", "vol:/v", busybox_image, "sh", "-c", made)
    rootless("run", "-d", "--name", "swapper", "--network", "none", "-v", "vol:/v", "-v",
             f"{payload}:/payload:ro", busybox_image, "/payload", "swap", "/v/a", "/v/b")  # fmt: skip
    for _ in range(ROUNDS):
        for part in ("a", "b"):
            word = f"type=volume,src=vol,dst=/x,volume-subpath={part}"
            done = rootless(
                "run", "--rm", "--network", "none", "--mount", word, busybox_image, "ls", "/x", status=None
            )
            # The directory, or where the link leads with the volume as "/": the volume's top.
            assert done.status in (0, 125)
            assert done.stdout in ("", "own\n", "a\nb\nmagic\n")
    rootless("rm", "-f", "swapper")
    word = "type=volume,src=vol,dst=/x,volume-subpath=magic/etc"
    assert "cannot access path" in rootless("run", "--rm", "--mount", word, busybox_image, status=125).stderr
    rootless("volume", "rm", "vol")
