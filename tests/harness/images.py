"""Images for tests: a busybox archive made without any container tool, and a bootstrapped Debian."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rootless.image import reference
from rootless.storage.quoted_names import quoted
from tests.harness.command import Rootless
from tests.need import need

BUSYBOX_DIRECTORIES = ("bin", "dev", "etc", "home", "proc", "root", "run", "sys", "tmp", "usr", "var")
PASSWD = """\
root:x:0:0:root:/root:/bin/sh
user:x:1000:1000::/home/user:/bin/sh
nobody:x:65534:65534::/:/bin/false
"""
GROUP = "root:x:0:\nuser:x:1000:\nstaff:x:50:user\nnogroup:x:65534:\n"
TOOLS = (
    "bind9-dnsutils", "bind9-host", "curl", "docker-registry", "git", "iperf3", "iproute2", "iputils-ping", "libnginx-mod-stream",
    "netcat-openbsd", "nginx-light", "nodejs", "postgresql", "python3-psycopg2", "redis-server", "skopeo", "socat", "vsftpd", "wget",
    "wrk",
)  # fmt: skip
# What is installed where ids are emulated: servers that change users, and programs that set them.
SERVERS = ("cron", "dbus", "man-db", "nginx-light", "openssh-server", "postgresql", "sudo")

# By store: the images that tests share, their names and ids.
_ENSURED: dict[Path, dict[str, str]] = {}


def busybox_archive(cache: Path) -> Path:
    """A docker-archive of `busybox:latest` under `cache`, written once for each busybox."""
    layer = busybox_layer(static_busybox())
    path = cache / f"busybox-{hashlib.sha256(layer).hexdigest()[:16]}.tar"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        _replace(path, docker_archive("busybox:latest", [layer], {"Cmd": ["sh"]}))
    return path


def foreign_busybox_archive(cache: Path, architecture: str) -> Path:
    """A docker-archive of `busybox:ARCHITECTURE`, of Debian's package for that architecture, kept in `cache`."""
    path = cache / f"busybox-{architecture}.tar"
    if path.exists():
        return path
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        root = debian_packages(Path(scratch), architecture, "busybox-static")
        layer = busybox_layer(root / "bin/busybox", lister=static_busybox())
    _replace(path, docker_archive(f"busybox:{architecture}", [layer], {"Cmd": ["sh"]}, architecture))
    return path


def debian_packages(scratch: Path, architecture: str, *names: str) -> Path:
    """What is in Debian's packages of these names, and in none that they need, unpacked below the empty directory `scratch`."""
    state = [f"Dir::State={scratch}/state", f"Dir::Cache={scratch}/cache", f"Dir::State::status={scratch}/status"]
    words = [f"APT::Architecture={architecture}", f"APT::Architectures={architecture}", "APT::Sandbox::User="]
    options = [word for option in (*state, *words) for word in ("-o", option)]
    for directory in ("state/lists/partial", "cache/archives/partial"):
        (scratch / directory).mkdir(parents=True)
    (scratch / "status").touch()
    for command in (("update",), ("download", *names)):
        subprocess.run(["apt-get", "-qq", *options, *command], cwd=scratch, check=True, capture_output=True, timeout=300)
    for package in scratch.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, scratch / "root"], check=True, timeout=60)
    return scratch / "root"


def static_busybox() -> Path:
    """The host's statically linked busybox."""
    program = next((p for p in ("/bin/busybox", "/usr/bin/busybox") if os.access(p, os.X_OK)), None)
    need(program, "busybox (busybox-static) is not installed")
    assert program is not None
    linked = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    need("not a dynamic executable" in linked.stdout + linked.stderr, f"{program} is not static")
    return Path(program)


def plain_busybox(root: Path) -> None:
    """Put bin/busybox, and nothing else, into the directory `root`."""
    (root / "bin").mkdir(parents=True, exist_ok=True)
    shutil.copy(static_busybox(), root / "bin/busybox")


def busybox_layer(program: Path, *, lister: Path | None = None) -> bytes:
    """An uncompressed tar with busybox, a link for each applet, passwd and group. `lister` is a busybox that this
    machine can run, where `program` is none."""
    applets = subprocess.run([lister or program, "--list"], capture_output=True, text=True, check=True).stdout.split()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in BUSYBOX_DIRECTORIES:
            add(tar, name, kind=tarfile.DIRTYPE, mode=0o1777 if name == "tmp" else 0o755)
        add(tar, "home/user", kind=tarfile.DIRTYPE, owner=1000)
        add(tar, "bin/busybox", program.read_bytes(), mode=0o755)
        for applet in applets:
            if applet != "busybox":
                add(tar, f"bin/{applet}", kind=tarfile.SYMTYPE, target="busybox")
        add(tar, "etc/passwd", PASSWD.encode())
        add(tar, "etc/group", GROUP.encode())
    return buffer.getvalue()


def add(
    tar: tarfile.TarFile,
    name: str,
    data: bytes = b"",
    *,
    kind: bytes = tarfile.REGTYPE,
    mode: int | None = None,
    target: str = "",
    owner: int = 0,
) -> None:
    """Add one entry; times are fixed so that the same content has the same digest."""
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.uid, entry.gid = kind, target, owner, owner
    entry.mode = mode if mode is not None else (0o755 if kind == tarfile.DIRTYPE else 0o644)
    entry.size, entry.mtime = len(data), 1_700_000_000
    tar.addfile(entry, io.BytesIO(data))


def docker_archive(name: str, layers: list[bytes], config: dict[str, object], architecture: str = "") -> bytes:
    """What `docker save NAME` writes for these uncompressed layers and this container configuration."""
    own = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    digests = [hashlib.sha256(layer).hexdigest() for layer in layers]
    image = {
        "architecture": architecture or own,
        "os": "linux",
        "created": "2023-11-14T22:13:20Z",
        "config": {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], **config},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
        "history": [{"created": "2023-11-14T22:13:20Z", "created_by": "tests"} for _ in layers],
    }
    encoded = json.dumps(image).encode()
    identity = hashlib.sha256(encoded).hexdigest()
    manifest = [
        {"Config": f"{identity}.json", "RepoTags": [name], "Layers": [f"{d}/layer.tar" for d in digests]}
    ]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        add(tar, f"{identity}.json", encoded)
        for digest, layer in dict(zip(digests, layers, strict=True)).items():  # one may be there several times
            add(tar, f"{digest}/layer.tar", layer)
        add(tar, "manifest.json", json.dumps(manifest).encode())
    return buffer.getvalue()


def debian_archive(cache: Path) -> Path:
    """An archive of `debian:bookworm` made with `rootless bootstrap`, kept in `cache` between runs."""
    return _bootstrapped(cache / "debian-bookworm.tar", "debian:bookworm")


def tools_archive(cache: Path) -> Path:
    """The same of `tools:latest`, a Debian with the servers and clients that networks are tried with."""
    digest = hashlib.sha256(" ".join(TOOLS).encode()).hexdigest()[:16]
    return _bootstrapped(cache / f"tools-{digest}.tar", "tools:latest", f"--include={','.join(TOOLS)}")


def server_packages(cache: Path) -> Path:
    """A directory of Debian's packages SERVERS with all that they need besides `debian:bookworm`, kept in `cache`."""
    path = cache / f"packages-{hashlib.sha256(' '.join(SERVERS).encode()).hexdigest()[:16]}"
    if path.exists():
        return path
    archive = debian_archive(cache)
    aside = Path(tempfile.mkdtemp(prefix="packages-", dir=cache))
    get = f"apt-get -q update && apt-get -qy -o Dir::Cache::archives=/got -o APT::Sandbox::User=root -d install {' '.join(SERVERS)}"
    with _apart() as command:
        command("load", "-q", "-i", archive, timeout=300)
        words = ("--rm", "-v", f"{aside}:/got", "debian:bookworm", "sh", "-c", f"{get} && rm -r /got/partial")
        command("run", *words, timeout=900, warns=True)
    aside.rename(path)
    return path


def _bootstrapped(path: Path, name: str, *options: str) -> Path:
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with _apart() as command:
        command("bootstrap", "--tag", name, *options, "debian:bookworm", timeout=900, warns=True)
        aside = path.with_suffix(f".{os.getpid()}")
        command("save", "-o", aside, name, timeout=300)
        aside.rename(path)
    return path


@contextmanager
def _apart() -> Iterator[Rootless]:
    """The command with a store of its own, which goes at the end."""
    with tempfile.TemporaryDirectory(prefix="rl-", dir="/tmp") as runtime:
        store = Path(tempfile.mkdtemp(prefix="rl-bootstrap-", dir="/var/tmp"))
        command = Rootless(store, Path(runtime))
        try:
            yield command
        finally:
            command("system", "reset", "--force", status=None, timeout=600)


def ensure(rootless: Rootless, name: str, archive: Path) -> str:
    """Load `archive` unless the store has `name` already; the name. Most tests find it there, as the one before left it: then
    no command is run."""
    known = _ENSURED.get(rootless.root, {}).get(name, "")
    if known and _named(rootless.root, name) == known:
        return name
    find = ("image", "inspect", "-f", "{{.Id}}", name)
    found = rootless(*find, status=None)
    if found.status != 0:
        rootless("load", "-i", archive, timeout=300)
        found = rootless(*find)
    _ENSURED.setdefault(rootless.root, {})[name] = found.stdout.strip()
    return name


def _named(root: Path, name: str) -> str:
    """The id of the image of that name, by the name's link; "" if there is none."""
    try:
        target = os.readlink(root / "images/names" / quoted(reference.parse(name).canonical))
    except OSError:
        return ""
    return f"sha256:{os.path.basename(target).removesuffix('.json')}"


def ensured(rootless: Rootless) -> list[str]:
    """The names that `ensure` has given to images of its store, sorted."""
    return sorted(_ENSURED.get(rootless.root, {}))


def remove_others(rootless: Rootless) -> None:
    """Remove all images from a store but those that `ensure` has put there: what a test has left, for the next to see."""
    ensured = _ENSURED.get(rootless.root, {})
    counts = {"names": len(ensured), "by-id": len(set(ensured.values())), "indexes": 0}
    if all(_entries(rootless.root / "images" / place) <= count for place, count in counts.items()):
        return
    listed = rootless("images", "-a", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}", status=None, warns=True)
    for name, identifier in (line.split() for line in listed.lines):
        if ensured.get(name) != identifier:
            rootless("rmi", "-f", identifier if "<none>" in name else name, status=None, warns=True)


def _entries(directory: Path) -> int:
    return len(os.listdir(directory)) if directory.is_dir() else 0


def _replace(path: Path, data: bytes) -> None:
    aside = path.with_suffix(f".{os.getpid()}")
    aside.write_bytes(data)
    aside.rename(path)
