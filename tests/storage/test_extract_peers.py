"""Archives without end, sparse ones, and the same trees as GNU tar and umoci make."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from rootless.errors import RootlessError
from rootless.storage.layers.extract import Limits
from rootless.storage.store import Store
from tests.need import need
from tests.storage.joined import Joined
from tests.storage.tars import archive, directory, file, info, link, symlink
from tests.storage.unpacking import listing, unpack


def test_bombs_are_bounded(store: Store, joined: Joined) -> None:
    many = archive(*(file(f"f{number}") for number in range(50)))
    large = archive(file("a", b"x" * 5000), file("b", b"x" * 6000))

    def run() -> None:
        with pytest.raises(RootlessError, match="more than 49 entries"):
            unpack(store, many, limits=Limits(entries=49))
        with pytest.raises(RootlessError, match="larger"):
            unpack(store, large, limits=Limits(total_bytes=10000))
        assert unpack(store, large, limits=Limits(total_bytes=11000)).size == 11000

    joined(run)


@pytest.mark.parametrize("form", ["gnu", *(f"posix --sparse-version={v}" for v in ("0.0", "0.1", "1.0"))])
def test_sparse_files_as_gnu_tar_writes_them(store: Store, joined: Joined, tmp_path: Path, form: str) -> None:
    name = "holes-" + "n" * 90
    with open(tmp_path / name, "wb") as out:
        for number in range(40):
            out.seek(number * 100_000)
            out.write(b"data%d" % number)
        out.truncate(10_000_000)
    done = subprocess.run(
        ["tar", "-cf", "-", "--sparse", *f"--format={form}".split(), name],
        cwd=tmp_path,
        capture_output=True,
    )
    need(done.returncode == 0, "GNU tar is missing")
    expected = (tmp_path / name).read_bytes()

    def run() -> None:
        path = f"{unpack(store, done.stdout).path}/{name}"
        assert Path(path).read_bytes() == expected
        assert os.stat(path).st_blocks * 512 < 2_000_000

    joined(run)


@pytest.mark.parametrize("form", ["gnu", "pax", "ustar", "v7"])
def test_same_tree_as_gnu_tar(store: Store, joined: Joined, tmp_path: Path, form: str) -> None:
    source = tmp_path / "source"
    for number in range(50):
        where = source / f"d{number % 7}" / "sub"
        where.mkdir(parents=True, exist_ok=True)
        (where / f"f{number}").write_bytes(os.urandom(number * 37))
        (where / f"l{number}").symlink_to(f"../f{number}")
        os.link(where / f"f{number}", where / f"h{number}")
        os.chmod(where / f"f{number}", 0o444 + number % 4)
    # fmt: off
    data = subprocess.run(
        ["tar", "-C", source, "--numeric-owner", "--owner=0", "--group=0", f"--format={form}", "-cf", "-", "."],
        capture_output=True, check=True,
    ).stdout
    # fmt: on

    def run() -> None:
        ours = listing(unpack(store, data).path)
        peer = f"{store.root}/peer"
        os.mkdir(peer)
        subprocess.run(["tar", "-xpf", "-", "-C", peer, "--numeric-owner"], input=data, check=True)
        assert ours == listing(peer)
        assert len(ours) > 150

    joined(run)


def test_same_tree_as_umoci(store: Store, joined: Joined) -> None:
    need(shutil.which("umoci") is not None, "umoci is not installed")
    data = archive(
        directory("d", mode=0o1777, mtime=5),
        file("d/f", b"x" * 5000, uid=5, gid=6, mode=0o4750, mtime=6),
        link("d/h", "d/f"),
        symlink("l", "../../d", mtime=7),
        directory("e", mode=0o2755, gid=9, mtime=8),
        file("e/g", b"", pax_headers={"mtime": "9.000000001", "SCHILY.xattr.user.k": "v"}),
        file("l/below-a-link", b"y", mtime=10),
        directory("d", mode=0o755, mtime=11),
        info("p", tarfile.FIFOTYPE, mode=0o640, mtime=12),
    )

    def run() -> None:
        ours = listing(unpack(store, data).path)
        Path(store.root + "/layer.tar").write_bytes(data)
        for words in (
            "init --layout l", "new --image l:t", "raw add-layer --image l:t layer.tar", "unpack --image l:t b"
        ):  # fmt: skip
            subprocess.run(["umoci", *words.split()], cwd=store.root, check=True, capture_output=True)
        assert ours == listing(store.root + "/b/rootfs")

    joined(run)
