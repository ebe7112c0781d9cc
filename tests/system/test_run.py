"""`rootless run`: what the command gets, and what comes back. The words are docker's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness import images
from tests.harness.command import Rootless

SHELL_STATUS = 42


def run(rootless: Rootless, *words: str | Path, **options: object) -> str:
    """stdout of `run --rm --network none WORDS`."""
    return rootless("run", "--rm", "--network", "none", *words, **options).stdout  # type: ignore[arg-type]


def test_output_and_status_come_back(rootless: Rootless, busybox_image: str) -> None:
    script = f"echo out; echo err >&2; exit {SHELL_STATUS}"
    done = rootless("run", "--rm", busybox_image, "sh", "-c", script, status=SHELL_STATUS)
    assert (done.stdout, done.stderr) == ("out\n", "err\n")


def test_signal_becomes_128_and_its_number(rootless: Rootless, busybox_image: str) -> None:
    # PID 1 ignores signals it has no handler for, so its child dies and the shell reports it.
    done = rootless("run", "--rm", busybox_image, "sh", "-c", "sh -c 'kill -9 $$'; exit $?", status=137)
    assert done.stdout == ""


def test_stdin_is_passed_with_i(rootless: Rootless, busybox_image: str) -> None:
    data = bytes(range(256)) * 4096
    done = rootless("run", "--rm", "-i", "--network", "none", busybox_image, "cat", stdin=data)
    assert done.raw == data


def test_stdin_is_empty_without_i(rootless: Rootless, busybox_image: str) -> None:
    assert run(rootless, busybox_image, "cat", stdin=b"unseen") == ""


def test_large_output_is_complete(rootless: Rootless, busybox_image: str) -> None:
    done = rootless("run", "--rm", busybox_image, "sh", "-c", "head -c 20000000 /dev/zero")
    assert len(done.raw) == 20_000_000


def test_environment(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("# a comment\nFROM_FILE=of file\nFROM_HOST\n")
    out = run(
        rootless, "-e", "A=1 2", "-e", "FROM_HOST", "--env-file", file, busybox_image, "env",
        env={"FROM_HOST": "host"},
    ).splitlines()  # fmt: skip
    assert {"A=1 2", "FROM_HOST=host", "FROM_FILE=of file", "HOME=/root"} <= set(out)
    assert not [line for line in out if line.startswith(("ROOTLESS", "XDG"))]


def test_workdir_is_made(rootless: Rootless, busybox_image: str) -> None:
    assert run(rootless, "-w", "/a/b", busybox_image, "pwd") == "/a/b\n"


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        ("1000", "1000 1000 1000 50"),
        ("user", "1000 1000 1000 50"),
        ("user:nogroup", "1000 65534 65534"),
        ("1234:4321", "1234 4321 4321"),
        ("0", "0 0 0"),
    ],
)
def test_user_is_looked_up_in_the_image(
    rootless: Rootless, busybox_image: str, who: str, expected: str
) -> None:
    uid, gid, *groups = expected.split()
    out = run(rootless, "-u", who, busybox_image, "sh", "-c", "id -u; id -g; id -G").splitlines()
    assert (out[0], out[1], set(out[2].split())) == (uid, gid, {gid, *groups})


def test_unknown_user(rootless: Rootless, busybox_image: str) -> None:
    done = rootless("run", "--rm", "-u", "nobody-here", busybox_image, "true", status=None)
    assert done.status in (125, 126)
    assert "nobody-here" in done.stderr


def test_entrypoint_replaces_and_keeps_arguments(rootless: Rootless, busybox_image: str) -> None:
    assert run(rootless, "--entrypoint", "/bin/echo", busybox_image, "a", "b") == "a b\n"


def test_image_command_is_the_default(rootless: Rootless, busybox_image: str) -> None:
    out = rootless("run", "--rm", "-i", "--network", "none", busybox_image, stdin="echo from sh\n")
    assert out.stdout == "from sh\n"


def test_read_only_root(rootless: Rootless, busybox_image: str) -> None:
    out = run(
        rootless, "--read-only", busybox_image, "sh", "-c", "touch /x 2>&1; touch /dev/shm/y && echo shm"
    )
    assert "Read-only file system" in out
    assert out.endswith("shm\n")


def test_tmpfs(rootless: Rootless, busybox_image: str) -> None:
    out = run(
        rootless, "--tmpfs", "/scratch:size=1m,mode=1777", busybox_image, "grep", "/scratch", "/proc/mounts"
    )
    assert out.startswith("tmpfs /scratch tmpfs")
    assert "size=1024k" in out


def test_bind_mounts(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("of host")
    script = "cat /w/in; echo of container >/w/out; touch /r/x 2>&1"
    out = rootless(
        "run", "--rm", "-v", f"{tmp_path}:/w", "-v", f"{tmp_path}:/r:ro", busybox_image, "sh", "-c", script,
        status=1,
    ).stdout  # fmt: skip
    assert out.startswith("of host")
    assert "Read-only file system" in out
    assert (tmp_path / "out").read_text() == "of container\n"
    assert (tmp_path / "out").stat().st_uid == tmp_path.stat().st_uid


def test_relative_bind_source(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site/index").write_text("hello")
    assert (
        run(rootless, "-v", "./site:/site:ro", busybox_image, "cat", "/site/index", cwd=tmp_path) == "hello"
    )


def test_mount_option(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    mount = f"type=bind,source={tmp_path},target=/m,readonly"
    assert run(rootless, "--mount", mount, busybox_image, "cat", "/m/f") == "x"


def test_named_volume_lives_on(rootless: Rootless, busybox_image: str) -> None:
    try:
        run(rootless, "-v", "kept:/data", busybox_image, "sh", "-c", "echo kept >/data/f")
        assert run(rootless, "-v", "kept:/data", busybox_image, "cat", "/data/f") == "kept\n"
        assert rootless("volume", "ls", "-q").lines == ["kept"]
    finally:
        rootless("volume", "rm", "kept")


def test_hostname_and_hosts(rootless: Rootless, busybox_image: str) -> None:
    out = run(
        rootless,
        "--hostname",
        "box",
        "--add-host",
        "db:10.9.8.7",
        busybox_image,
        "sh",
        "-c",
        "hostname; cat /etc/hosts",
    )
    assert out.startswith("box\n")
    assert "10.9.8.7\tdb" in out


def test_hostname_is_the_short_id(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    cid = tmp_path / "cid"
    hostname = rootless("run", "--rm", "--cidfile", cid, busybox_image, "hostname").stdout.strip()
    assert cid.read_text().startswith(hostname)
    assert len(hostname) == 12


def test_dns_options(rootless: Rootless, busybox_image: str) -> None:
    out = rootless(
        "run",
        "--rm",
        "--network",
        "slirp4netns",  # on bridges the resolver at 127.0.0.11 asks them
        "--dns",
        "192.0.2.1",
        "--dns-search",
        "example.org",
        busybox_image,
        "cat",
        "/etc/resolv.conf",
    ).lines
    assert "nameserver 192.0.2.1" in out
    assert "search example.org" in out


def test_limits_and_shm(rootless: Rootless, busybox_image: str) -> None:
    script = "ulimit -n; df -k /dev/shm | tail -1"
    out = run(
        rootless, "--ulimit", "nofile=100:200", "--shm-size", "8m", busybox_image, "sh", "-c", script
    ).splitlines()
    assert out[0] == "100"
    assert out[1].split()[1] == "8192"


def test_sysctl(rootless: Rootless, busybox_image: str) -> None:
    out = run(
        rootless, "--sysctl", "net.ipv4.ip_forward=1", busybox_image, "cat", "/proc/sys/net/ipv4/ip_forward"
    )
    assert out == "1\n"


def test_init_reaps_and_forwards(rootless: Rootless, busybox_image: str) -> None:
    out = run(
        rootless, "--init", busybox_image, "sh", "-c", "echo $$; cat /proc/1/cmdline | tr '\\0' ' '"
    ).splitlines()
    assert out[0] != "1"
    assert "init" in out[1]


def test_rootfs_directory(rootless: Rootless, tmp_path: Path) -> None:
    images.plain_busybox(tmp_path)
    out = rootless(
        "run", "--rm", "--network", "none", "--rootfs", tmp_path, "/bin/busybox", "echo", "here"
    ).stdout
    assert out == "here\n"


def test_start_does_not_wait_for_the_command(rootless: Rootless, busybox_image: str) -> None:
    identity = rootless("run", "-d", "--rm", busybox_image, "sleep", "1000").stdout.strip()
    assert len(identity) == 64
    rootless("rm", "-f", identity)
