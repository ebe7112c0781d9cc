"""Builds without the kernel's overlay: a step's layer has what the step has changed, whichever driver its root is of."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path

import pytest

from rootless.build.execute import copied_root
from tests.build.test_build import steps
from tests.harness.command import Rootless
from tests.need import need, need_program

# Each is built by all drivers.
DOCKERFILES = {
    "files":
    "FROM busybox\nRUN echo a > /a && mkdir -p /d/e && echo b > /d/e/f && ln /a /d/hard && ln -s /a /d/soft\n"
    "RUN echo more >> /d/e/f\n",
    "removed": "FROM busybox\nRUN mkdir -p /d/e /d/k && touch /d/e/f /d/k/l /x\nRUN rm -r /x /d/e && rm /bin/vi 2>/dev/null; true\n",
    "replaced": (
        "FROM busybox\nRUN mkdir -p /d/e /g && touch /d/e/f /d/old /file /g/h\n"
        "RUN rm -r /d && mkdir /d && touch /d/new && rm /file && mkdir /file && touch /file/in && rm -r /g && touch /g\n"
    ),
    "moved":
    "FROM busybox\nRUN mkdir -p /from/a/b && echo x > /from/a/b/c && echo y > /f\n"
    "RUN mv /from/a /to && mv /f /from/f && mv /from/f /f2\n",
    "metadata": (
        "FROM busybox\nRUN mkdir -p /d/e && touch /d/e/f /t && chmod 700 /d\n"
        "RUN chmod 1777 /d/e && chown 5:6 /d/e/f && touch -d 2001-01-01 /t && chmod 750 / && chmod u+s /bin/busybox\n"
    ),
    "times hidden": "FROM busybox\nRUN printf aa > /f && touch -d @1000000000 /f\nRUN printf bb > /f && touch -d @1000000000 /f\n",
    "nothing": "FROM busybox\nRUN true\nRUN cat /etc/hosts /etc/resolv.conf; mkdir /gone && rmdir /gone\nWORKDIR /w\nRUN pwd\n",
    "engine's":
    "FROM scratch\nCOPY --from=busybox /bin /bin\nENV PATH=/bin\n"
    "RUN --mount=type=secret,id=s,target=/run/secrets/s ls /run /etc > /told\n",
    "copies": (
        "FROM busybox AS one\nWORKDIR /w/x\nCOPY --chown=3:4 f ./\nCOPY --link --chmod=600 f /linked/f\n"
        "FROM one\nADD t.tar /t/\nCOPY --from=one /w /w2\nRUN --mount=type=cache,target=/c echo x >> /c/x; cp /c/x /from-cache\n"
    ),
    "mounts": (
        "FROM busybox AS one\nRUN echo one > /one\nFROM busybox\n"
        "RUN --mount=from=one,target=/m,rw --mount=target=/context --mount=type=tmpfs,target=/tmp "
        "rm /m/bin/sh && touch /m/new /tmp/x && cp /m/one /two && ls /context > /listed\n"
        "RUN --mount=from=one,target=/m ls /m/bin/sh && ! test -e /m/new && ! touch /m/x\n"
    ),
}


DRIVERS = ("directory", "fuse-overlayfs")
Entry = tuple[object, ...]


def layers(command: Rootless, tmp_path: Path, env: dict[str, str] | None) -> list[dict[str, Entry]]:
    """What is in each layer of the image `built` besides times: {name: the rest}."""
    saved = tmp_path / "saved.tar"
    command("save", "-o", saved, "built", env=env)
    found = []
    with tarfile.open(saved) as archive:
        (described,) = json.load(archive.extractfile("manifest.json"))  # type: ignore[arg-type]
        for layer in described["Layers"]:
            entries: dict[str, Entry] = {}
            with tarfile.open(fileobj=archive.extractfile(layer)) as tar:
                for info in tar:
                    data = tar.extractfile(info).read() if info.isreg() else b""  # type: ignore[union-attr]
                    entries[info.name] = (info.type, info.mode, info.uid, info.gid, info.linkname, data)
            found.append(entries)
    return found


def merged(found: list[dict[str, Entry]]) -> dict[str, Entry]:
    """What they show together."""
    shown: dict[str, Entry] = {}
    for layer in found:
        for name in layer:
            directory, _, last = name.rpartition("/")
            if last == ".wh..wh..opq":
                shown = {path: entry for path, entry in shown.items() if not path.startswith(directory + "/")}
            elif last.startswith(".wh."):
                gone = f"{directory}/{last[4:]}".lstrip("/")
                shown = {path: entry for path, entry in shown.items() if f"{path}/".startswith(f"{gone}/") is False}
        for name, entry in layer.items():
            if "/.wh." not in f"/{name}":
                if entry[0] != tarfile.DIRTYPE:
                    shown = {path: entry for path, entry in shown.items() if not path.startswith(name + "/")}
                shown[name] = entry
    return shown


@pytest.mark.own_store
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("text", DOCKERFILES.values(), ids=DOCKERFILES)
def test_the_same_layers_as_the_kernel_s_overlay_gives(
    rootless: Rootless, busybox_image: str, other_machine: Rootless, context: Path, tmp_path: Path, text: str, driver: str
) -> None:
    if driver == "fuse-overlayfs":
        need_program("fuse-overlayfs")
        need(os.access("/dev/fuse", os.R_OK | os.W_OK), "/dev/fuse cannot be used")
    env = {"ROOTLESS_STORAGE_DRIVER": driver}
    (context / "Dockerfile").write_text(text)
    (context / "f").write_text("f\n")
    (context / "s").write_text("secret\n")
    with tarfile.open(context / "t.tar", "w") as tar:
        tar.add(context / "f", "in/f")
    words = ("build", "--progress=plain", "--secret", f"id=s,src={context}/s", "-t", "built", context)
    rootless(*words)
    built = other_machine(*words, env=env)
    made, wanted = layers(other_machine, tmp_path, env), layers(rootless, tmp_path, None)
    # fuse-overlayfs deletes what is not there, and says of every new directory that it hides what is below; and where a
    # directory takes another's place and gets its inode, what was in that is deleted one by one.
    if driver == "directory" and text != DOCKERFILES["replaced"]:
        assert made == wanted
    assert merged(made) == merged(wanted)
    again = other_machine(*words, env=env)
    assert set(steps(again.stderr).values()) <= {"CACHED"}
    assert len(steps(built.stderr)) == len(steps(again.stderr))
    # What is left besides the layers: no copies.
    assert [path.name for path in (other_machine.root / "build/steps").glob(".*")] == []
    rootless("rmi", "built")


def test_an_attribute_of_overlays_is_none_of_a_layer(tmp_path: Path) -> None:
    """A command can write it to its copy, where no overlay refuses it; in a layer an overlay would obey it."""
    root = tmp_path / "rootfs"
    (root / "there").mkdir(parents=True)
    copied_root.note(str(root))
    (root / "new/inner").mkdir(parents=True)
    (root / "new/inner/f").write_text("f")
    (root / "there/g").write_text("g")
    for path in (root / "new", root / "new/inner", root / "new/inner/f", root / "there/g", root / "there"):
        os.setxattr(path, "user.overlay.opaque", b"y")
        os.setxattr(path, "user.kept", b"k")
    upper = Path(copied_root.changes(str(root)))
    found = sorted(str(path.relative_to(upper)) for path in upper.rglob("*"))
    assert found == ["new", "new/inner", "new/inner/f", "there", "there/g"]
    assert {tuple(os.listxattr(upper / path)) for path in found} == {("user.kept",)}
