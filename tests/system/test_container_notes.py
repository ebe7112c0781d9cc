"""/.dockerenv and /run/.containerenv: how programs find out that they are in a container."""

from __future__ import annotations

from pathlib import Path

from tests.harness.command import Rootless

SHOW = "test -f /.dockerenv && cat /run/.containerenv"


def test_both_are_there_and_are_no_change(rootless: Rootless, busybox_image: str) -> None:
    rootless("create", "--name", "box", busybox_image, "sh", "-c", SHOW)
    for _ in range(2):
        told = dict(line.split("=", 1) for line in rootless("start", "-a", "box").lines)
        assert told["engine"].startswith('"rootless-')
        assert told["name"] == '"box"'
        assert told["id"] == f'"{rootless("inspect", "-f", "{{.Id}}", "box").stdout.strip()}"'
        assert told["rootless"] == "1"
        assert rootless("diff", "box").stdout == ""
    rootless("rm", "box")


def test_also_where_the_root_is_read_only_or_run_is_memory(rootless: Rootless, busybox_image: str) -> None:
    for words in (["--read-only"], ["--tmpfs", "/run"], ["--userns", "keep-id"]):
        assert 'engine="rootless-' in rootless("run", "--rm", *words, busybox_image, "sh", "-c", SHOW).stdout


def test_nothing_is_written_into_what_is_the_users(
    rootless: Rootless, busybox_image: str, tmp_path: Path
) -> None:
    rootless("run", "--rm", "-v", f"{tmp_path}:/run", busybox_image, "true")
    assert list(tmp_path.iterdir()) == []
    root = tmp_path / "root"
    (root / "bin").mkdir(parents=True)
    (root / "run").mkdir()
    (root / "bin/busybox").write_bytes(Path("/bin/busybox").read_bytes())
    (root / "bin/busybox").chmod(0o755)
    rootless("run", "--rm", "--rootfs", root, "/bin/busybox", "true")
    assert not (root / ".dockerenv").exists()
    assert list((root / "run").iterdir()) == []


def test_links_in_their_places_are_not_followed(
    rootless: Rootless, busybox_image: str, tmp_path: Path
) -> None:
    script = "ln -sf /etc/group /run/.containerenv; rm /.dockerenv; ln -s /etc/new /.dockerenv"
    rootless("create", "--name", "box", busybox_image, "sh", "-c", script)
    rootless("start", "-a", "box")
    rootless("start", "-a", "box")
    rootless("cp", "box:/etc", tmp_path)
    assert (tmp_path / "etc/group").read_text().startswith("root:")
    assert not (tmp_path / "etc/new").exists()
    rootless("rm", "box")
    link = "rm -r /run; ln -s /proc/self/root/tmp /run; test ! -e /tmp/.containerenv"
    rootless("create", "--name", "box", busybox_image, "sh", "-c", link + " && ls -A /tmp")
    rootless("start", "-a", "box")
    assert rootless("start", "-a", "box", status=None).status in (0, 1)
    rootless("rm", "box")
