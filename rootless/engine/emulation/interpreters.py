"""Where qemu-user is: on PATH, or where `rootless binfmt install` has put it."""

from __future__ import annotations

import os
import shutil

from rootless import paths
from rootless.engine.emulation.architectures import Architecture, is_static_program


def directory() -> str:
    """Where installed ones are; it need not exist."""
    return os.path.join(paths.data_root(), "binfmt")


def installed_path(architecture: Architecture) -> str:
    """The path that an installed one has."""
    return os.path.join(directory(), f"qemu-{architecture.qemu}-static")


def find(architecture: Architecture) -> str | None:
    """The program that executes that architecture's, statically linked; None where there is none."""
    on_path = (shutil.which(f"qemu-{architecture.qemu}{ending}") for ending in ("-static", ""))
    candidates = [os.path.abspath(path) for path in on_path if path]
    return next((path for path in (*candidates, installed_path(architecture)) if is_static_program(path)), None)
