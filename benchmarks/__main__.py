"""`python -m benchmarks [CASE...]`: run the cases, print the table, write results/."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from benchmarks import report
from benchmarks.cases import NAMES
from benchmarks.measure import Row
from benchmarks.world import World
from rootless import paths
from tests.harness import processes


def main(wanted: list[str]) -> int:
    unknown = sorted(set(wanted) - set(NAMES))
    if unknown:
        print(f"no such case: {', '.join(unknown)}; there are: {', '.join(NAMES)}", file=sys.stderr)
        return 2
    if paths.launcher() is None:
        print("a development tree: its commands start slower than those of an installed package", file=sys.stderr)
    processes.adopt_orphans()
    rows: list[Row] = []
    failed = False
    with World() as world:
        for name in wanted or NAMES:
            print(f"==> {name}", file=sys.stderr, flush=True)
            try:
                rows += importlib.import_module(f"benchmarks.cases.{name}").measure(world)
            except (RuntimeError, AssertionError, OSError) as error:
                print(f"    failed: {error}", file=sys.stderr)
                failed = True
    print(report.markdown(rows))
    report.write(rows, Path(__file__).parent / "results")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
