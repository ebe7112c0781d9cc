"""What a hostile context, base image, archive or server could make of COPY and ADD: files of the host, in or out.

Of BuildKit CVE-2024-23651, -23652 and -23653 are races of cache mounts, mount points removed through links, and
entitlements that were not asked for; of Buildah CVE-2024-9407, -9675 and -11218 mounts whose options or sources
lead out. What each would be for a copy is tried here; for RUN's mounts where those are.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from rootless.build.context import walk
from rootless.build.copy import entries, writer
from rootless.errors import InvalidInput, NotFound, RootlessError
from rootless.linux.filesystem import RENAME_EXCHANGE, renameat2
from rootless.linux.libc import AT_FDCWD
from tests.build.copy.conftest import joined as joined
from tests.build.copy.conftest import session_runtime as session_runtime
from tests.build.copy.conftest import store as store
from tests.build.copy.conftest import trees as trees
from tests.build.copy.copying import Trees, opened_tree
from tests.storage.tars import archive, directory, file

SECRET = "the host's own"
OUT = ["{out}", "../../../../../../../../{out}", "/proc/self/root/{out}", "/proc/self/cwd/../{out}"]


@pytest.fixture
def out(trees: Trees) -> Path:
    """A directory of the host beside the context and the root, with a secret."""
    place = trees.base / "out"
    place.mkdir()
    (place / "secret").write_text(SECRET)
    return place


def untouched(out: Path) -> bool:
    return [each.name for each in out.iterdir()] == ["secret"] and (out / "secret").read_text() == SECRET


# -- sources ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", OUT)
@pytest.mark.parametrize("word", ["l", "l/secret", "l/*", "d/l/secret", "l/../l/secret", "*/l/secret", "*/l/*", "[l]/secret"])
def test_links_of_a_context_lead_nowhere_else(trees: Trees, out: Path, target: str, word: str) -> None:
    """CVE-2024-11218 for a copy: a source that is a link out of the context, or of a stage."""
    (trees.context / "d").mkdir()
    for name in ("l", "d/l"):
        (trees.context / name).symlink_to(target.format(out=str(out).lstrip("/") if target != "{out}" else out))
    for parents in (False, True):
        try:
            done = trees.copy(word, "/x/", parents=parents)
        except (NotFound, RootlessError):
            continue
        assert SECRET not in str(done.files)


@pytest.mark.parametrize("word", ["..", "../out/secret", "/../out", "d/../../out/secret", "..//../out", "./../out", "../*/secret"])
def test_paths_stop_at_the_context(trees: Trees, out: Path, word: str) -> None:
    trees.write(d__a="A")
    for parents in (False, True):
        try:
            done = trees.copy(word, "/x/", parents=parents)
        except NotFound:
            continue
        assert SECRET not in str(done.files)


def test_a_file_that_becomes_a_link_while_it_is_copied(trees: Trees, out: Path) -> None:
    """Exchanged all the time by somebody else: an error or the file, never what the link leads to."""
    trees.write(d__f="mine")
    (trees.context / "link").symlink_to(out / "secret")
    stop = threading.Event()

    def exchange() -> None:
        while not stop.is_set():
            renameat2(AT_FDCWD, str(trees.context / "link"), AT_FDCWD, str(trees.context / "d/f"), RENAME_EXCHANGE)

    def start() -> None:
        threading.Thread(target=exchange, daemon=True).start()

    for number in range(30):
        try:
            done = trees.copy("d", f"/x{number}/", before=start)
        except RootlessError:
            continue
        assert SECRET not in str(done.files)
    stop.set()


def test_a_directory_that_becomes_a_link(trees: Trees, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hit each time: replaced after stat(2) of it, for the key and for the copy."""
    trees.write(d__e__secret="mine")
    real = walk._Walk._enter

    def replaced(self: walk._Walk, level: walk._Level, name: str, path: str) -> int:
        (trees.context / "d/e").rename(trees.context / f"was-{os.urandom(4).hex()}")
        (trees.context / "d/e").symlink_to(out)
        try:
            return real(self, level, name, path)
        finally:
            (trees.context / "d/e").unlink()
            trees.write(d__e__secret="mine")

    monkeypatch.setattr(walk._Walk, "_enter", replaced)
    assert trees.copy("d", "/x").files == {"x/": "755 0:0"}


@pytest.mark.parametrize("target", OUT)
def test_nothing_outside_of_a_tree_is_opened(trees: Trees, out: Path, target: str) -> None:
    (trees.context / "l").symlink_to(target.format(out=str(out).lstrip("/") if target != "{out}" else out))
    with opened_tree(trees.context) as tree:
        for path in ("l/secret", "l", "../out/secret", f"{out}/secret", "/proc/self/root"):
            with pytest.raises(OSError):
                tree.open(path, os.O_PATH)


@pytest.mark.parametrize("kind", ["link", "fifo"])
def test_between_the_look_and_the_opening(trees: Trees, out: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """The same, hit each time: the file is replaced after stat(2) of it, for the key and for the copy."""
    trees.write(d__f="mine")
    real = entries.open_file

    def replaced(entry: entries.Entry) -> tuple[int, os.stat_result]:
        path = trees.context / "d/f"
        path.unlink()
        if kind == "link":
            path.symlink_to(out / "secret")
        else:
            os.mkfifo(path)
        return real(entry)

    monkeypatch.setattr(entries, "open_file", replaced)
    with pytest.raises(RootlessError, match=r"cannot read|changed while it was read"):
        trees.copy("d", "/x")
    monkeypatch.setattr(entries, "open_file", real)
    (trees.context / "d/f").unlink()
    trees.write(d__f="mine")
    monkeypatch.setattr(writer, "open_file", replaced)
    with pytest.raises(RootlessError, match=r"cannot read|changed while it was read"):
        trees.copy("d", "/x")


# -- destinations ----------------------------------------------------------------------------------


@pytest.mark.parametrize("target", OUT)
@pytest.mark.parametrize(
    "destination", ["/l", "/l/", "/l/x", "/l/x/y/", "/d/l/x", "/l/../l/x", "/d/../../l/secret", "/l/secret"]
)
@pytest.mark.parametrize("add", [False, True])
def test_links_of_an_image_lead_nowhere_else(trees: Trees, out: Path, target: str, destination: str, add: bool) -> None:
    """CVE-2024-9407's kind of link, and CVE-2024-23652's: what is written or removed is inside the root."""
    trees.write(f="new", t__secret="new")
    (trees.context / "a").write_bytes(archive(file("secret", b"new"), directory("x")))
    (trees.root / "d").mkdir()
    for name in ("l", "d/l"):
        (trees.root / name).symlink_to(target.format(out=str(out).lstrip("/") if target != "{out}" else out))
    for word in ("f", "t", "a"):
        try:
            trees.copy(word, destination, add=add)
        except RootlessError:
            pass
        assert untouched(out)


def test_links_below_the_destination_are_replaced(trees: Trees, out: Path) -> None:
    trees.write(t__file="new", t__dir__secret="new")
    (trees.root / "file").symlink_to(out / "secret")
    (trees.root / "dir").symlink_to(out)
    with pytest.raises(RootlessError, match="non-directory"):
        trees.copy("t", "/")
    assert untouched(out)
    (trees.root / "dir").unlink()
    assert trees.copy("t", "/").files["file"].endswith("new")
    assert untouched(out)


def test_a_source_that_plants_links_for_the_next(trees: Trees, out: Path) -> None:
    """One COPY of two directories: the first has a link where the second has a directory."""
    (trees.context / "a").mkdir()
    (trees.context / "a/x").symlink_to(out)
    trees.write(b__x__secret="new")
    for linked in (False, True):
        with pytest.raises(RootlessError):
            trees.copy("a b", "/", link=linked)
        assert untouched(out)
        (trees.root / "x").unlink()


# -- --chown ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("trap", ["link", "directory link", "fifo", "huge", "endless", "lines", "directory", "device"])
def test_cve_2024_9676_passwd_and_group(trees: Trees, out: Path, trap: str) -> None:
    """CVE-2024-9676: files of the image that stand for others, or never end; nobody is found, at once."""
    trees.write(f="F")
    (out / "passwd").write_text("bob:x:1:1::/:\n")
    etc = trees.root / "etc"
    if trap == "directory link":
        etc.symlink_to(out)
    else:
        etc.mkdir()
    for name in ("passwd", "group") if trap != "directory link" else ():
        path = etc / name
        if trap == "link":
            path.symlink_to(out / "passwd")
        elif trap == "fifo":
            os.mkfifo(path)
        elif trap == "huge":
            with path.open("w") as made:
                made.truncate(1 << 40)
        elif trap == "endless":
            path.symlink_to("/dev/zero")
        elif trap == "lines":
            path.write_text("bob:x:" + "9" * 5000 + ":1::/:\nbob:x:-1:-1::/:\nbob:x:4294967295:1::/:\n")
        elif trap == "directory":
            path.mkdir()
        else:
            path.symlink_to("/proc/self/fd/0")
    with pytest.raises(InvalidInput, match="unable to find user bob"):
        trees.copy("f", "/x", chown="bob")


@pytest.mark.real_ids("the kernel says whose the copy is")
def test_cve_2016_3697_a_number_is_no_name(trees: Trees) -> None:
    trees.write(f="F")
    (trees.root / "etc").mkdir()
    (trees.root / "etc/passwd").write_text("7:x:0:0::/:\n")
    (trees.root / "etc/group").write_text("7:x:0:\n")
    trees.copy("f", "/x", chown="7:7")
    assert trees._joined(lambda: (trees.root / "x").stat().st_uid) == 7
