"""`rootless helpers`: real packages of a small distribution made here, by real apt, on a host that has nothing installed."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rootless import paths
from rootless.engine.host_programs import install
from rootless.errors import InvalidInput, NotFound, NotSupported, RootlessError, Unavailable
from tests.need import need_program

HELPER = install.HELPERS["slirp4netns"]
LIBRARY = "int answer(void) { return 42; }\n"
PROGRAM = r"""#include <stdio.h>
int answer(void);
int main(int argc, char **argv) { printf("%d %s\n", answer(), argc > 1 ? argv[1] : ""); }
"""


class Distribution:
    """Packages in a directory, and the configuration by which apt takes them for the host's own."""

    def __init__(self, directory: Path) -> None:
        self.pool = directory / "pool"
        self.pool.mkdir(parents=True)
        self.directory = directory

    def add(self, name: str, depends: str, files: dict[str, Path | str]) -> Path:
        """A package with these files; a text is where a link leads."""
        tree = self.directory / name
        (tree / "DEBIAN").mkdir(parents=True)
        control = f"Package: {name}\nVersion: 1.0-1\nArchitecture: all\nMaintainer: nobody\nDescription: {name}\n"
        (tree / "DEBIAN/control").write_text(control + (f"Depends: {depends}\n" if depends else ""))
        for path, content in files.items():
            target = tree / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, str):
                target.symlink_to(content)
            else:
                shutil.copy(content, target)
        archive = self.pool / f"{name}_1.0-1_all.deb"
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, archive], check=True, stdout=subprocess.PIPE)
        return archive

    def publish(self, *, trusted: bool = True) -> Path:
        """Lists of what is in the pool: apt's configuration."""
        stanzas = []
        for archive in sorted(self.pool.glob("*.deb")):
            control = subprocess.run(["dpkg-deb", "-f", archive], check=True, capture_output=True, text=True).stdout
            data = archive.read_bytes()
            stanzas.append(f"{control}Filename: ./{archive.name}\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n")
        text = "\n".join(stanzas)
        (self.pool / "Packages").write_text(text)
        digest = hashlib.sha256(text.encode()).hexdigest()
        (self.pool / "Release").write_text(f"Suite: test\nSHA256:\n {digest} {len(text)} Packages\n")
        sources = self.directory / "sources.list"
        sources.write_text(f"deb {'[trusted=yes] ' if trusted else ''}file:{self.pool} ./\n")
        (self.directory / "parts").mkdir(exist_ok=True)
        (self.directory / "lists/partial").mkdir(parents=True, exist_ok=True)
        (self.directory / "status").touch()
        configuration = self.directory / "apt.conf"
        configuration.write_text(
            f'Dir::Etc::sourcelist "{sources}"; Dir::Etc::sourceparts "{self.directory}/parts";\n'
            f'Dir::State::lists "{self.directory}/lists"; Dir::State::status "{self.directory}/status";\n'
        )
        return configuration


@pytest.fixture
def distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Distribution]:
    for program in ("apt-get", "dpkg-deb", "cc"):
        need_program(program)
    made = Distribution(tmp_path / "distribution")
    monkeypatch.setenv("APT_CONFIG", str(made.directory / "apt.conf"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data with a blank"))
    monkeypatch.setattr(paths, "_PROGRAM_PLACES", ())  # of this host
    yield made
    left = Path(paths.helpers_directory())
    assert not left.exists() or not (left / ".new").exists()


def programs(directory: Path) -> tuple[Path, Path]:
    """A program that needs a library, and the library."""
    (directory / "library.c").write_text(LIBRARY)
    (directory / "program.c").write_text(PROGRAM)
    library, program = directory / "libanswer.so.0.1", directory / "program"
    subprocess.run(["cc", "-shared", "-fPIC", "-Wl,-soname,libanswer.so.0", "-o", library, directory / "library.c"], check=True)
    subprocess.run(["cc", "-o", program, directory / "program.c", library], check=True)
    return program, library


def found(monkeypatch: pytest.MonkeyPatch) -> str | None:
    with monkeypatch.context() as patch:
        patch.setenv("PATH", "/nothing")
        return paths.find_program("slirp4netns")


def test_a_program_and_the_libraries_that_it_needs(
    distribution: Distribution, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, library = programs(tmp_path)
    distribution.add("slirp4netns", "libanswer0", {"usr/bin/slirp4netns": program, "usr/bin/other": program, "etc/slirp.conf": program})
    distribution.add("libanswer0", "", {
        "usr/lib/x86_64-linux-gnu/libanswer.so.0.1": library, "usr/lib/x86_64-linux-gnu/libanswer.so.0": "libanswer.so.0.1",
        # Nobody's business, and what would lead out.
        "usr/lib/x86_64-linux-gnu/libevil.so.1": "/etc/passwd", "usr/lib/x86_64-linux-gnu/libevil.so.2": "../bin/slirp4netns",
        "usr/lib/x86_64-linux-gnu/gio/libplugin.so": library,
    })  # fmt: skip
    distribution.publish()
    assert found(monkeypatch) is None
    said: list[str] = []
    install.install(HELPER, said.append)
    path = found(monkeypatch)
    assert path is not None
    assert path.startswith(str(tmp_path / "data with a blank/rootless-helpers/"))
    assert subprocess.run([path, "a word"], capture_output=True, text=True, check=True).stdout == "42 a word\n"
    assert said[-1] == f"Installed {path} (slirp4netns_1.0-1)"
    assert install.packages(HELPER) == ["slirp4netns_1.0-1", "libanswer0_1.0-1"]
    place = Path(install.directory(HELPER))
    kept = sorted(str(each.relative_to(place)) for each in place.rglob("*") if not each.is_dir())
    assert kept == ["bin/slirp4netns", "lib/libanswer.so.0", "lib/libanswer.so.0.1", "lib/slirp4netns", "packages"]
    assert Path(paths.helpers_directory()).stat().st_mode & 0o777 == 0o700
    # The administrator's goes first, and again nothing is left of ours.
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    (tmp_path / "bin").mkdir()
    shutil.copy(program, tmp_path / "bin/slirp4netns")
    assert paths.find_program("slirp4netns") == str(tmp_path / "bin/slirp4netns")
    assert install.remove([HELPER]) == ["slirp4netns"]
    assert install.remove([HELPER]) == []
    assert not place.exists()


def test_what_is_not_signed_or_not_what_the_lists_say(distribution: Distribution, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, library = programs(tmp_path)
    archive = distribution.add("slirp4netns", "", {"usr/bin/slirp4netns": program, "usr/lib/libanswer.so.0": library})
    distribution.publish(trusted=False)
    with pytest.raises(Unavailable, match="not signed"):
        install.install(HELPER, print)
    distribution.publish()
    install.install(HELPER, print)
    before = found(monkeypatch)
    assert before is not None
    data = bytearray(archive.read_bytes())
    data[-40] ^= 1
    archive.write_bytes(data)
    with pytest.raises(RootlessError, match="apt cannot fetch slirp4netns"):
        install.install(HELPER, print)
    assert found(monkeypatch) == before  # the one that was there is there
    assert subprocess.run([before], capture_output=True, text=True, check=True).stdout == "42 \n"


def test_a_program_that_does_not_run_takes_no_ones_place(
    distribution: Distribution, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, _ = programs(tmp_path)
    distribution.add("slirp4netns", "", {"usr/bin/slirp4netns": program})
    distribution.publish()
    with pytest.raises(NotSupported, match=r"slirp4netns does not run here: .*libanswer\.so\.0"):
        install.install(HELPER, print)
    assert found(monkeypatch) is None
    with pytest.raises(NotFound, match="the distribution has no package squashfuse"):
        install.install(install.HELPERS["squashfuse_ll"], print)


def test_words() -> None:
    assert [helper.package for helper in install.wanted(["pasta", "passt"])] == ["passt", "passt"]
    assert [helper.program for helper in install.wanted([])] == ["slirp4netns", "fuse-overlayfs", "squashfuse_ll"]
    for word, hint in (("qemu-user", "rootless binfmt install"), ("newuidmap", "administrator"), ("bash", "one of slirp4netns")):
        with pytest.raises(InvalidInput) as caught:
            install.wanted([word])
        assert hint in (caught.value.hint or ""), word


def test_another_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nothing")
    with pytest.raises(NotSupported, match="no Debian or Ubuntu") as caught:
        install.install(HELPER, print)
    assert "ask the administrator for slirp4netns" in (caught.value.hint or "")
