"""`bootstrap busybox`: a tiny image from the host's static busybox; no network, no namespace.

Built as a tar in memory: a few megabytes, most of them the program.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile

from rootless.errors import NotSupported
from rootless.image.progress import Progress
from rootless.image.transfer import new_image
from rootless.storage.images import Image
from rootless.storage.store import Store

_DIRECTORIES = {
    "bin": 0o755,
    "dev": 0o755,
    "etc": 0o755,
    "home": 0o755,
    "proc": 0o555,
    "root": 0o700,
    "run": 0o755,
    "sbin": 0o755,
    "sys": 0o555,
    "tmp": 0o1777,
    "usr": 0o755,
    "usr/bin": 0o755,
    "usr/sbin": 0o755,
    "var": 0o755,
    "var/tmp": 0o1777,
}
_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n"
    "daemon:x:1:1:daemon:/usr/sbin:/bin/false\n"
    "www-data:x:33:33:www-data:/var/www:/bin/false\n"
    "nobody:x:65534:65534:nobody:/home:/bin/false\n",
    "etc/group": "root:x:0:\ndaemon:x:1:\nwww-data:x:33:\nusers:x:100:\nnogroup:x:65534:\n",
    "etc/shadow": "root:*:::::::\ndaemon:*:::::::\nwww-data:*:::::::\nnobody:*:::::::\n",
}


def build(store: Store, canonical: str, *, progress: Progress) -> Image:
    """Make and store the image under `canonical`. NotSupported without a static busybox."""
    program = _static_busybox()
    modified = int(os.stat(program).st_mtime)
    tar = _tar(program, modified)
    created = new_image.timestamp(modified)
    with store.lease():
        layer = new_image.add_layer(store, tar)
        return new_image.add_image(
            store,
            canonical,
            [layer],
            run_config={
                "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
                "Cmd": ["sh"],
            },
            history=[{"created": created, "created_by": "busybox", "comment": "rootless bootstrap"}],
            created=created,
            platform=new_image.host_platform(),
            progress=progress,
        )


def _static_busybox() -> str:
    hint = "the administrator can: `apt install busybox-static`"
    program = shutil.which("busybox", path=os.environ.get("PATH", "") + ":/bin:/usr/bin:/sbin")
    if program is None:
        raise NotSupported("busybox is not installed", hint=hint)
    with open(program, "rb") as file:
        # A dynamic program names its interpreter (ELF program header PT_INTERP) near its start.
        start = file.read(4096)
    if b"/ld-" in start or b"/ld64" in start:
        raise NotSupported(f"{program} is not statically linked", hint=hint)
    return program


def _applets(program: str) -> list[str]:
    """Paths without the leading slash (`bin/ls`), as `busybox --list-full` prints them."""
    listed = subprocess.run([program, "--list-full"], capture_output=True, text=True, check=True).stdout
    return sorted(
        {
            line.strip()
            for line in listed.splitlines()
            if line.startswith(("bin/", "sbin/", "usr/bin/", "usr/sbin/"))
        }
        - {"bin/busybox", "usr/bin/busybox"}
    )


def _tar(program: str, modified: int) -> io.BytesIO:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:

        def add(name: str, kind: bytes, mode: int, data: bytes = b"", link: str = "") -> None:
            member = tarfile.TarInfo(name)
            member.type, member.mode, member.mtime = kind, mode, modified
            member.size, member.linkname = len(data), link
            member.uname = member.gname = "root"
            tar.addfile(member, io.BytesIO(data))

        for name, mode in _DIRECTORIES.items():
            add(name, tarfile.DIRTYPE, mode)
        with open(program, "rb") as file:
            add("bin/busybox", tarfile.REGTYPE, 0o755, file.read())
        for name in _applets(program):
            add(name, tarfile.SYMTYPE, 0o777, link="/bin/busybox")
        for name, text in _FILES.items():
            add(name, tarfile.REGTYPE, 0o640 if name == "etc/shadow" else 0o644, text.encode())
    buffer.seek(0)
    return buffer
