"""`rootless doctor`."""

from __future__ import annotations

import json
import os
import sys
import textwrap

from rootless.cli.grammar.command import FLAG, Args, Command, Option
from rootless.engine.doctor import Report, examine
from rootless.engine.doctor.result import ProbeResult, ProbeStatus

_COLOURS = {ProbeStatus.OK: "32", ProbeStatus.WARNING: "33", ProbeStatus.ERROR: "31;1", ProbeStatus.NOT_AVAILABLE: "36"}
_WORDS = {ProbeStatus.OK: "ok", ProbeStatus.WARNING: "warning", ProbeStatus.ERROR: "error", ProbeStatus.NOT_AVAILABLE: "no"}
_WIDEST = 100
MORE = " `rootless doctor -v` says who can give that."


def doctor(args: Args) -> int:
    """Examine the host, show what was found; 0 when a container can run, else 1."""
    report = examine()
    if args.json:
        print(json.dumps(report.document(), indent=2))
    else:
        coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        sys.stdout.write(render(report, every=args.verbose, coloured=coloured, columns=_columns()))
    return 0 if report.can_run else 1


_TOLD = ("emulated ids",)
"""Told though it works: what a user has instead of a range, which `run` warns of and names this command for."""


def render(report: Report, *, every: bool, coloured: bool, columns: int) -> str:
    """The report as text: problems with their fixes, all else only where `every`, and a last line."""
    shown = [result for result in report.results if every or result.status is not ProbeStatus.OK or result.name in _TOLD]
    width = max((len(result.name) for result in shown), default=0)
    text = "".join(_result(result, width, coloured, columns, every=every) for result in shown)
    if text and not every:
        text += "\n"
    return text + _summary(report, coloured, every=every)


def _result(result: ProbeResult, width: int, coloured: bool, columns: int, *, every: bool) -> str:
    word = f"{_WORDS[result.status]:<7}"
    if coloured:
        word = f"\x1b[{_COLOURS[result.status]}m{word}\x1b[0m"
    indent = 7 + 2 + width + 2
    finding = result.finding
    # What nobody here may ever miss takes a line; its fixes are shown on demand.
    brief = result.status is ProbeStatus.NOT_AVAILABLE and not every
    what = f"{finding.what}: {finding.effect}" if brief else finding.what
    lines = _wrapped(what, "", indent, columns)
    text = f"{word}  {result.name:<{width}}  {lines[0].lstrip()}\n" + "".join(f"{line}\n" for line in lines[1:])
    for label, value in (
        ("effect", finding.effect),
        ("you can", finding.fix_user),
        ("administrator", finding.fix_admin),
    ):
        if value and not brief:
            heading = f"{label}: "
            text += "".join(f"{line}\n" for line in _fix(heading, value, indent, columns))
    return text


def _fix(heading: str, value: str, indent: int, columns: int) -> list[str]:
    """Prose is wrapped; commands and files never are: they are there to be copied."""
    if heading.startswith("administrator"):
        first, *rest = value.splitlines()
        return [" " * indent + heading + first, *rest]
    first, *more = value.splitlines()
    lines = _wrapped(first, heading, indent, columns)
    for part in more:
        lines += _wrapped(part, "", indent + len(heading), columns)
    return lines


def _wrapped(text: str, heading: str, indent: int, columns: int) -> list[str]:
    return textwrap.wrap(
        heading + text,
        max(columns, indent + 30),
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + len(heading)),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _summary(report: Report, coloured: bool, *, every: bool) -> str:
    counts = {status: sum(result.status is status for result in report.results) for status in ProbeStatus}
    details = [f"{counts[ProbeStatus.OK]} " + ("check" if counts[ProbeStatus.OK] == 1 else "checks") + " passed"]
    if counts[ProbeStatus.ERROR]:
        details.append(f"{counts[ProbeStatus.ERROR]} failed")
    if counts[ProbeStatus.WARNING]:
        details.append(f"{counts[ProbeStatus.WARNING]} warning" + "s" * (counts[ProbeStatus.WARNING] > 1))
    if counts[ProbeStatus.NOT_AVAILABLE]:
        details.append(f"{counts[ProbeStatus.NOT_AVAILABLE]} not available here")
    verdict = "Containers can run here" if report.can_run else "Containers cannot run here"
    if coloured:
        verdict = f"\x1b[{'32' if report.can_run else '31'};1m{verdict}\x1b[0m"
    more = counts[ProbeStatus.NOT_AVAILABLE] and not every
    return f"{verdict}: {', '.join(details)}.{MORE if more else ''}\n"


def _columns() -> int:
    try:
        return min(os.get_terminal_size(sys.stdout.fileno()).columns, _WIDEST)
    except (OSError, ValueError):
        return _WIDEST


COMMAND = Command(
    name="doctor",
    summary="Check what this machine supports, and who can fix the rest",
    usage="[OPTIONS]",
    options=(
        Option(("--json",), "json", FLAG, help="Print all findings as JSON"),
        Option(("-v", "--verbose"), "verbose", FLAG, help="Show what works, too"),
    ),
    handler=doctor,
    max_args=0,
    description="Tries everything out: user namespace, ids, storage, a container, its network, a published "
    "port. Exits with 0 when a container can run here, else with 1. Leaves nothing behind.",
)
