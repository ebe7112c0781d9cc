"""netd reads what containers send. If one of them took it over, what could it do to the user?"""

from __future__ import annotations

import subprocess
from pathlib import Path

from rootless.linux.namespace import CLONE_NEWNET
from tests.harness.forked import become_root_of_own_namespace, forked
from tests.need import need_program

HELPERS = Path(__file__).resolve().parents[2] / "helpers"


def build(directory: Path) -> Path:
    program = directory / "netd_sandbox"
    sources = [Path(__file__).with_name("netd_sandbox.c"), HELPERS / "netd/sandbox.c", HELPERS / "netd/hub.c"]
    subprocess.run(
        [need_program("cc"), "-std=c11", "-D_GNU_SOURCE", f"-I{HELPERS}", *sources, "-o", program, "-pthread"],
        check=True, timeout=100,
    )  # fmt: skip
    return program


def test_it_makes_no_socket_of_another_kind_runs_nothing_and_reads_no_file_of_the_users(tmp_path: Path) -> None:
    program = build(tmp_path)
    secret = tmp_path / "secret"
    secret.write_text("x")

    def work() -> str:
        become_root_of_own_namespace(CLONE_NEWNET)
        done = subprocess.run([program, secret, tmp_path / "made"], capture_output=True, text=True, timeout=60, check=True)
        return done.stdout

    said = [line.split() for line in forked(work).splitlines()[1:]]
    both = {what: {result for name, result in said if name == what} for what, _ in said}
    assert both == {
        "inet": {"done"}, "inet6": {"done"},
        # Behind such sockets are the session's bus, agents, our own monitors: whoever may speak to those may do anything.
        "unix": {"EAFNOSUPPORT"}, "vsock": {"EAFNOSUPPORT"}, "alg": {"EAFNOSUPPORT"}, "packet": {"EAFNOSUPPORT"},
        "execute": {"ENOSYS"}, "trace": {"ENOSYS"}, "read": {"EACCES"}, "make": {"EACCES"}, "resolv.conf": {"done"},
    }  # fmt: skip
    assert not (tmp_path / "made").exists()
