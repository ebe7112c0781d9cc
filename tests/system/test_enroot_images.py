"""Image files as `enroot import` makes them: the image's variables in /etc/environment, its command in /etc/rc."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rootless.engine.files.mounts.enroot_files import variables
from tests.harness import images
from tests.harness.command import Rootless
from tests.need import need_program
from tests.system.test_image_files import NOW, squashed

ENVIRONMENT = "PATH=/opt/tools/bin:/usr/bin:/bin\nMODEL=a b c\nQUOTED='x y'\n# a comment\nHOST_HOME=${HOME}\n"
# As docker.sh of enroot writes it, of an image with labels, a WORKDIR, an ENTRYPOINT and a CMD.
RC = """# org.example.name tools

mkdir -p "/work" 2> /dev/null
cd "/work" && unset OLDPWD || exit 1

if [ -s /etc/rc.local ]; then
    . /etc/rc.local
fi

if [ $# -gt 0 ]; then
    exec '/opt/tools/bin/entry' "$@"
else
    exec '/opt/tools/bin/entry' 'the' 'default command'
fi
"""
RC_LOCAL = "# This file is sourced by /etc/rc when the container starts.\n"
ENTRY = '#!/bin/sh\necho "in $PWD: $# words, the last: $2; MODEL is $MODEL, QUOTED is $QUOTED, HOST_HOME is $HOST_HOME"\n'


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    need_program("squashfuse_ll")
    root = tmp_path / "tree"
    images.plain_busybox(root)
    for name in ("etc", "tmp", "proc", "dev", "sys", "work", "opt/tools/bin"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for applet in ("sh", "echo", "mkdir", "sleep", "env", "true"):
        (root / "bin" / applet).symlink_to("busybox")
    (root / "etc/environment").write_text(ENVIRONMENT)
    (root / "etc/rc").write_text(RC)
    (root / "etc/rc.local").write_text(RC_LOCAL)
    (root / "etc/fstab").write_text("${ENROOT_ROOTFS}/data /data none x-create=dir,bind,rw,nosuid,nodev\n")
    (root / "opt/tools/bin/entry").write_text(ENTRY)
    (root / "opt/tools/bin/entry").chmod(0o755)
    return root


def test_the_images_variables_and_command(rootless: Rootless, tree: Path, tmp_path: Path) -> None:
    image = squashed(tree, tmp_path / "tools.sqsh")
    said = "in /work: 2 words, the last: default command; MODEL is a b c, QUOTED is x y, HOST_HOME is ${HOME}"
    assert rootless("run", "--rm", *NOW, image).lines == [said]
    # A command that is named is run itself, with the variables; ours come after the image's.
    assert rootless("run", "--rm", *NOW, image, "sh", "-c", "echo $MODEL; echo $PATH").lines == ["a b c", "/opt/tools/bin:/usr/bin:/bin"]
    assert rootless("run", "--rm", *NOW, "-e", "MODEL=mine", f"./{image.name}", "sh", "-c", "echo $MODEL", cwd=tmp_path).lines == ["mine"]
    assert rootless("run", "--rm", *NOW, image, "sh", "/etc/rc", "one", "two").lines[0].startswith("in /work: 2 words, the last: two;")
    rootless("run", "-d", "--name", "box", *NOW, image, "sleep", "1000")
    assert rootless("exec", "box", "sh", "-c", "echo $MODEL").lines == ["a b c"]
    assert "MODEL=a b c" in rootless("inspect", "-f", "{{json .Config.Env}}", "box").stdout
    rootless("rm", "-f", "box")


def test_hostile_configuration_files(rootless: Rootless, tree: Path, tmp_path: Path) -> None:
    """Nothing of the machine is read by their links, and nothing waits for what is no file."""
    secret = tmp_path / "secret"
    secret.write_text("STOLEN=yes\n")
    environment = tree / "etc/environment"

    def run(make: Callable[[], object], *words: str, status: int = 0) -> str:
        environment.unlink(missing_ok=True)
        make()
        done = rootless("run", "--rm", *NOW, squashed(tree, tmp_path / "image.sqsh"), *words, status=status)
        return done.stdout if status == 0 else done.stderr

    up = "../" * 20
    for make in (
        lambda: environment.symlink_to(secret), lambda: environment.symlink_to(up + str(secret)), lambda: os.mkfifo(environment),
        lambda: environment.symlink_to("/proc/self/root" + str(secret)),
    ):  # fmt: skip
        assert "STOLEN" not in run(make, "env")
    said = run(lambda: environment.write_text("A=x\n" * 350_000), "true", status=125)
    assert "/etc/environment is larger than 1048576 bytes" in said
    assert "config.Env contains a NUL character" in run(lambda: environment.write_bytes(b"A=a\0b\n"), "true", status=125)
    (tree / "etc/rc").unlink()
    (tree / "etc/rc").mkdir()
    assert "the image file has no /etc/rc" in run(lambda: environment.write_text(""), status=125)


def test_what_is_a_variable() -> None:
    lines = (
        'PATH="/opt/bin:/bin"', "  INDENTED=1", "QUOTED='one two'  ", "SPACED= as it is ", 'HALF="open', "EMPTY=", "EQUALS=a=b",
        "OTHER=${HOME}",
        "", "# comment", "ENROOT_ROOTFS_WRITABLE=1", "1ST=no", "NO NAME=no", "export EXPORTED=no",
        "\u00c4NDERN=no", "no variable",
    )  # fmt: skip
    assert variables("\n".join(lines)) == [
        "PATH=/opt/bin:/bin", "INDENTED=1", "QUOTED=one two", "SPACED= as it is ", 'HALF="open', "EMPTY=", "EQUALS=a=b", "OTHER=${HOME}",
    ]  # fmt: skip
