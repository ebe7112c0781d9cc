"""`python -m rootless.cli`, and by the path of this file how our own programs, units and crontabs call us:
`python -EPS .../rootless/cli/__main__.py` depends on nothing in the environment (docs/development/decisions/launcher.md)."""

import sys

if not __package__:
    # By path, isolated: where the package is, this file knows. Last, so that nothing beside it stands before
    # a module of Python's.
    sys.path.append(__file__.removesuffix("/rootless/cli/__main__.py"))
    from rootless import bytecode

    bytecode.install()

from rootless.cli.main import main

main()
