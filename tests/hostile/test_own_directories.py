"""A container that has what our own directories lie in: /tmp, a runtime directory. Who may write to them has the caller's account."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.harness.trees import remove_tree

TRY = 'cd "$0" && ls -A; touch "$0/c" 2>/dev/null && echo written; mv "$0" "$0.old" 2>/dev/null && echo moved; true'


@pytest.mark.parametrize("words", ["-v {0}:/r", "-v {0}:/r:ro", "--mount type=bind,src={0},dst=/r,bind-nonrecursive", "-v {0}/../{1}:/r"])
def test_a_mounted_runtime_directory(rootless: Rootless, busybox_image: str, words: str) -> None:
    place = rootless.runtime
    (place / "mine").touch()
    mount = words.format(place, place.name).split()
    seen = rootless("run", "--rm", "--network", "none", *mount, busybox_image, "sh", "-c", f"ls /r; {TRY}", "/r/rootless")
    assert "mine" in seen.lines
    assert set(seen.lines) <= {entry.name for entry in place.iterdir()}, "something of RUNTIME is seen"


def test_by_a_volume(rootless: Rootless, busybox_image: str) -> None:
    rootless("volume", "create", "-o", "type=none", "-o", "o=bind", "-o", f"device={rootless.runtime}", "place")
    seen = rootless("run", "--rm", "--network", "none", "-v", "place:/r", busybox_image, "sh", "-c", TRY, "/r/rootless")
    assert seen.lines == []
    rootless("volume", "rm", "place")


@pytest.mark.parametrize("job", ["", "123"], ids=["login", "job"])
def test_a_mounted_tmp(rootless: Rootless, busybox_image: str, job: str) -> None:
    """Where there is no $XDG_RUNTIME_DIR, as in most batch jobs; what a later job is to use is hidden, too."""
    env = {"XDG_RUNTIME_DIR": "", "SLURM_JOB_ID": job}
    fallback = Path(f"/tmp/rootless-{os.getuid()}")
    was_there = fallback.exists()
    run = ("run", "--rm", "--network", "none", "-v", "/tmp:/tmp")
    assert rootless(*run, busybox_image, "sh", "-c", TRY, str(fallback), env=env).lines == []
    runtime = rootless("info", "-f", "{{.RuntimeDir}}", env=env).stdout.strip()
    assert runtime == (f"{fallback}/rootless-{os.getuid()}-job-slurm-{job}" if job else str(fallback))
    if job:
        remove_tree(Path(runtime))
    if not was_there:
        remove_tree(fallback)


@pytest.mark.real_ids("it is the other place")
def test_what_is_made_for_no_other_command(rootless: Rootless, busybox_image: str) -> None:
    """Where $XDG_RUNTIME_DIR is used: who has none later finds nothing that a container has made for him."""
    fallback = Path(f"/tmp/rootless-{os.getuid()}")
    was_there = fallback.exists()
    script = f"mkdir -m 700 {fallback}; touch {fallback}/planted; true"
    rootless("run", "--rm", "--network", "none", "-v", "/tmp:/tmp", busybox_image, "sh", "-c", script)
    assert not (fallback / "planted").exists()
    if not was_there:
        fallback.rmdir()


def test_one_that_is_named_itself(rootless: Rootless, busybox_image: str) -> None:
    rootless("run", "--rm", "--network", "none", busybox_image, "true")
    words = ("-v", f"{rootless.sockets}:/r")
    assert "session.sock" in rootless("run", "--rm", "--network", "none", *words, busybox_image, "ls", "/r").lines


def test_what_else_of_ours_lies_there(rootless: Rootless, busybox_image: str) -> None:
    """What `rootless-oci` believes where there is no $XDG_RUNTIME_DIR (it runs a bundle's hooks), other user namespaces' RUNTIME, other
    stores' local places."""
    user = os.getuid()
    others = [Path(f"/tmp/rootless-in-1-{user}"), Path(f"/tmp/rootless-{user}-0123456789ab"), Path(f"/tmp/rootless-in-2-{user}-1")]
    oci = Path(f"/tmp/rootless-oci-{user}")
    was_there = oci.exists()
    try:
        for place in others:
            place.mkdir(mode=0o700)
            (place / "ours").touch()
        for place in (*others, oci):
            seen = rootless("run", "--rm", "--network", "none", "-v", "/tmp:/tmp", busybox_image, "sh", "-c", TRY, str(place))
            assert seen.lines == [], place
        assert oci.stat().st_mode & 0o777 == 0o700, "the container could have made it"
    finally:
        for place in others:
            remove_tree(place)
        if not was_there:
            oci.rmdir()


def test_a_local_place_that_is_another_directory(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    """A container with the directory above that of the job's moves the latter away, and puts what it likes in its place."""
    job = tmp_path / "job"
    job.mkdir()
    env = {"ROOTLESS_LOCAL": str(job), "ROOTLESS_ROOT": str(tmp_path / "root")}
    rootless("bootstrap", "busybox", env=env)
    (local,) = job.iterdir()
    script = 'set -e; mv /r/job /r/moved; mkdir -p "$0"; chmod 700 "$0"'
    run = ("run", "--rm", "--network", "none", "-v", f"{tmp_path}:/r", "busybox")
    rootless(*run, "sh", "-c", script, f"/r/job/{local.name}", env=env, status=None, warns=True)
    assert (tmp_path / "moved").is_dir()
    done = rootless("ps", "-a", env=env, status=None)
    assert done.status != 0
    assert f"{local} is another directory than it was" in done.stderr
    local.rmdir()
    job.rmdir()
    (tmp_path / "moved").rename(job)
    rootless("ps", "-a", env=env)
    rootless("system", "reset", "-f", env=env)
