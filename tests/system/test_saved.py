"""`run --shared --save`: what the image says of itself goes along, and what becomes of the file when the saving fails or is killed."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.harness import processes
from tests.harness.command import Rootless
from tests.need import need_program
from tests.system.test_hosts import ALL_IDS, ONE_ID, inside
from tests.system.test_run_shared import SHARED, said, sockets

DOCKERFILE = r"""FROM {image}
RUN echo 'MINE=of the file' >/etc/environment && echo 'MODEL=of the file' >>/etc/environment && mkdir /opt && printf \
'#!/bin/sh\necho "in $PWD: $# words, the last: $2; MODEL is $MODEL"\n' >/opt/entry && chmod 755 /opt/entry
ENV MODEL="it's a b" QUOTED='"x"' MANY="one\
 more" PATH=/opt:/bin
WORKDIR "/the work"
ENTRYPOINT ["/opt/entry"]
CMD ["the", "default $command"]
"""
SAVED = "in /the work: 2 words, the last: default $command; MODEL is it's a b"


@pytest.fixture(autouse=True)
def _programs() -> None:
    for program in ("sqfstar", "mksquashfs", "squashfuse_ll"):
        need_program(program)


@pytest.mark.own_store
@pytest.mark.parametrize("namespace", [ALL_IDS, ONE_ID], ids=["all ids", "one id"])
def test_what_the_image_says_goes_along(
    rootless: Rootless, busybox_archive: Path, tmp_path: Path, namespace: tuple[str, ...]
) -> None:
    """As `enroot import` writes it: variables, working directory, entrypoint and command; saved once more nothing is there twice."""
    (tmp_path / "Dockerfile").write_text(DOCKERFILE.format(image="busybox:latest"))
    script = r"""
    cd "$2"; rootless load -q -i "$1" >&2; rootless build -q -t tools . >&2
    run="--network none --entrypoint"
    rootless run --shared=one $run "" --save saved.sqsh tools:latest true
    rootless run --rm --network none ./saved.sqsh
    rootless run --rm --network none ./saved.sqsh sh -c 'echo $MODEL, $QUOTED, $MINE, $PATH; pwd'
    rootless run --rm --network none ./saved.sqsh sh /etc/rc a 'b c'
    # What is done to the files there is what the next one has.
    rootless run --shared=two --network none --save saved.sqsh ./saved.sqsh sed -i s/MODEL=.*/MODEL=mine/ /etc/environment
    rootless run --rm --network none ./saved.sqsh sh -c 'echo $MODEL; grep -c MODEL /etc/environment'
    """
    done = inside(rootless, namespace, script, busybox_archive, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        SAVED, "it's a b, \"x\", of the file, /opt:/bin", "/", f"{SAVED.partition(':')[0]}: 2 words, the last: b c; MODEL is it's a b",
        "mine", "1",
    ]  # fmt: skip


@pytest.mark.own_store
@pytest.mark.parametrize("namespace", [ALL_IDS, ONE_ID], ids=["all ids", "one id"])
def test_a_full_disk(rootless: Rootless, busybox_archive: Path, tmp_path: Path, namespace: tuple[str, ...]) -> None:
    """The old file stays, whole; nothing is beside it, and the error says where there was no room."""
    script = """
    mount -t tmpfs -o size=3m none "$2"; cd "$2"; rootless load -q -i "$1" >&2; echo old >saved.sqsh
    big='head -c 8m /dev/urandom >/big; exit 4'
    rootless run --shared=one --network none --save saved.sqsh busybox:latest sh -c "$big" || echo status $?
    ls; cat saved.sqsh; rootless ps -aq | wc -l; rootless rm -a >&2
    mount -t tmpfs -o size=30m none "$2"; cd "$2"
    rootless run --shared=one --network none --save saved.sqsh busybox:latest sh -c "$big" || echo status $?
    """
    done = inside(rootless, namespace, script, busybox_archive, tmp_path)
    assert done.stdout.splitlines() == ["status 125", "saved.sqsh", "old", "1", "status 4"], done.stderr
    assert f"cannot write {tmp_path}/saved.sqsh: no space left on {tmp_path} (tmpfs)" in done.stderr


@pytest.mark.own_store
@pytest.mark.parametrize("namespace", [ALL_IDS, ONE_ID], ids=["all ids", "one id"])
@pytest.mark.parametrize("image", ["busybox:latest", "./busybox.sqsh"])
def test_what_could_not_be_saved_is_kept(
    rootless: Rootless, busybox_archive: Path, tmp_path: Path, namespace: tuple[str, ...], image: str
) -> None:
    """With what the commands have done, and saved again as the error says: the same file, for which the image's words are known still."""
    script = r"""
    cd "$2"; rootless load -q -i "$1" >&2
    rootless run --shared=zero --network none --save busybox.sqsh busybox:latest true
    mkdir small; mount -t tmpfs -o size=3m none small
    work='head -c 8m /dev/urandom >/big; echo done >/work'
    rootless run --shared=one --network none --save small/saved.sqsh "$3" sh -c "$work" 2>said || cat said >&2
    umount small
    sh -c "$(grep -v ^then said | sed -n "s/.*save it again: //p" | sed "s|rootless run|rootless run --network none|")" >&2
    sh -c "$(sed -n "s/.*then remove it: //p" said)" >&2
    rootless ps -aq
    rootless run --rm --network none ./small/saved.sqsh sh -c 'cat /work; wc -c </big'
    rootless inspect -f '{{json .Config.Cmd}} {{.Config.StopSignal}}' kept
    """
    at = Path(rootless.argv[0]).parent
    done = inside(rootless, namespace, f'PATH="{at}:$PATH"\n{script}', busybox_archive, tmp_path, image)
    command = '["sh"]' if image == "busybox:latest" else "null"
    assert done.stdout.splitlines() == ["done", str(8 << 20), f"{command} "], done.stderr


@pytest.mark.parametrize("pack", [False, True])
def test_a_file_of_holes(rootless: Rootless, busybox_image: str, tmp_path: Path, *, pack: bool) -> None:
    """Its zeros are read for as long as it is large: it is named before that, and SIGTERM ends it."""
    (tmp_path / "env").mkdir()
    words: tuple[str | Path, ...] = (*SHARED, "--save", tmp_path / "saved", busybox_image, "truncate", "-s", "4096G", "/tmp/vast")
    if pack:
        with (tmp_path / "env/vast").open("wb") as file:
            file.truncate(4 << 40)
        words = ("image", "pack", "-o", tmp_path / "saved", tmp_path / "env")
    process = rootless.start(*words)
    assert process.stderr is not None
    line = process.stderr.readline().decode()
    assert line.startswith(f"rootless: {'/vast' if pack else '/tmp/vast'} has 4TiB, of which 4TiB are holes"), line
    process.terminate()
    process.wait(60)
    assert not (tmp_path / "saved").exists()
    processes.wait_until(lambda: rootless("ps", "-aq").lines == [], "nothing is left")


def _saving(rootless: Rootless, image: str, target: Path) -> subprocess.Popen[bytes]:
    """A command whose container's files are just being written."""
    process = rootless.start(*SHARED, "--save", target, image, "sh", "-c", "head -c 1000m /dev/zero | tr '\\0' 'x' >/big; exit 4")
    processes.wait_until(lambda: any(".unfinished-" in name for name in os.listdir(target.parent)), "it is saved")
    return process


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_ended_while_it_saves(rootless: Rootless, busybox_image: str, tmp_path: Path, number: signal.Signals) -> None:
    """The old file stays; a signal removes what was begun, and the next saver what a kill has left there, if it is old."""
    target = tmp_path / "saved.sqsh"
    target.write_text("old\n")
    process = _saving(rootless, busybox_image, target)
    process.send_signal(number)
    assert said(process)[0] == (-number if number == signal.SIGKILL else 128 + number)
    assert target.read_text() == "old\n"
    left = [path for path in tmp_path.iterdir() if path != target]
    assert len(left) == (number == signal.SIGKILL)
    for path in left:  # nobody writes to it any more
        processes.wait_until(lambda path=path: not _writers(path), "its writer has ended")  # type: ignore[misc]
        os.utime(path, (0, 0))
    foreign = tmp_path / "saved.sqsh.unfinished-not-ours"
    foreign.touch()
    target.chmod(0o600)
    rootless(*SHARED, "--save", target, busybox_image, "true")
    assert sorted(tmp_path.iterdir()) == [target, foreign]
    assert target.stat().st_mode & 0o777 == 0o600
    processes.wait_until(lambda: rootless("ps", "-aq").lines == [], "nothing is left")
    assert sockets(rootless) == []


def _writers(path: Path) -> list[str]:
    found = []
    for fd in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(fd) == str(path):
                found.append(str(fd))
        except OSError:
            continue  # another user's, or gone
    return found


def test_two_savers_of_one_file(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    """Of two containers at once: the file is one of them, whole."""
    target = tmp_path / "saved.sqsh"
    words = ("--network", "none", "--save", target, busybox_image, "sh", "-c")
    started = [rootless.start("run", f"--shared={name}", *words, f"echo {name} >/who; head -c 20m /dev/urandom >/big") for name in "ab"]
    for process in started:
        assert said(process) == (0, "", "")
    assert [path.name for path in tmp_path.iterdir()] == ["saved.sqsh"]
    look = "cat /who; wc -c </big"
    assert rootless("run", "--rm", "--network", "none", target, "sh", "-c", look).lines in ([name, str(20 << 20)] for name in "ab")


def test_what_cannot_be_the_file(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    """Said before the command has run."""
    os.mkfifo(tmp_path / "fifo")
    for name in ("fifo", "x" * 250):
        refused = rootless(*SHARED, "--save", tmp_path / name, busybox_image, "echo", "ran", status=125)
        assert "cannot write" in refused.stderr
        assert refused.stdout == ""
