"""The first start of a rootless.pyz for one Python: its payload, checked, becomes an installation in the user's home."""

import hashlib
import io
import lzma
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile

# Below it in the payload: what every machine and Python has, and what one has.
COMMON, MACHINE, PYTHON = "common/", "machine/{machine}/", "python/{tag}-{machine}-{libc}/"


def unpack(archive, member, digest, place):
    """Make `place` of the payload; two that do it at once both have it. SystemExit with one line where that cannot be."""
    try:
        with zipfile.ZipFile(archive) as app:
            packed = app.read(member)
    except zipfile.BadZipFile:
        packed = b""
    if hashlib.sha256(packed).hexdigest() != digest:
        sys.exit(f"rootless: {archive} is damaged\nhint: fetch it again")
    parent = os.path.dirname(place)
    try:
        os.makedirs(parent, mode=0o700, exist_ok=True)
        new = tempfile.mkdtemp(prefix=".new-", dir=parent)
        try:
            _fill(new, packed)
            os.chmod(new, 0o755)  # a container's users may execute its helpers
            try:
                os.rename(new, place)
            except OSError:
                if not os.path.isdir(place):
                    raise
        finally:
            shutil.rmtree(new, ignore_errors=True)
    except OSError as error:
        sys.exit(f"rootless: cannot unpack into {parent}: {error.strerror}\nhint: XDG_DATA_HOME names another directory")


def _fill(new, packed):
    machine, tag = os.uname().machine, sys.implementation.cache_tag
    libc = "gnu" if platform.libc_ver()[0] == "glibc" else "musl"
    words = {"machine": machine, "tag": tag, "libc": libc}
    parts = [part.format(**words) for part in (COMMON, MACHINE, PYTHON)]
    libraries = f"lib/python3.{sys.version_info.minor}/site-packages/"
    found = set()
    with tarfile.open(fileobj=io.BytesIO(lzma.decompress(packed))) as tar:
        for entry in tar:
            part = next((part for part in parts if entry.name.startswith(part)), None)
            if part is None or not entry.isreg():
                continue
            found.add(part)
            name = entry.name[len(part):].replace("lib/site-packages/", libraries, 1)
            path = os.path.join(new, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                shutil.copyfileobj(tar.extractfile(entry), file)
                os.fchmod(file.fileno(), entry.mode & 0o755)
    for part in parts:
        if part not in found:
            sys.exit(f"rootless: this file has nothing for {' '.join(words.values())}\nhint: a wheel does: pip install rootless")
    _first_line(f"{new}/bin/rootless-python")
    # Our modules' bytecode in one file: it halves the time of a start. By a process that imports nothing of the environment's.
    code = "import sys; sys.path.insert(0, sys.argv[1]); from rootless.compilation import write; write(sys.argv[1] + '/rootless')"
    subprocess.run([sys.executable, "-EPSB", "-c", code, new + "/" + libraries.rstrip("/")], check=True)
    subprocess.run(["sync", "-f", new], check=True)


def _first_line(path):
    """The interpreter, where pip would write it."""
    with open(path, "rb") as file:
        rest = file.read().split(b"\n", 1)[1]
    with open(path, "wb") as file:
        file.write(b"#!" + os.fsencode(sys.executable) + b"\n" + rest)
