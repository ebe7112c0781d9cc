"""The same Dockerfiles built by us and by Podman: the files and the configuration that come of them."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.harness.command import Rootless
from tests.harness.podman import Podman

pytestmark = pytest.mark.own_store

# OnBuild is not among them: Buildah loses it on the way.
ALIKE = ("Cmd", "Entrypoint", "Env", "ExposedPorts", "Labels", "StopSignal", "User", "Volumes", "WorkingDir")
DOCKERFILES = {
    "copies": """\
FROM localhost/busybox:latest
COPY one.txt /
COPY one.txt /renamed
COPY tree /tree
COPY tree/ tree2/
COPY --chown=1000:50 tree /owned/
COPY --chown=user tree/a /by-name/
COPY one.txt tree/a many/
COPY tree/*.sh /globbed/
ADD files.tar.gz /unpacked/
ADD one.txt /added/
""",
    "runs": """\
FROM localhost/busybox:latest
ARG VERSION=1
ENV PREFIX=/opt SHELLS="a b"
RUN mkdir -p $PREFIX/x && echo $VERSION > $PREFIX/version && chmod 4755 $PREFIX/version
RUN rm /bin/vi && rm -r /home && mkdir /home && ln -s /opt /link && chown 1000:1000 /opt/x
WORKDIR /srv/place
RUN pwd > where
USER user
RUN ["/bin/sh", "-c", "id -u > /tmp/id"]
WORKDIR below
RUN echo moved > /tmp/again && mv /tmp/again /tmp/there && rm /tmp/there
""",
    "stages": """\
ARG BASE=localhost/busybox:latest
FROM $BASE AS first
COPY tree /src
RUN cat /src/a /src/sub/b > /result && touch /not-copied
FROM first AS second
RUN echo more >> /result
FROM localhost/busybox:latest
COPY --from=first /result /from-first
COPY --from=1 /result /from-second
COPY --from=second /src /src
LABEL stage=third
""",
    "configuration": """\
FROM localhost/busybox:latest
LABEL one=1 "two words"="a value" three='x y'
ENV A=1 B="two $A" C='three $A'
ENV OLD the rest of it
EXPOSE 80 443/tcp 53/udp
VOLUME /v1 /v2
VOLUME ["/v3"]
USER 1000:50
WORKDIR /
STOPSIGNAL SIGQUIT
ENTRYPOINT ["/bin/echo", "a b"]
CMD ["c", "d"]
ONBUILD RUN echo later
""",
    "shell forms": """\
FROM localhost/busybox:latest
CMD echo $HOME
ENTRYPOINT exec top -b
""",
    "scratch": "FROM scratch\nCOPY tree /\nCMD [\"/a\"]\n",
}  # fmt: skip


@pytest.fixture
def filled(context: Path) -> Path:
    """A context with files of several kinds."""
    (context / "one.txt").write_text("one\n")
    (context / "tree/sub/deeper").mkdir(parents=True)
    (context / "tree/empty").mkdir(mode=0o700)
    (context / "tree/a").write_text("a\n")
    (context / "tree/run.sh").write_text("#!/bin/sh\n")
    (context / "tree/run.sh").chmod(0o751)
    (context / "tree/sub/b").write_text("b\n")
    (context / "tree/link").symlink_to("sub/b")
    (context / "tree/out").symlink_to("/etc/passwd")
    with tarfile.open(context / "files.tar.gz", "w:gz") as tar:
        info = tarfile.TarInfo("in/archive")
        info.size, info.mode, info.uid = 3, 0o640, 1000
        tar.addfile(info, io.BytesIO(b"in\n"))
    return context


def listing(data: bytes) -> dict[str, tuple[Any, ...]]:
    """Each path of a tar with what is to be the same: type, mode, owner, content or target."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar.getmembers():
            name = member.name.strip("./")
            content = tar.extractfile(member) if member.isreg() or member.islnk() else None
            digest = hashlib.sha256(content.read()).hexdigest() if content else member.linkname
            kind = "file" if content else member.type
            found[name] = (kind, oct(member.mode & 0o7777), member.uid, member.gid, digest)
    return found


# Docker and we make nothing for mounts in an image; and what a run of Podman's leaves there is no image's.
ENGINES = ("dev", "etc/hosts", "etc/hostname", "etc/resolv.conf", "proc", "run", "sys", "etc/mtab", "")


@pytest.mark.parametrize("name", DOCKERFILES)
def test_files_and_configuration(
    name: str, rootless: Rootless, busybox_image: str, busybox_archive: Path, podman: Podman, filled: Path, tmp_path: Path
) -> None:
    rootless("tag", busybox_image, "localhost/busybox:latest")
    podman("load", "-i", busybox_archive)
    (filled / "Dockerfile").write_text(DOCKERFILES[name])
    rootless("build", "-q", "-t", "ours", filled)
    podman("build", "--format=docker", "-t", "theirs", filled)
    ours = json.loads(rootless("image", "inspect", "ours").stdout)[0]["Config"]
    theirs = json.loads(podman("image", "inspect", "theirs"))[0]["Config"]
    theirs["Labels"].pop("io.buildah.version")
    for key in ALIKE:
        assert (ours.get(key) or None) == (theirs.get(key) or None), key
    expected = listing(exported(podman, tmp_path))
    found = listing(rootless("build", "-q", "-o", "-", filled).raw)
    for tree in (expected, found):
        for path in ENGINES:
            tree.pop(path, None)
    assert {path: (found.get(path), expected.get(path)) for path in found.keys() | expected.keys()
            if found.get(path) != expected.get(path)} == {}  # fmt: skip


def exported(podman: Podman, tmp_path: Path) -> bytes:
    identifier = podman("create", "theirs", "/x").strip().splitlines()[-1]
    podman("export", "-o", tmp_path / "theirs.tar", identifier)
    podman("rm", identifier)
    return (tmp_path / "theirs.tar").read_bytes()
