"""`rootless console`: pages for a browser."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import socket

from rootless.cli.grammar.command import LIST, VALUE, Args, Command, Option, integer
from rootless.errors import InvalidInput, NotSupported
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from rootless.console.passwords import Passwords
    from rootless.console.running import Place

_IDLE_S = 30 * 60
_PORT = 8080


def console(args: Args) -> int:
    """Serve until told to end, or until nobody has looked for a while; where one runs already, a new link to it."""
    if args.time < 0:
        raise InvalidInput("--time is a number of seconds (0: for ever)")
    if args.login not in ("link", "pam"):
        raise InvalidInput(f"invalid --login: {args.login}", hint="link, or pam: the link and your password")
    needed = ("jinja2", "uvicorn", "pam") if args.login == "pam" else ("jinja2", "uvicorn")
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise NotSupported(
            f"the console needs packages that are not installed: {', '.join(missing)}",
            hint="install them beside rootless: pip install 'rootless[console]'; with the Debian package: "
            "apt install python3-jinja2 python3-pampy python3-uvicorn",
        )
    from rootless.console import running

    found = running.ask_for_link()
    if found:
        if args.listen:
            raise InvalidInput("a console runs already, where --listen did not say", hint="end it first, or leave --listen out")
        print("A console runs already.")
        _say_how(*found)
        return 0
    _serve(args)
    return 0


def _serve(args: Args) -> None:
    from rootless.console import guard, running
    from rootless.console.app import Console
    from rootless.console.engine_api import EngineApi
    from rootless.console.listening import listening
    from rootless.console.server import Server
    from rootless.storage.store import Store

    passwords = _passwords() if args.login == "pam" else None
    Store.open()
    with listening(args.listen) as sock, running.remembered(sock) as place, contextlib.closing(running.EngineService()) as engine:
        port = sock.getsockname()[1] if sock.family != socket.AF_UNIX else None
        own = place.name or (f"[{place.host}]" if ":" in place.host else place.host)
        names = (*guard.LOOPBACK, own, *(name.lower() for name in args.name))
        served = Console(guard.Rules(names, port), EngineApi(engine.connect), place.key, passwords)
        Server(served, sock, args.time, lambda: _say_how(place, served.sessions.new_link())).serve_until_ended()


def _passwords() -> Passwords:
    import time

    from rootless.console import passwords
    from rootless.engine.doctor.probes import pam

    if why := pam.obstacle():
        raise NotSupported(f"--login pam cannot work here: {why}", hint="log in by the link: leave --login out")
    return passwords.Passwords(time.monotonic)


def _say_how(place: Place, secret: str) -> None:
    if place.path:
        import pwd
        import shlex

        user = pwd.getpwuid(os.getuid()).pw_name
        host = socket.gethostname()
        # Where the port is taken, ssh has to say so: the browser would show its link to who has it.
        words = ["ssh", "-N", "-o", "ExitOnForwardFailure=yes", "-L", f"{_PORT}:{place.path}", f"{user}@{host}"]
        print("On your own computer:  " + shlex.join(words))
        where = f"{place.name}:{_PORT}"
    else:
        where = f"[{place.host}]:{place.port}" if ":" in place.host else f"{place.host}:{place.port}"
    print(f"In your browser:       http://{where}/login#login={secret}")
    if place.path:
        print(f"Where a browser does not find {place.name} (Safari): write localhost for it.")
    print("The link is good for one minute, once; `rootless console` in another terminal prints a new one.", flush=True)


COMMAND = Command(
    name="console",
    summary="Look at containers in a browser",
    usage="[OPTIONS]",
    options=(
        Option(("--listen",), "listen", VALUE, metavar="string", default="",
               help="Listen on a port of this machine's loopback instead, for your processes alone: 127.0.0.1:PORT (0: a free one)"),
        Option(("--login",), "login", VALUE, metavar="string", default="link", complete="link|pam",
               help="How a browser logs in: by the link that is printed, or (pam) by your password, too"),
        Option(("--name",), "name", LIST, metavar="list",
               help="A host's name that the browser may know the console by, besides localhost"),
        Option(("-t", "--time"), "time", VALUE, metavar="int", default=_IDLE_S, convert=integer,
               help="Seconds without a page after which it ends (default 1800; 0: never)"),
    ),
    handler=console,
    max_args=0,
    description="The console listens on a Unix socket that is yours alone, and is reached through ssh. It prints a link that logs "
    "a browser in, once. Where a console runs already, this prints a new link to it. docs/console.md says more.",
    examples=(
        ("rootless console", "and then what it prints, on your own computer"),
        ("rootless console --listen 127.0.0.1:0", "for a browser on this machine"),
    ),
)  # fmt: skip
