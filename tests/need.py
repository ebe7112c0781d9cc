"""What a test needs of its host: skipped without it, or a failure where everything must work.

ROOTLESS_MUST_WORK=1 is set by .ci/run: there a test that cannot run is a failure. ROOTLESS_TEST_RANGE=none: the account is one
of those to whom nobody gave subordinate ids, and that is meant.
"""

from __future__ import annotations

import os
import shutil

import pytest


def must_work() -> bool:
    """Whether a test that cannot run counts as a failure."""
    return os.environ.get("ROOTLESS_MUST_WORK", "") not in ("", "0")


def without_range() -> bool:
    """Whether the tests are run as a user without subordinate ids and $XDG_RUNTIME_DIR, as accounts of a directory are in batch jobs."""
    return os.environ.get("ROOTLESS_TEST_RANGE", "") == "none"


def need(condition: object, why: str) -> None:
    """Go on if `condition` is true; else skip the test (or module), or fail under ROOTLESS_MUST_WORK.

    `why` names what is missing: "podman is not installed".
    """
    if condition:
        return
    if must_work():
        pytest.fail(f"cannot run here, and ROOTLESS_MUST_WORK is set: {why}", pytrace=False)
    pytest.skip(why, allow_module_level=True)


def need_real_ids(why: str) -> None:
    """Skip what is so only with subordinate ids, or $XDG_RUNTIME_DIR, where the tests are run as a user without; the mark real_ids does
    the same."""
    if without_range():
        pytest.skip(f"only with subordinate ids and $XDG_RUNTIME_DIR: {why}", allow_module_level=True)


def need_program(name: str) -> str:
    """Absolute path of the program `name`; administrators' directories are searched too."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin")
    need(path, f"{name} is not installed")
    assert path is not None
    return path
