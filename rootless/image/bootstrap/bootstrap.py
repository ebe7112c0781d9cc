"""`bootstrap`: an image from a distribution's own packages, with no registry at all.

Debian, Ubuntu and Devuan by mmdebstrap as the ordinary user (its "unshare" mode: it makes a user
namespace of its own with newuidmap; for a user without a range its users are emulated: emulated.py). The tar it prints
becomes the only layer. `busybox` needs no network: the host's static busybox and links for its applets (busybox_image.py).
"""

from __future__ import annotations

import email.utils
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import parse_url

from rootless.errors import InvalidInput, NotFound, NotSupported, RootlessError, Unavailable
from rootless.image import platforms, reference
from rootless.image.bootstrap import busybox_image, distributions, emulated
from rootless.image.bootstrap.distributions import Distribution
from rootless.image.platforms import Platform
from rootless.image.progress import Event, Phase, Progress, silent
from rootless.image.registry import connection
from rootless.image.transfer import new_image
from rootless.image.transfer.layers import Layer
from rootless.session import session
from rootless.storage.images import Image
from rootless.storage.store import Store

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
VARIANTS = ("extract", "custom", "essential", "apt", "minbase", "buildd", "important", "standard")
# What Docker's slim Debian images leave out, and for ever: dpkg keeps to it in the container, too.
_SLIM = (
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "path-include=/usr/share/locale/locale.alias",
)
# mmdebstrap's lines that mean something to people; the others speak of its own inside.
_TOLD = ("running apt-get", "downloading", "extracting", "installing", "cleaning", "creating tarball")
_PACKAGE = re.compile(r"[a-z0-9?~][A-Za-z0-9+.:_=/~?()!|-]*\Z")
_RELEASE_LIMIT_BYTES = 4 << 20


class BootstrapOptions(NamedTuple):
    """mmdebstrap's options besides the suite; see mmdebstrap(1)."""

    include: Sequence[str] = ()
    variant: str = "minbase"
    mirror: str | None = None
    components: str | None = None
    platform: Platform | None = None


def bootstrap(
    store: Store,
    name: str,
    *,
    options: BootstrapOptions | None = None,
    tag: str | None = None,
    progress: Progress = silent,
) -> Image:
    """Make the image `name` (`debian:bookworm`, `ubuntu:noble`, `devuan`, `busybox`) and store it.

    It is stored as docker.io/library/<name>:<release>, or as `tag`. Network and the mmdebstrap package are needed for all but
    busybox, newuidmap or Linux 5.19 for its users. Call single-threaded.
    """
    canonical = reference.parse(tag or name).canonical
    if name.partition(":")[0] == "busybox":
        return busybox_image.build(store, canonical, progress=progress)
    options = options or BootstrapOptions()
    _check(options)
    platform = options.platform or platforms.host()
    distribution = distributions.describe(
        name, platform, mirror=options.mirror, components=options.components
    )
    alone = session.status().single_id
    if alone:
        emulated.require(store)
        session.join()
    command = _command(distribution, options, platform, alone=alone)
    progress(Event("", Phase.MESSAGE, text=f"Asking {distribution.mirror} for {distribution.suite}"))
    released = _release_date(distribution)
    epoch = str(released) if released is not None else os.environ.get("SOURCE_DATE_EPOCH", "")
    environment = dict(os.environ) | ({"SOURCE_DATE_EPOCH": epoch} if epoch else {})
    with store.lease():
        layer = _run(store, command, distribution, environment, progress, alone=alone)
        created = new_image.timestamp(float(epoch) if epoch else None)
        if epoch:
            text = f"Its date is the archive's, {created[:10]}: the same packages make the same image"
            progress(Event("", Phase.MESSAGE, text=text))
        made_by = " ".join(["mmdebstrap", f"--variant={options.variant}", distribution.suite])
        return new_image.add_image(
            store,
            canonical,
            [layer],
            run_config=_run_config(distribution),
            history=[{"created": created, "created_by": made_by, "comment": "rootless bootstrap"}],
            created=created,
            platform=platform,
            progress=progress,
        )


def _run_config(distribution: Distribution) -> dict[str, Any]:
    return {
        "Env": [PATH],
        "Cmd": ["bash"],
        "Labels": {
            "org.opencontainers.image.title": distribution.name,
            "org.opencontainers.image.version": distribution.suite,
        },
    }


def _check(options: BootstrapOptions) -> None:
    if options.variant not in VARIANTS:
        raise InvalidInput(f"unknown variant {options.variant!r}", hint="one of " + ", ".join(VARIANTS))
    for package in options.include:
        if not _PACKAGE.match(package):
            raise InvalidInput(f"{package!r} is no name of a package")
    for component in (options.components or "").replace(",", " ").split():
        if not component.replace("-", "").replace("/", "").isalnum():
            raise InvalidInput(f"{component!r} is no archive component", hint="for example main, contrib")
    if options.mirror is not None and ("://" not in options.mirror or not options.mirror.isprintable()):
        raise InvalidInput(
            f"{options.mirror!r} is no mirror", hint="write a URL, http://HOST/debian"
        )
    if options.mirror is not None and (" " in options.mirror or "[" in options.mirror):
        raise InvalidInput(f"{options.mirror!r} is no mirror", hint="one URL, without options")


def _command(distribution: Distribution, options: BootstrapOptions, platform: Platform, *, alone: bool) -> list[str]:
    program = shutil.which("mmdebstrap")
    if program is None:
        raise NotSupported(
            "mmdebstrap is not installed",
            hint="the administrator can: `apt install mmdebstrap` (Debian, Ubuntu) or `dnf install mmdebstrap`; "
            "without it, `rootless pull` or `rootless import TARBALL`",
        )
    if not distribution.keyrings:
        raise NotSupported(
            f"this host does not know the keys of {distribution.name}'s archive",
            hint=f"the administrator can: `apt install {distribution.keyring_package}`",
        )
    # Inside the session we are root already, and newuidmap would not help; but the mounts of
    # the host are not ours: mmdebstrap gets a mount namespace to itself. Where we are `alone`, emulated.py sees to that.
    inside = session.inside()
    prefix = ["unshare", "--mount", "--propagation", "private", "--"] if inside and not alone else []
    command = [
        *prefix,
        program,
        "--mode=root" if inside else "--mode=unshare",
        f"--variant={options.variant}",
        "--format=tar",
        # Device nodes cannot be made from it by an ordinary user; /dev is the runtime's.
        "--skip=output/dev",
        f"--architectures={platforms.debian_architecture(platform)}",
        *[f"--keyring={path}" for path in distribution.keyrings],
        *[f"--dpkgopt={option}" for option in (_SLIM if distribution.tag.endswith("-slim") else ())],
        # What would only differ from run to run, or tell about this host.
        '--customize-hook=rm -f "$1/etc/hostname" "$1/etc/resolv.conf" "$1/var/log/bootstrap.log"',
        '--customize-hook=rm -rf "$1/var/log/apt" "$1/var/cache/debconf"/*-old "$1/var/lib/dpkg"/*-old',
    ]
    if alone:
        command += emulated.OPTIONS
    if options.include:
        command.append("--include=" + ",".join(options.include))
    return [*command, distribution.suite, "-", *distribution.sources]


def _release_date(distribution: Distribution) -> int | None:
    """When the suite was last published: a cheap look that finds wrong names and missing networks.

    Only for http and https; None where the answer has no date.
    """
    address = f"{distribution.mirror}/dists/{distribution.suite}/InRelease"
    try:
        url = parse_url(address)
        if url.scheme not in ("http", "https"):
            return None
        pool, headers = connection.open_pool(url, connection.tls_context(url.netloc or ""))
        sent = {"User-Agent": connection.USER_AGENT} | headers
        response = pool.request("GET", url.url, headers=sent, preload_content=False, redirect=True, retries=3)
        try:
            if response.status == 404:
                raise NotFound(
                    f"{distribution.mirror} has no release called {distribution.suite}",
                    hint="is the name right? a mirror may also have moved it to its archive",
                )
            if response.status != 200:
                raise Unavailable(f"{address} answered {response.status} {response.reason or ''}".rstrip())
            text = response.read(_RELEASE_LIMIT_BYTES).decode(errors="replace")
        finally:
            response.close()
    except (HTTPError, LocationParseError, OSError) as error:
        raise Unavailable(
            f"cannot reach {distribution.mirror}: {connection.reason(error)}",
            hint="is there a network? --mirror names another mirror",
        ) from None
    for line in text.splitlines()[:40]:
        if line.startswith("Date:"):
            try:
                return int(email.utils.parsedate_to_datetime(line[5:].strip()).timestamp())
            except (ValueError, OverflowError):
                return None
    return None


def _run(
    store: Store,
    command: list[str],
    distribution: Distribution,
    environment: dict[str, str],
    progress: Progress,
    *,
    alone: bool,
) -> Layer:
    """Run mmdebstrap and store what it prints. Its last lines explain a failure."""
    said: list[str] = []
    started: AbstractContextManager[emulated.Program | subprocess.Popen[bytes]]
    if alone:
        started = emulated.running(store, command, environment)
    else:
        pipe = subprocess.PIPE
        started = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, env=environment)
    with started as running:
        assert running.stdout is not None
        assert running.stderr is not None
        listener = threading.Thread(target=_listen, args=(running.stderr, said, progress), daemon=True)
        listener.start()
        try:
            layer = new_image.add_layer(store, running.stdout)
        except BaseException:
            running.terminate()
            raise
        status = running.wait()
        listener.join()
    if status != 0:
        raise _failure(said, status, distribution)
    return layer


def _listen(stream: Any, said: list[str], progress: Progress) -> None:
    for raw in stream:
        line = "".join(c for c in raw.decode(errors="replace").strip() if c.isprintable())
        said.append(line)
        del said[:-200]
        if line.startswith("I: ") and line[3:].startswith(_TOLD):
            progress(Event("", Phase.MESSAGE, text=line[3:].rstrip(".").capitalize()))


def _failure(said: list[str], status: int, distribution: Distribution) -> RootlessError:
    errors = [line[3:] for line in said if line.startswith("E: ")]
    text = "\n".join(said)
    # apt's own reason comes first, mmdebstrap's "apt-get ... failed" last.
    reason = errors[0] if errors else (said[-1] if said else f"status {status}")
    hint = "\n".join(said[-4:]) or None
    if "NO_PUBKEY" in text or "not signed" in text:
        hint = f"the keys here are too old: `apt install --only-upgrade {distribution.keyring_package}`"
    elif "Unable to locate package" in text:
        return NotFound(reason, hint="is the package's name right, and its component in --components?")
    elif "Temporary failure resolving" in text or "Could not connect" in text:
        return Unavailable(reason, hint="is there a network?")
    elif "newuidmap" in text or "subuid" in text:
        hint = "the administrator can: `apt install uidmap`, and `usermod --add-subuids 100000-165535 NAME`"
    return RootlessError(f"mmdebstrap failed: {reason}", hint=hint)
