"""`rootless srun`: what is srun's, what is about the container, where the command begins."""

from __future__ import annotations

import pytest

from rootless.cli.commands.system import srun, srun_keeper, srun_words
from rootless.errors import InvalidInput, NotSupported

IMAGE = "--container-image=work"


@pytest.mark.parametrize(("words", "ours", "command"), [
    (["-N4", "-n", "16", "--mpi=pmi2", IMAGE, "a", "-n", "1"], ["-N4", "-n", "16", "--mpi=pmi2"], ["a", "-n", "1"]),
    ([IMAGE, "-lN", "4", "--label", "--time", "5", "a"], ["-lN", "4", "--label", "--time", "5"], ["a"]),
    (["-K1", "-vvu", IMAGE, "--pty", "--exclusive", "bash", "--container-name=x"], ["-K1", "-vvu", "--pty", "--exclusive"],
     ["bash", "--container-name=x"]),
    (["-c2", "--container-image", "work", "--", "-odd"], ["-c2"], ["-odd"]),
    ([IMAGE], [], []),
    (["-wn1", "-J", "-name", IMAGE, "a"], ["-wn1", "-J", "-name"], ["a"]),
])  # fmt: skip
def test_split(words: list[str], ours: list[str], command: list[str]) -> None:
    found = srun_words.split(words)
    assert (found.srun, found.command) == (ours, command)
    assert found.container["image"] == "work"


def test_refused() -> None:
    for words, kind, text in (
        ([IMAGE, "--container-images=x"], InvalidInput, "unknown flag"),
        ([IMAGE, "--no-container-writable"], InvalidInput, "unknown flag"),
        (["--container-image"], InvalidInput, "needs an argument"),
        ([IMAGE, "a", ":", "b"], NotSupported, "heterogeneous"),
        (["--multi-prog", IMAGE, "file"], NotSupported, "multi-prog"),
        (["a"], InvalidInput, "--container-image is missing"),
        ([IMAGE, "--container-name=x:no_exec", "a"], NotSupported, "no_exec"),
        ([IMAGE, "--container-unshare=pid", "a"], InvalidInput, "unshare"),
        ([IMAGE, "--container-mounts=umount:/x", "a"], NotSupported, "umount"),
        ([IMAGE, "--container-mounts=/a:/b:x-create=dir", "a"], NotSupported, "x-create"),
        (["--container-image=podman://x", "a"], NotSupported, "podman"),
        (["--container-image=$me@nvcr.io#x", "a"], NotSupported, "user"),
        (["--container-image=--privileged", "a"], InvalidInput, "no name of an image"),
        (["--container-image=docker://-v#x", "a"], InvalidInput, "no name of an image"),
    ):
        with pytest.raises(kind, match=text):
            srun.run_words(srun_words.split(words))


@pytest.mark.parametrize("word", ["docker://me:secret@nvcr.io#x:1", "me:secret@nvcr.io/x", "https://me:secret@nvcr.io/x"])
def test_no_password_is_repeated(word: str) -> None:
    """What is said lands in the job's output."""
    with pytest.raises(NotSupported) as refused:
        srun_words.image(word)
    assert "secret" not in f"{refused.value} {refused.value.hint}"


@pytest.mark.parametrize(("word", "name"), [
    ("debian", "debian"),
    ("docker://debian:12", "debian:12"),
    ("nvcr.io#nvidia/pytorch:24.01-py3", "nvcr.io/nvidia/pytorch:24.01-py3"),
    ("docker://nvcr.io#nvidia/pytorch", "nvcr.io/nvidia/pytorch"),
    ("debian@sha256:00", "debian@sha256:00"),
    ("/images/x.sqsh", "/images/x.sqsh"),
    ("./x.sqsh", "./x.sqsh"),
])  # fmt: skip
def test_images(word: str, name: str) -> None:
    assert srun_words.image(word) == name


def test_the_command_of_a_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    plain = srun.run_words(srun_words.split([IMAGE, "a", "b"]))
    assert plain == [
        "run", "--shared", "--env-host", "--network", "host", "--userns", "keep-id", "--entrypoint", "", "work", "a", "b",
    ]  # fmt: skip
    words = [
        IMAGE, "--container-mounts=/a:/b:ro+rprivate,/c,tmpfs:/d", "--container-workdir", "/b", "--container-name=n:auto",
        "--container-env=A,B", "--container-unshare=net,ipc", "--container-mount-home", "--container-remap-root",
        "--container-entrypoint", "--container-readonly", "a",
    ]  # fmt: skip
    assert srun.run_words(srun_words.split(words)) == [
        "run", "--shared=n", "--env-host", "--network", "none", "-v", "/a:/b:ro,rprivate", "-v", "/c:/c", "--tmpfs", "/d",
        "-v", "/home/me:/home/me", "-w", "/b", "-e", "A", "-e", "B", "--read-only", "work", "a",
    ]  # fmt: skip


@pytest.mark.parametrize(("words", "environment", "wanted"), [
    (["-N2", "--mpi=pmi2"], {}, True),
    (["--mpi", "pmix_v4"], {}, False),
    (["-N2", "--mpi=none"], {"SLURM_MPI_TYPE": "pmix"}, True),
    ([], {"SLURM_MPI_TYPE": "pmix"}, False),
])  # fmt: skip
def test_which_steps_names_are_kept(
    monkeypatch: pytest.MonkeyPatch, words: list[str], environment: dict[str, str], wanted: bool
) -> None:
    """PMIx's directories are of one step, and so are containers then."""
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert srun_keeper.is_wanted(words) is wanted
    monkeypatch.delenv("SLURM_JOB_ID")
    assert not srun_keeper.is_wanted(words)
