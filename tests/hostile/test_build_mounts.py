"""What RUNs leave in caches, and write into what they mount: nothing of it is the caller's, whatever is mounted over it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from tests.build.conftest import context as context
from tests.harness import images
from tests.harness.command import Rootless
from tests.hostile.test_build_steps import precious as precious


def state(directory: Path) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {}
    for path in [directory, *sorted(directory.rglob("*"))]:
        status = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        named = (status.st_mode, status.st_ino, status.st_nlink, status.st_uid, status.st_ctime_ns)
        found[str(path)] = (*named, content, sorted(os.listxattr(path, follow_symlinks=False)))
    return found


CHANGES = (
    "echo x >> /m/a; rm /m/b; mv /m/d /m/e; ln /m/a /m/f; chmod 4777 /m/a; chown 1:1 /m/a; touch -d @1 /m/a; "
    "mknod /m/p p; cp /bin/busybox /m/l; echo x > /m/d/in; truncate -s 1 /m/a; setfattr -n user.x -v y /m/a"
)


@pytest.mark.parametrize("access", ["", ",rw"])
@pytest.mark.parametrize("ignored", ["", "b\n"])
def test_a_context_is_never_written_to(
    rootless: Rootless, busybox_image: str, context: Path, access: str, ignored: str
) -> None:
    for name in ("a", "b"):
        (context / name).write_text(name)
    (context / "d").mkdir()
    (context / "d/in").write_text("in")
    (context / "l").symlink_to("a")
    (context / ".dockerignore").write_text(ignored)
    script = "; ".join(f"{{ {part}; }} 2>&1" for part in CHANGES.split("; "))
    (context / "Dockerfile").write_text(f"FROM busybox\nRUN --mount=type=bind,target=/m{access} {script}; cat /m/a\n")
    before = state(context)
    told = rootless("build", "--progress=plain", context).stderr
    assert state(context) == before
    assert ("Read-only file system" in told) is (access == "")


HOSTILE = "cd /c; ln -s {0} sub; ln -s / root; ln -s ../../../../../..{0} up; ln -s /proc/1/root{0} magic; mkfifo fifo; ln -s loop loop"


@pytest.mark.parametrize("name", ["sub", "root", "up", "magic", "fifo", "loop", "sub/secrets"])
def test_what_is_mounted_over_a_hostile_cache(
    rootless: Rootless, busybox_image: str, precious: Path, context: Path, name: str
) -> None:
    """CVE-2024-9675, CVE-2024-23651, CVE-2024-23652: mount points in a directory that an earlier RUN has filled."""
    (context / "file").write_text("context")
    before = state(precious)
    kinds = ("type=tmpfs", "type=bind,source=file", "type=cache,id=two", "type=secret,id=s")
    for at, mounts in (("", kinds), ("/new/deep", kinds[1:3])):
        target = f"/c/{name}{at}"
        for mount in mounts:
            (context / "Dockerfile").write_text(
                f"FROM busybox\nRUN --mount=type=cache,id=one,target=/c rm -rf /c/*; {HOSTILE.format(precious)}\n"
                f"RUN --mount=type=cache,id=one,target=/c --mount={mount},target={target} true\n"
            )
            rootless("build", "-q", "--no-cache", "--secret", "id=s,env=S", context, env={"S": "s"}, status=None)
            assert state(precious) == before
    rootless("builder", "prune", "-af")
    assert state(precious) == before


def test_a_cache_that_begins_with_a_hostile_stage(rootless: Rootless, busybox_image: str, precious: Path) -> None:
    (precious / "file").write_text("precious")
    for source in ("/l", "/l/secrets", "/../..", "/d", "/f"):
        text = (
            f"FROM busybox AS s\nRUN ln -s {precious} /l; mkdir /d; ln -s {precious}/file /d/file; mkfifo /f; mknod /d/p p\n"
            f"FROM busybox\nRUN --mount=type=cache,id={source},target=/c,from=s,source={source} cat /c/file 2>&1; ls -l /c\n"
        )
        told = rootless("build", "--progress=plain", "-", stdin=text, status=None).stderr
        assert " precious\n" not in told


@pytest.mark.parametrize(
    "trigger",
    [
        "COPY ../secret /", "COPY {0}/file /", "ADD ../../{0}/file /", "ADD file://{0}/file /", "COPY --from={0} file /",
        "RUN --mount=type=bind,source=../,target=/m cat /m/precious/file", "RUN --mount=type=bind,from={0},target=/m cat /m/file",
        "RUN --network=host true", "RUN --security=insecure true", "ADD --checksum=sha256:{0} x /", "COPY link /", "WORKDIR ../../{0}",
        "USER $(id)", "VOLUME {0}", "ONBUILD RUN true", "FROM {0}", "RUN --mount=type=secret,id=s,required cat /run/secrets/s",
    ],
)  # fmt: skip
def test_triggers_of_a_hostile_base(rootless: Rootless, busybox_image: str, precious: Path, context: Path, trigger: str) -> None:
    """ONBUILD is somebody else's Dockerfile; in an image that was loaded it need not even be one."""
    (precious / "file").write_text("precious")
    (context / "link").symlink_to(precious / "file")
    (context / "Dockerfile").write_text("FROM hostile\nRUN cat /file /link 2>&1; true\n")
    archive = io.BytesIO(rootless("save", busybox_image).raw)
    rootless("load", stdin=_with_trigger(archive, trigger.format(precious)))
    before = state(precious)
    done = rootless("build", "--progress=plain", "--no-cache", context, status=None)
    assert done.status in (0, 1)
    assert " precious\n" not in done.stderr
    assert "Traceback" not in done.stderr
    assert state(precious) == before


def _with_trigger(archive: io.BytesIO, trigger: str) -> bytes:
    """The archive, whose image is `hostile` and has `trigger`."""
    with tarfile.open(fileobj=archive) as tar:
        read = {member.name: tar.extractfile(member) for member in tar.getmembers()}
        files = {name: file.read() for name, file in read.items() if file is not None}
    (entry,) = json.loads(files["manifest.json"])
    config = json.loads(files[entry["Config"]])
    config["config"]["OnBuild"] = [trigger]
    data = json.dumps(config).encode()
    name = f"{hashlib.sha256(data).hexdigest()}.json"
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        images.add(tar, name, data)
        for layer in entry["Layers"]:
            images.add(tar, layer, files[layer])
        images.add(tar, "manifest.json", json.dumps([{**entry, "Config": name, "RepoTags": ["hostile:latest"]}]).encode())
    return out.getvalue()
