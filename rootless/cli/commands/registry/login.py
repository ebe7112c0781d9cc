"""`rootless login`: keep credentials for a registry, after asking it whether they are right."""

from __future__ import annotations

import os
import sys

from rootless import inherited
from rootless.cli.grammar.command import FLAG, VALUE, Args, Command, Option
from rootless.errors import InvalidInput


def login(args: Args) -> int:
    """Ask for what was not given, try it, keep it."""
    from rootless.engine.images import logins

    registry = args.positional[0] if args.positional else logins.DEFAULT
    if args.get_login:
        print(logins.user_of(registry))
        return 0
    if args.password_stdin and args.password is not None:
        raise InvalidInput("--password and --password-stdin are mutually exclusive")
    if args.password_stdin and not args.username:
        raise InvalidInput("Must provide --username with --password-stdin")
    username, password = args.username, args.password
    if args.password_stdin:
        password = sys.stdin.read().rstrip("\r\n")
    elif password is not None:
        print("WARNING! Using --password via the CLI is insecure. Use --password-stdin.", file=sys.stderr)
    if username is None or password is None:
        username, password = _ask(username, password)
    os.umask(inherited.umask)  # what is made below ~/.config is the user's
    path = logins.login(registry, username, password, tls_verify=args.tls_verify)
    print(f"Login Succeeded: kept in {path}", file=sys.stderr)
    return 0


def _ask(username: str | None, password: str | None) -> tuple[str, str]:
    if not sys.stdin.isatty():
        raise InvalidInput(
            "Cannot perform an interactive login from a non TTY device",
            hint="--username and --password-stdin",
        )
    from getpass import getpass

    if username is None:
        sys.stderr.write("Username: ")
        sys.stderr.flush()
        username = sys.stdin.readline().strip()
        if not username:
            raise InvalidInput("username is empty")
    return username, getpass("Password: ") if password is None else password


COMMAND = Command(
    name="login",
    summary="Authenticate to a registry",
    usage="[OPTIONS] [SERVER]",
    options=(
        Option(("--get-login",), "get_login", FLAG, help="Print the user name that is logged in, and log in nobody"),
        Option(("-p", "--password"), "password", VALUE, help="Password or personal access token"),
        Option(("--password-stdin",), "password_stdin", FLAG, help="Take the password from stdin"),
        Option(("--tls-verify",), "tls_verify", FLAG, default=True,
               help="Require https with a valid certificate; false allows plain http"),
        Option(("-u", "--username"), "username", VALUE, help="Username; asked for if it is not given"),
    ),
    handler=login,
    max_args=1,
    description="Docker Hub if no server is named. The password is saved in auth.json, which podman and skopeo also "
    "use, or with the credential helper that the configuration names.",
)  # fmt: skip
