"""A cached build is mostly imports: what talks to registries or writes archives is not among them."""

from __future__ import annotations

import subprocess
import sys

NEEDLESS = ("urllib3", "http.client", "ssl", "subprocess", "tarfile", "tempfile", "logging", "rootless.build.context.git")


def test_what_a_build_imports() -> None:
    program = (
        "import sys, rootless.build.build, rootless.cli.commands.image.build, rootless.cli.flags.build_request\n"
        f"print([name for name in {NEEDLESS!r} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
