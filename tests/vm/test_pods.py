"""Pods of containerd's CRI with limits, on a machine with cgroup v2: real root's, and an ordinary user's below rootlesskit."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from tests.vm import wheels
from tests.vm.machine import Machine

pytestmark = [
    pytest.mark.full,
    pytest.mark.timeout(1800, func_only=True),
    pytest.mark.parametrize("vm", ["trixie+pods"], indirect=True),
]
TESTS = Path(__file__).parents[1]
CHECKOUT = "/srv/checkout"
RUN = "/home/alice/venv/bin/python -m tests.cri.on_machine"
ENVIRONMENT = f"cd {CHECKOUT} && export PYTHONPATH={CHECKOUT} PYTHONDONTWRITEBYTECODE=1 &&"
DELEGATED = "systemd-run --user --quiet --wait --pipe --collect --same-dir --setenv=PYTHONPATH -p 'Delegate=cpu cpuset io memory pids'"
LIMIT_S = 1200


@pytest.fixture(scope="module")
def checkout(vm: Machine, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The tests of pods in CHECKOUT, with what they import."""
    directory = tmp_path_factory.mktemp("checkout")
    wheels.unpack(vm.name, directory / "checkout", "grpcio", "grpcio-tools", "pytest")
    with tarfile.open(directory / "checkout.tar", "w") as archive:
        archive.add(directory / "checkout", ".")
        for name in ("__init__.py", "need.py", "cri", "harness", "oci/__init__.py", "oci/bundles.py"):
            archive.add(TESTS / name, f"tests/{name}", filter=lambda found: None if "__pycache__" in found.name else found)
    vm.put(directory / "checkout.tar", "/srv/checkout.tar", user="root")
    vm.run("root", f"mkdir {CHECKOUT} && tar -xof /srv/checkout.tar -C {CHECKOUT} && chmod -R a+rX {CHECKOUT}")


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize("words", ["files", "scopes next pods"])
def test_roots(vm: Machine, words: str) -> None:
    vm.run("root", f"{ENVIRONMENT} {RUN} {words}", timeout=LIMIT_S)


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize("words", ["files", "files next pods"])
def test_a_users_in_a_delegated_unit(vm: Machine, words: str) -> None:
    vm.run("alice", f"{ENVIRONMENT} {DELEGATED} {RUN} {words}", timeout=LIMIT_S)


@pytest.mark.usefixtures("checkout")
def test_a_users_scopes(vm: Machine) -> None:
    vm.run("alice", f"{ENVIRONMENT} {RUN} scopes", timeout=LIMIT_S)
