"""Why pasta cannot connect a container on this host, and what to do. Imported only when something failed."""

from __future__ import annotations

from rootless.errors import NotSupported, RootlessError
from rootless.finding import Finding
from rootless.network.uplink.slirp4netns.diagnosis import tun_device

EFFECT = "--network pasta does not work"
INSTEAD = "use --network slirp4netns, or a network of your own (`rootless network create`)"
_PACKAGES = "apt install passt (Debian, Ubuntu), dnf install passt (Fedora, RHEL), pacman -S passt or apk add passt"
# Lines that explain nothing.
_NOISE = ("Failed to send", "Can't run AVX2", "--stderr will be dropped", "Usage:", "  -", "    ")


def missing_program() -> Finding:
    """pasta is not installed."""
    return Finding("pasta was not found on PATH", EFFECT, INSTEAD, _PACKAGES)


def missing_error() -> RootlessError:
    """The error for a container that wants it where there is none."""
    finding = missing_program()
    return NotSupported(f"no network: {finding.what}", finding=finding)


def cannot_publish() -> RootlessError:
    """The error for ports with a pasta of which a service that speaks first (ssh, mail) is heard after 20 seconds, and UDP on a
    port of another number not at all: tried with Debian 12's."""
    return NotSupported(
        "ports cannot be published: this pasta is older than August 2024",
        hint="install a newer passt, or use --network slirp4netns or a network of your own (`rootless network create`)",
    )


def start_error(output: str) -> RootlessError:
    """The error for the stderr of a pasta that ended at its start."""
    lines = [line for line in output.splitlines() if line.strip() and not line.startswith(_NOISE)]
    if any("/dev/net/tun" in line or "TUNSETIFF" in line for line in lines) and (finding := tun_device()):
        return NotSupported(f"no network: {finding.what}", finding=finding)
    if any("routable interface" in line or "External interface" in line for line in lines):
        return NotSupported(
            "no network: this pasta wants the host to have a default route", hint=f"{INSTEAD}: they need none"
        )
    reason = "; ".join(line.strip() for line in lines[:3]) or "it said nothing"
    return RootlessError(f"pasta failed: {reason}", hint=INSTEAD)
