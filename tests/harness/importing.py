"""Which `rootless` a Python started by a test imports: the one that the tests themselves do."""

from __future__ import annotations

import os
from pathlib import Path

import rootless

REPOSITORY = Path(__file__).parents[2]
# For PYTHONPATH: the installed package before the checkout, which has `tests` and no helper programs.
PYTHON_PATH = f"{Path(os.fspath(rootless.__file__)).parents[1]}:{REPOSITORY}"
