"""Emulated ids against real ones: the same system calls, the same answers, errno by errno (helpers/ids)."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.harness.trees import remove_tree
from tests.need import need_program

HERE = Path(__file__).parent
HELPERS = HERE.parents[1] / "helpers"
ONE_ID = ["unshare", "--user", "--map-root-user", "--mount"]
ALL_IDS = [*ONE_ID, "--map-auto", "--pid", "--fork", "--kill-child", "--mount-proc"]


def emulated(helpers: Path, level: str, *command: str) -> list[str]:
    return [*ONE_ID, "--kill-child", "--fork", sys.executable, str(HERE / "ids_driver.py"), str(helpers), level, *command]


class Side:
    """One of the two that make the calls: with real ids, or with emulated ones."""

    def __init__(self, directory: Path, argv: list[str], program: Path) -> None:
        directory.mkdir()
        self.directory, self.program = directory, program
        self.numbers = itertools.count()
        environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
        self.process = subprocess.Popen(
            argv, cwd=directory, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def answers(self, script: list[str]) -> list[str]:
        """What the calls of `script` say, made in a new process in a new directory that everybody may write to."""
        place = self.directory / str(next(self.numbers))
        place.mkdir()
        place.chmod(0o777)
        shutil.copy(self.program, place / "prog")
        (place / "script").write_text("\n".join(("setgroups", *script)) + "\n")
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{place}\n")
        self.process.stdin.flush()
        found = list(iter(self.process.stdout.readline, "end\n"))
        assert self.process.poll() is None
        return found

    def end(self) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        code = self.process.wait(60)
        remove_tree(self.directory)
        return code


BITS = [64, pytest.param(32, marks=pytest.mark.skipif(os.uname().machine != "x86_64", reason="calls of 32 bits are x86's"))]


@pytest.fixture(scope="module", params=BITS)
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Makes the calls; of 32 bits: as a program of 32-bit x86 makes them, and needs no library of such."""
    built = tmp_path_factory.mktemp("calls") / "calls"
    narrow = ["-mno-red-zone", "-include", str(HERE / "ids_compat.h"), str(HERE / "ids_compat.c")] if request.param == 32 else []
    command = [need_program("cc"), "-static", "-O1", "-o", str(built), *narrow]
    subprocess.run([*command, *(HERE / f"ids_{each}.c" for each in ("calls", "links", "others"))], check=True, timeout=60)
    return built


@pytest.fixture(scope="module")
def sides(helpers: Path, program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Side, Side]]:
    place = tmp_path_factory.mktemp("sides")
    both = (
        Side(place / "real", [*ALL_IDS, str(program)], program),
        Side(place / "emulated", emulated(helpers, "full", str(program)), program),
    )
    yield both
    assert [side.end() for side in both] == [0, 0]


def same(sides: tuple[Side, Side], script: list[str]) -> list[str]:
    real, found = (side.answers(script) for side in sides)
    both = enumerate(zip(real, found, strict=False))
    at = next((i for i, (one, other) in both if one != other), min(len(real), len(found)))
    assert found == real, f"after {real[max(0, at - 8) : at]}: {found[at : at + 1]}, and really {real[at : at + 1]}"
    return real


ALL_CALLS = """
setreuid 0 1|target 0 1 0 0|process|setreuid 0 0
who|open r 0101 0600|symlink r k|symlink nothere w|open a 0101 0644|chown a 33 44|links|unlink a|unlink own|unlink made|crowd
target 0 0 0 0|setfsuid 33|process|setfsuid 0|target 33 0 0 0|priority|target 0 0 0 0|badpointers|open a 0101 0644|badpointers
chown a 33 44|stat a|lstat a|statx a|fchown a 12 13|opath a 14 15|fchown3 a 16 17
symlink a l|lstat l|stat l|lchown l 5 6|lstat l|mkdir d 0777
chmod d 02777|chown d 7 8|open d/x 0101 0600|stat d/x|mkdir c 0755|open c/x 0101 0644|mkdir d/e/ 0755|stat d/e|fifo f 0600|chown f 3 3
stat f|device dev 0600|chown prog 0 0|chmod prog 06755|stat prog|peer|self|setgroups 9 3 100|keep 1|setresgid 33 33 33
setresuid 33 33 33|who|setgid 5|caps 1 1|who|setgid 5|keep 0|caps 1 0|who|caps 1 1|caps 0 0|who|caps 1 1|peer|self|umask 027
open d/y 0101 0666|stat d/y|open d/y 01 0666|chown d/y 33 33|chown d/y 33 100|chown d/y 5 5|chown a 33 33|chmod a 0600|chmod d/y 06755
stat d/y|open d/y 0301 0644|mkdir d/z 0777|symlink z d/w|lstat d/w|fifo d/f 0666|bind d/s|chmod d/s 0777|bind d/s|open c/x 0101 0644
open c/x 0301 0644|open c/x 0100 0644|open c/n 0101 0644|mkdir c/m 0777|mkdir c/x 0777|bind c/s|bind c/x|lstat d/f|open d 020200001 0600
symlink d/new n|open n 0101 0644|stat d/new|open /proc/self/fd/99 0101 0600|setuid 0|setreuid 33 0|mkdir s 0700|unlink c/x
rename c/x d/x|rename a d/aa|link prog d/p|link d/aa d/ab|truncate c/x 0|open c/x 02 0|open c/x 0 0|access c/x 2|access c/x 4
eaccess d/aa 6|open2 d/aa 0 0|rmdir d/m|unlink d/aa|chdir c|chdir ..|signal 0|signal 18|trace|memory|process|priority|target 33 33 33 33
signal 0|trace|memory|process|priority|target 33 5 33 33|signal 23|trace|memory|times c/x -1|times c/x 0|times d/y 0
attribute c/x user.x|attribute d/y user.x|connect d/s|readlink d/w|fchdir d|fchdir ..|watch c/x|watch d|statfs d|fork|exec prog|who
caps 1 1|open q 0101 0600|stat q|setuid 33|who|links|open k 0 0|open k 02 0|open k/ 0 0|access k 4|access k/ 4|truncate k 0|stat k
stat k/|times k 0|attribute k user.x|watch k|open w 0101 0640|stat nothere|chdir k|exec k|connect k|setresuid 0 0 0|exec nothere|who|nnp
exec prog|who
""".strip().replace("\n", "|").split("|")


def test_all_calls(sides: tuple[Side, Side]) -> None:
    found = same(sides, ALL_CALLS)
    # That it is about ids at all: a file, a link, who runs, and what a set-user-id program becomes.
    assert "stat 33:44 100644\n" in found
    assert "lstat 5:6 120777\n" in found
    assert "theirs 1, ours 0\n" in found
    assert {"kill -1 1\n", "seize -1 1\n", "read memory -1 1\n"} <= set(found)
    assert any(line.startswith("who 0 0 33,33,33,33 5,5,5,5") for line in found)
    assert any(line.startswith("who 0 0 33,0,0,0 ") for line in found)


IDS = st.sampled_from([0, 0, 1, 33, 33, 1000, -1])
SOME = st.sampled_from([0, 1, 33, 44, 1000])
NAMES = st.sampled_from(["a", "b", "d", "d/x", "d/y", "l", "prog", "d/../a", "nothere/x", "l/x", "d/x/", "./d/.", "e/x", "l/", "d/.."])
FILE_MODES = st.sampled_from(["0644", "0666", "0755", "04755", "02755", "06755", "02645", "0444", "06775", "0600", "0640", "0060", "0711"])
DIRECTORY_MODES = st.sampled_from(["0777", "02777", "0755", "0700", "0711", "0770", "01777", "0070", "0666"])


def line(word: str, *parts: st.SearchStrategy[object]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map(lambda values: " ".join((word, *map(str, values))))


OPENED = st.sampled_from(
    ["0", "01", "02", "03", "01001", "010000000", "01000000", "0400000", "0200000", "0101", "0102", "0301", "01101", "020200002", "0400101",
     "0200101", "010000102"]
)
STEPS = st.one_of(
    *(line(word, IDS) for word in ("setuid", "setgid", "setfsuid", "setfsgid")),
    *(line(word, IDS, IDS) for word in ("setreuid", "setregid")),
    *(line(word, IDS, IDS, IDS) for word in ("setresuid", "setresgid")),
    st.lists(SOME, max_size=4).map(lambda groups: " ".join(("setgroups", *map(str, groups)))),
    line("keep", st.sampled_from([0, 1, 2])),
    line("caps", st.sampled_from([0, 1]), st.sampled_from([0, 1])),
    *(st.just(word) for word in ("who", "peer", "fork", "self", "badpointers")),
    line("umask", st.sampled_from(["0", "022", "02"])),
    line("open", NAMES, OPENED, FILE_MODES),
    line("open2", NAMES, st.sampled_from(["0", "01", "02", "0101", "0301", "010000000"]), st.just("0")),
    line("mkdir", st.sampled_from(["d", "d/x", "e"]), DIRECTORY_MODES),
    line("chmod", st.sampled_from(["d", "e"]), DIRECTORY_MODES),
    *(line(word, NAMES) for word in ("unlink", "rmdir")),
    line("rename", NAMES, NAMES, st.sampled_from([0, 0, 1, 2])),
    line("link", NAMES, NAMES),
    *(line(word, NAMES, st.integers(0, 7)) for word in ("access", "eaccess")),
    line("truncate", NAMES, st.just(0)),
    line("chdir", st.sampled_from(["d", "d/..", "."])),
    line("chmod", st.sampled_from(["a", "b", "d/x", "d/y", "prog"]), FILE_MODES),
    line("symlink", NAMES, st.sampled_from(["l", "d/y", "b"])),
    line("fifo", NAMES, FILE_MODES),
    line("bind", NAMES),
    line("device", NAMES, FILE_MODES),
    *(line(word, NAMES, IDS, IDS) for word in ("chown", "chown", "lchown", "fchown", "fchown3", "opath")),
    *(line(word, NAMES) for word in ("stat", "stat", "lstat", "statx")),
    line("target", SOME, SOME, SOME, SOME),
    line("signal", st.sampled_from([0, 18, 23])),
    st.sampled_from(["trace", "memory", "process", "priority"]),
    line("times", NAMES, st.integers(-1, 4), st.sampled_from([0, 0, 0x100])),
    line("attribute", NAMES, st.sampled_from(["user.x", "user.x", "system.posix_acl_access"])),
    *(line(word, NAMES) for word in ("connect", "readlink", "fchdir", "watch", "statfs")),
    line("exec", st.sampled_from(["prog", "prog", "a", "d"])),
)


# The gate makes the same sequences every time; ROOTLESS_IDS_EXAMPLES=N hunts with N new ones.
HUNTED = os.environ.get("ROOTLESS_IDS_EXAMPLES", "")


@settings(
    max_examples=int(HUNTED or "60"), derandomize=not HUNTED, database=None, deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
@given(script=st.lists(STEPS, min_size=10, max_size=40))
def test_any_calls(sides: tuple[Side, Side], script: list[str]) -> None:
    same(sides, [*script, "who"])


@pytest.fixture(scope="module")
def attacks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("attacks") / "attacks"
    command = [need_program("cc"), "-static", "-pthread", "-O1", "-w", "-o", str(built)]
    sources = (HERE / f"ids_{each}.c" for each in ("attacks", "fuse", "pointers", "threads"))
    subprocess.run([*command, *sources], check=True, timeout=60)
    return built


@pytest.mark.parametrize("name", ["pointers", "paths", "races", "floods", "kills", "handles"])
def test_attacks_end_and_an_honest_question_is_answered(helpers: Path, attacks: Path, tmp_path: Path, name: str) -> None:
    """Under every attack the program lives, answers rightly afterwards, and ends with its container, in bounded memory."""
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1]), "IDS_USAGE": "1"}
    done = subprocess.run(
        emulated(helpers, "full", str(attacks), name),
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert "survived" in said
    assert "no limit was met" not in said
    assert "owners unbounded" not in said
    (usage,) = (line for line in said if line.startswith("helper "))
    assert usage.split()[1] == "0"
    assert int(usage.split()[2]) < 8192  # KiB: all its tables full


def attack(helpers: Path, attacks: Path, place: Path, name: str, *options: str, first: str = "") -> list[str]:
    """What the attack says, made in `place`, whose `in` is a root with the host's /proc (`-v /proc:/proc`, --pid=host)."""
    (place / "in" / "proc").mkdir(parents=True)
    argv = emulated(helpers, "full", str(attacks), name)
    with_proc = [*ONE_ID, *options, "sh", "-c", f'mount --rbind /proc in/proc && {first} exec "$@"', "sh", *argv[len(ONE_ID) + 2 :]]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
    done = subprocess.run(with_proc, cwd=place, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert said[-1] == "survived"
    return said[:-1]


@pytest.fixture
def short(tmp_path: Path) -> Iterator[Path]:
    """A directory whose name leaves room in an address of a socket; it is world's to search, but for what is above."""
    with tempfile.TemporaryDirectory(prefix="ids-") as place:
        os.chmod(place, 0o755)  # for users of the container
        yield Path(place)
        remove_tree(Path(place) / "in")


def test_a_socket_is_never_made_outside(helpers: Path, attacks: Path, short: Path) -> None:
    """bind(2) follows the links of /proc: made by the program, it made sockets in the host's directories."""
    said = attack(helpers, attacks, short, "escape")
    assert sorted(each.name for each in short.iterdir()) == ["a", "in"]
    assert said == ["owner 5"] * 7


def test_who_connected_is_known_to_each_thread_and_nobody_once_ended(helpers: Path, attacks: Path, short: Path) -> None:
    """SO_PEERCRED said root of both."""
    assert attack(helpers, attacks, short, "peers") == ["thread 5", "ended 65534"]


# By the C library; by each thread, as Go does; and what the kernel tells of ids that it does not know.
TOLD = ["threads 0 33033 33033 33033 2", "each 33033 33033 33033 33033", "message 22 0 0, status 33", "in root 38", "record 1 1"]


def test_all_threads_become_another(helpers: Path, attacks: Path, short: Path) -> None:
    assert attack(helpers, attacks, short, "threads") == TOLD


def test_a_file_system_of_the_containers_own_may_ask(helpers: Path, attacks: Path, short: Path) -> None:
    """A server that asks for its ids while its own file system is looked at: the call that waits for it is not waited for."""
    assert attack(helpers, attacks, short, "fuse") == ["file 100644"]


def test_what_the_kernel_would_not_let_it_write_is_not_written_for_it(helpers: Path, attacks: Path, short: Path) -> None:
    """With many ids, and without capabilities (--cap-drop): the program has them all."""
    first = "mkdir in/theirs && chown 1000 in/theirs && chmod 700 in/theirs &&"
    assert attack(helpers, attacks, short, "dropped", "--map-auto", first=first) == ["list 1", "mkdir 13", "open 13", "chown 1"]
    subprocess.run([*ONE_ID, "--map-auto", "rm", "-r", short / "in" / "theirs"], check=True, timeout=60)


def test_a_number_that_another_has_by_now_leads_to_nothing_of_his(tmp_path: Path) -> None:
    """A task killed while it asks, and its number a process's of the host: whose root had become the program's, for all that
    followed, and whose limit was set."""
    parts = [each for each in (HELPERS / "ids").glob("*.c") if each.name != "main.c"] + list((HELPERS / "lib").glob("*.c"))
    options = ["-std=c11", "-D_GNU_SOURCE", "-static", "-pthread", f"-I{HELPERS}", "-w"]
    subprocess.run([need_program("cc"), *options, "-o", tmp_path / "root", HERE / "ids_root.c", *parts], check=True, timeout=60)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "which").write_text("container")
    done = subprocess.run(
        [*ONE_ID, "--pid", "--fork", "--kill-child", "--mount-proc", "./root"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["set 1", "limit 1", "resolved 1", "root container", "kernel's 1", "lives 1"]
