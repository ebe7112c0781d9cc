"""Hostile Dockerfiles and contexts: what a RUN, its mounts and what is cleaned up after it could reach.

CVE-2024-23651 (a mount's source swapped for a link), 23652 (stubs removed through a link), 23653 (privileges asked for
by the Dockerfile), 2024-9407 and 2024-1753 (a bind whose source leads out), 2024-9675 (a cache mount's id as a path).
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.harness.command import Rootless

pytestmark = pytest.mark.own_store


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """A directory of the caller's that nothing of a build may reach, with what cleaning up looks for."""
    path = tmp_path / "precious"
    (path / "secrets").mkdir(parents=True)
    for name in ("resolv.conf", "hosts", "hostname", "file"):
        (path / name).write_text("")
    return path


def test_cve_2024_23652_stubs_behind_a_link(rootless: Rootless, busybox_image: str, precious: Path) -> None:
    """What the engine made is gone through a link that the command has put in its directory's place."""
    text = (
        "FROM scratch\nCOPY --from=busybox /bin /bin\n"
        f'RUN ["/bin/busybox", "sh", "-c", "mv /etc /away && ln -s {precious} /etc"]\n'
        "RUN --mount=type=secret,id=s,target=/run/secrets/s "
        f'["/bin/busybox", "sh", "-c", "mv /run /r && ln -s {precious} /run"]\n'
    )
    rootless("build", "-q", "--secret", "id=s,env=S", "-", stdin=text, env={"S": "value"})
    assert sorted(path.name for path in precious.iterdir()) == ["file", "hostname", "hosts", "resolv.conf", "secrets"]


@pytest.mark.parametrize("source", ["../../../../etc/passwd", "/link", "link/../../../etc/passwd"])
def test_cve_2024_9407_a_source_that_leads_out(
    rootless: Rootless, busybox_image: str, tmp_path: Path, precious: Path, source: str
) -> None:
    """Of a context, a stage and an image: links and dots end at their root."""
    context = tmp_path / "context"
    context.mkdir()
    (precious / "file").write_text("precious")
    (context / "link").symlink_to(precious / "file")
    for from_ in ("", ",from=stage"):
        (context / "Dockerfile").write_text(
            f"FROM busybox AS stage\nRUN ln -s {precious}/file /link\n"
            f"FROM busybox\nRUN --mount=type=bind{from_},source={source},target=/seen cat /seen | tee /copy\n"
        )
        told = rootless("build", "--progress=plain", context, status=None).stderr
        assert "precious\n" not in told.replace(str(precious), "")
        host = Path("/etc/passwd").read_text().splitlines()[-1]
        assert host not in told


def test_cve_2024_9675_a_cache_of_any_name(rootless: Rootless, busybox_image: str, precious: Path) -> None:
    for name in (f"../../../../../../..{precious}", "/", "..", "a/../../b", "x" * 5000):
        text = f"FROM busybox\nRUN --mount=type=cache,target=/c,id={name} touch /c/written\n"
        rootless("build", "-q", "-", stdin=text)
    assert not (precious / "written").exists()
    assert not (rootless.root / "written").exists()
    top = rootless.root / "build/mounts"
    assert all(path.name.isalnum() and len(path.name) == 40 for path in top.iterdir())


def test_cve_2024_23653_what_a_dockerfile_may_not_have(rootless: Rootless, busybox_image: str) -> None:
    for flag, word in (("--network=host", "network.host"), ("--security=insecure", "security.insecure")):
        failed = rootless("build", "--progress=plain", "-", stdin=f"FROM busybox\nRUN {flag} echo ran\n", status=1)
        assert f"{word} is not allowed" in failed.stderr
        assert " ran\n" not in failed.stderr.replace("echo ran", "")
    # Nor is a result of it had from the cache, nor anything done before it is refused.
    text = "FROM busybox\nRUN echo before\nRUN --security=insecure echo ran\n"
    rootless("build", "-q", "--allow", "security.insecure", "-", stdin=text)
    failed = rootless("build", "--progress=plain", "-", stdin=text, status=1)
    assert "security.insecure is not allowed" in failed.stderr
    assert ">>> RUN --security=insecure echo ran" in failed.stderr
    assert "CACHED" not in failed.stderr


def test_a_run_has_the_walls_of_run(rootless: Rootless, busybox_image: str) -> None:
    """Capabilities, the filter, no_new_privs, masks: as a container of `run` has them."""
    look = "grep -E 'Cap(Eff|Bnd|Inh|Amb)|NoNewPrivs|Seccomp:' /proc/self/status; cat /proc/keys | wc -l"
    here = rootless("run", "--rm", busybox_image, "sh", "-c", look, status=None).stdout.splitlines()
    told = rootless("build", "--progress=plain", "-", stdin=f"FROM busybox\nRUN {look}; true\n").stderr
    there = [line.split(" ", 2)[2] for line in told.splitlines() if line.startswith(("#4 0.", "#4 1."))]
    assert len(here) >= 7
    assert [line for line in here if line.startswith(("Cap", "NoNew", "Seccomp"))] == [
        line for line in there if line.startswith(("Cap", "NoNew", "Seccomp"))
    ]


def test_an_insecure_run_is_a_privileged_container_and_no_more(rootless: Rootless, busybox_image: str, precious: Path) -> None:
    look = (
        "grep -E 'Cap(Eff|Bnd|Inh|Amb)|NoNewPrivs|Seccomp:' /proc/self/status; ls /dev | sort | tr '\\n' ' '; echo; "
        "cat /proc/self/uid_map; mount -t tmpfs none /mnt && echo could mount; ls /proc/1/root | sort | tr '\\n' ' '; echo; "
        f"cat {precious}; echo x > /proc/sys/kernel/hostname_; true"
    )
    here = rootless("run", "--rm", "--privileged", busybox_image, "sh", "-c", f"mkdir -p /mnt; touch /told; {look}", status=None).lines
    text = f"FROM busybox\nRUN mkdir -p /mnt\nRUN --security=insecure ({look}) > /told 2>/dev/null\nRUN cat /told\n"
    told = rootless("build", "--progress=plain", "--allow", "security.insecure", "-", stdin=text).stderr
    there = [line.split(" ", 2)[2] for line in told.splitlines() if re.match(r"#\d+ \d+\.\d{3} ", line)]
    assert "could mount" in here
    assert there == here
    assert "NoNewPrivs:\t0" in here
    # The next RUN has its walls again.
    again = rootless("build", "--progress=plain", "--allow", "security.insecure", "-", stdin=(
        "FROM busybox\nRUN --security=insecure mkdir -p /mnt\nRUN mount -t tmpfs none /mnt || echo could not\n"
    )).stderr  # fmt: skip
    assert " could not\n" in again


def test_no_descriptor_and_no_variable_of_the_caller(rootless: Rootless, busybox_image: str) -> None:
    text = "FROM busybox\nRUN ls /proc/self/fd | tr '\\n' ' '; echo; env; tr '\\0' '\\n' < /proc/1/environ\n"
    reading, writing = os.pipe()
    os.set_inheritable(reading, True)
    try:
        told = rootless("build", "--progress=plain", "-", stdin=text, env={"PRECIOUS": "value"}).stderr
    finally:
        os.close(reading)
        os.close(writing)
    assert "PRECIOUS" not in told
    assert "0 1 2 3 \n" in told  # and ls's own


def test_a_mount_point_that_is_a_link_of_the_image(rootless: Rootless, busybox_image: str, precious: Path) -> None:
    text = (
        f"FROM busybox\nRUN mkdir -p /run/secrets && ln -s {precious}/made /run/secrets/s && ln -s /../../..{precious} /c\n"
        "RUN --mount=type=secret,id=s --mount=type=cache,target=/c/deep touch /c/deep/x; cat /run/secrets/s\n"
    )
    rootless("build", "-q", "--secret", "id=s,env=S", "-", stdin=text, env={"S": "value"}, status=None)
    assert not (precious / "made").exists()
    assert not (precious / "deep").exists()
