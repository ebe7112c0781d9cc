"""Values that instructions take from arguments, and words that are not plain, as a whole build has them."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.build.conftest import Build
from tests.harness.command import Rootless


def test_arguments_in_instructions(build: Build, rootless: Rootless) -> None:
    """ARGs of a stage are those of the stages that start from it, too, and of no other."""
    built = build(
        "FROM busybox AS parent\nARG S=SIGUSR1 GIVEN NONE EMPTY=\nARG TARGETARCH TARGETOS TARGETPLATFORM\n"
        "FROM parent\nRUN echo +$TARGETOS+$TARGETARCH+$TARGETPLATFORM+$GIVEN+$BUILDARCH+\nSTOPSIGNAL $S\n"
        "LABEL unset=${u-w},${u:-w},${u+w},${u:+w} empty=${EMPTY-w},${EMPTY:-w},${EMPTY+w},${EMPTY:+w} "
        "set=${S-w},${S:-w},${S+w},${S:+w} declared=${NONE-w},${NONE+w}\n",
        "--platform", "linux/amd64", "--build-arg", "GIVEN=g", "-t", "values",
    )  # fmt: skip
    assert "+linux+amd64+linux/amd64+g++\n" in built.stderr
    config = json.loads(rootless("image", "inspect", "values").stdout)[0]["Config"]
    assert config["StopSignal"] == "SIGUSR1"
    assert {name: config["Labels"][name] for name in ("unset", "empty", "set", "declared")} == {
        "unset": "w,w,,", "empty": ",w,w,", "set": "SIGUSR1,SIGUSR1,w,w", "declared": "w,",
    }  # fmt: skip
    other = build("FROM busybox AS parent\nARG A=1\nFROM busybox\nCOPY --from=parent /etc/passwd /\nRUN echo +$A+\n")
    assert "++\n" in other.stderr


def test_blanks_in_paths(build: Build, rootless: Rootless, context: Path) -> None:
    (context / "a b").write_text("copied")
    build(
        'FROM busybox\nVOLUME ["/with space"]\nCOPY ["a b", "/with space/c d"]\nWORKDIR /with space\n'
        'RUN mv "c d" "e f"\n',
        "-t", "blanks",
    )  # fmt: skip
    volumes = json.loads(rootless("image", "inspect", "blanks").stdout)[0]["Config"]["Volumes"]
    assert set(volumes) == {"/with space"}
    assert rootless("run", "--rm", "blanks", "cat", "e f").stdout == "copied"
    for words in (("-v", "/with space"), ("-v", f"{context}/a b:/with space"), ("--mount", "type=tmpfs,dst=/with space")):
        shown = rootless("run", "--rm", *words, "busybox", "grep", "space", "/proc/self/mountinfo").stdout
        assert re.search(r" /with\\040space rw", shown), shown


def test_owners_by_name(build: Build, context: Path) -> None:
    """What BuildKit makes of each: a name alone brings its own group of passwd, what is missing beside a colon is root."""
    (context / "f").touch()
    words = ("5", "5:", ":5", ":staff", "carl", "carl:", "carl:staff", "root")
    copies = "".join(f"COPY --chown={word} f /{number}\n" for number, word in enumerate(words))
    built = build(f"FROM busybox\nRUN echo carl:x:40:41::/: >> /etc/passwd\n{copies}RUN stat -c %n=%u:%g= /[0-9]\n")
    found = dict(re.findall(r"/(\d)=(\d+:\d+)=", built.stderr))
    assert [found[str(number)] for number in range(len(words))] == [
        "5:5", "5:0", "0:5", "0:50", "40:41", "40:0", "40:50", "0:0",
    ]  # fmt: skip
