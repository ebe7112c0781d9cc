"""A container in a container, on one store: the host's own root stands in for an image with rootless in it."""

from __future__ import annotations

from tests.harness.command import Rootless


def _inside(rootless: Rootless, script: str, *options: str, status: int = 0) -> str:
    """A shell script in a container whose root is the host's: the same command, the same store."""
    seen = rootless.environment
    environment = {name: seen[name] for name in ("HOME", "PATH", "ROOTLESS_ROOT", "XDG_RUNTIME_DIR")}
    words = [word for name, value in environment.items() for word in ("-e", f"{name}={value}")]
    done = rootless("run", "--rm", *options, *words, "--rootfs", "/", "sh", "-c", script, status=status)
    return done.stdout + done.stderr


def test_nested_run(rootless: Rootless, busybox_image: str) -> None:
    script = f"rootless run --rm --network none {busybox_image} sh -c 'echo $$ $(id -u)'"
    assert "1 0\n" in _inside(rootless, script, "--privileged")


def test_nested_network(rootless: Rootless, busybox_image: str) -> None:
    shown = _inside(rootless, f"rootless run --rm {busybox_image} ip link", "--privileged")
    assert "eth0" in shown or "tap0" in shown, shown


def test_default_walls_forbid_it_and_say_so(rootless: Rootless, busybox_image: str) -> None:
    said = _inside(rootless, f"rootless run --rm --network none {busybox_image} true", status=125)
    assert "user namespace" in said
    assert "--security-opt" in said


def test_neighbours_outside_are_left_alone(rootless: Rootless, busybox_image: str) -> None:
    """Pids of the host mean nothing inside: what runs there is neither swept nor started twice."""
    rootless("run", "-d", "--rm", "--name", "outer", "--network", "none", busybox_image, "sleep", "60")
    said = _inside(rootless, "rootless ps; rootless rm -f outer; rootless stop outer; rootless start outer; true", "--privileged")
    assert said.count("another pid namespace") == 3
    assert "Up" in rootless("ps", "--filter", "name=outer").stdout
    rootless("rm", "-f", "outer")
