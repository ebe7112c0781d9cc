"""No word on the command line ends in an internal error, a traceback, a hang or a file where none was named.

words_driver.py reads the commands' own tables, so that a new option is tried the day it is there. 55 words for each of 1,000
options take two to three minutes of a processor: .ci/full has all of them, .ci/run a third for each option, another for the next one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.harness.importing import PYTHON_PATH
from tests.harness.trees import remove_tree
from tests.hostile import words_driver
from tests.need import need_program

PARTS = 2


@pytest.mark.timeout(900)
@pytest.mark.parametrize("step", [3, pytest.param(1, marks=pytest.mark.full)])
def test_every_option_of_every_command(step: int, rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    # Some of the words begin an id, and `rm 0` means the one container whose id begins so: cc is to outlive them all.
    while rootless("create", "--name", "cc", "--network", "none", busybox_image, "true").stdout.startswith(words_driver.WORDS[1:]):
        rootless("rm", "cc")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("newuidmap", "newgidmap"):  # and no crontab, no slirp4netns, no systemctl
        (programs / name).symlink_to(need_program(name))
    home = tmp_path / "home"
    home.mkdir()
    running = []
    for part in range(PARTS):
        place = tmp_path / f"a/b/c{part}"
        place.mkdir(parents=True)
        environment = {**rootless.environment, "HOME": str(home), "PATH": str(programs), "PYTHONPATH": str(PYTHON_PATH)}
        driver = [sys.executable, "-m", "tests.hostile.words_driver", str(place), f"{part}/{PARTS}", str(step)]
        running.append(subprocess.Popen(driver, env=environment, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
    wrong, cases = [], 0
    for process in running:
        told, failed = process.communicate(timeout=860)
        assert process.returncode == 0, failed.decode()[-3000:]
        for line in told.decode().splitlines():
            found = json.loads(line)
            cases += found.get("cases", 0)
            if "wrong" in found:
                wrong.append(f"rootless {found['command']} {found['words']}\n    {found['wrong']}")
    assert not wrong, f"{len(wrong)} of {cases}:\n" + "\n".join(wrong[:40])
    assert cases > 5000
    assert sorted(os.listdir(tmp_path)) == ["a", "bin", "home"]
    assert sorted(os.listdir(tmp_path / "a/b")) == [f"c{part}" for part in range(PARTS)]
    shutil.rmtree(tmp_path / "a")
    rootless("pod", "rm", "--force", "--time", "0", "--all", timeout=300)  # `pod start --all` may have come after the last that ends them
    rootless("rm", "cc")
    for name in ("containers", "pods", "names"):  # `pod create` with this and that: hundreds
        remove_tree(rootless.root / name)
