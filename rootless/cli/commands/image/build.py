"""`rootless build`."""

from __future__ import annotations

import os
import sys

from rootless.cli.flags.build_options import OPTIONS
from rootless.cli.grammar.command import Args, Command
from rootless.storage.store import Store


def build(args: Args) -> int:
    """Build the image; its progress is on stderr. With -q, its id is the one line on stdout."""
    import signal

    from rootless import interrupts
    from rootless.build import build as building
    from rootless.build.failure import BuildFailed
    from rootless.build.progress import choose
    from rootless.cli.flags.build_request import to_request

    if args.debug:
        os.environ["ROOTLESS_DEBUG"] = "1"
    interrupts.raise_again(KeyboardInterrupt, signal.default_int_handler)
    request = to_request(args)
    progress = choose.choose(args.progress, quiet=args.quiet)
    call = "check" if args.check else args.call
    try:
        if call not in ("build", ""):
            from rootless.build.answer import answer

            text, status = answer(Store.open(), request, call, progress)
            sys.stdout.write(text)
            return status
        result = building.build(Store.open(), request, progress)
    except BuildFailed as error:
        sys.stderr.flush()
        sys.stderr.buffer.write(error.account.encode("utf-8", "replace"))
        sys.stderr.buffer.flush()
        raise
    if args.quiet and result.id:
        print(result.id)
    return 0


COMMAND = Command(
    name="build",
    summary="Build an image from a Dockerfile",
    usage="[OPTIONS] PATH | URL | -",
    options=OPTIONS,
    handler=build,
    min_args=1,
    max_args=1,
    description="Steps whose sources did not change come from the cache; stages that do not wait for each other are "
    "built at the same time. Every RUN is a container with the walls of `rootless run`.",
    examples=(
        ("rootless build -t app .", "The Dockerfile of this directory"),
        ("rootless build --target test --progress plain .", "One stage, its output line by line"),
        ("rootless build --secret id=token,src=token.txt -t app .", "A secret for RUN --mount=type=secret,id=token"),
        ("rootless build -o out .", "The files of the last stage, in the directory out"),
    ),
    complete="directory",
)
