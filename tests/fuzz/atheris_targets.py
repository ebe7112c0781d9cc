"""Coverage-guided fuzzing, by hand and for as long as one likes: not part of the test run.

    pip install atheris
    python -m tests.fuzz.atheris_targets TARGET [libFuzzer options, such as -max_total_time=600]

TARGET: layer, reference, passwd, plan, seccomp. A finding is any exception but our own.
"""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
from collections.abc import Callable
from typing import Any

from rootless.errors import RootlessError


def reference(data: bytes) -> None:
    from rootless.image.reference import parse

    parse(data.decode("utf-8", "replace"))


def passwd(data: bytes) -> None:
    from rootless.runtime.passwd import find_user

    with tempfile.TemporaryDirectory() as root:
        os.mkdir(f"{root}/etc")
        for name in ("passwd", "group"):
            with open(f"{root}/etc/{name}", "wb") as file:
                file.write(data)
        find_user(data[:20].decode("utf-8", "replace"), root=root)


def plan(data: bytes) -> None:
    from rootless.runtime.plan import Circumstances, build_plan

    found: Any = json.loads(data)
    if isinstance(found, dict):
        build_plan(found, Circumstances(True, True, True, True))


def seccomp(data: bytes) -> None:
    from rootless.runtime.seccomp_compiler import select_rules

    found: Any = json.loads(data)
    if isinstance(found, dict):
        select_rules(found, frozenset(), machine="x86_64", release="6.12")


def layer(data: bytes) -> None:
    import hashlib

    from rootless.storage import layers
    from rootless.storage.store import Store

    with tempfile.TemporaryDirectory() as root:
        store = Store.open(root, root)
        layers.unpack(store, "sha256:" + hashlib.sha256(data).hexdigest(), io.BytesIO(data))


TARGETS: dict[str, Callable[[bytes], None]] = {
    "layer": layer, "reference": reference, "passwd": passwd, "plan": plan, "seccomp": seccomp,
}  # fmt: skip
# Not found by the kinds of input that a schema has let through.
EXPECTED = (RootlessError, ValueError, RecursionError)


def main() -> None:
    import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]

    target = TARGETS[sys.argv.pop(1)]
    atheris.instrument_all()

    def one(data: bytes) -> None:
        try:
            target(data)
        except EXPECTED:
            pass

    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
