"""What the caller's process and environment bring along is not ours, and not the container's."""

from __future__ import annotations

import resource
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.harness.processes import wait_until
from tests.harness.trees import remove_tree

NO_NETWORK = ("--network", "none")


def under(rootless: Rootless, shell: str, *words: str | Path, status: int = 0, **variables: str) -> str:
    """`rootless WORDS` from a shell that has run `shell`; stdout and stderr."""
    argv = ["sh", "-c", f'{shell}; exec "$@"', "sh", *rootless.argv, *map(str, words)]
    other = Rootless(rootless.root, rootless.runtime)
    other.argv = argv
    done = other(status=status, env=variables)
    return done.stdout + done.stderr


@pytest.mark.parametrize("umask", ["000", "027", "077", "777"])
@pytest.mark.parametrize("network", ["none", "host", "slirp4netns"])
def test_the_callers_umask_is_not_the_containers(
    rootless: Rootless, busybox_image: str, tmp_path: Path, umask: str, network: str
) -> None:
    bound = tmp_path / "bound"
    bound.touch(0o644)
    bound.chmod(0o644)
    script = (
        "cat /etc/resolv.conf /etc/hosts /etc/hostname >/dev/null || exit; umask; echo x >/tmp/new;"
        "stat -c %a /tmp/new /etc/resolv.conf /etc/hosts /etc/hostname /made/by/us /made /fresh /point/file /point /dev /dev/null /dev/shm"
    )
    out = under(
        rootless, f"umask {umask}", "run", "--rm", "--network", network, "-u", "1000:1000", "-w", "/made/by/us",
        "-v", "/fresh", "-v", f"{bound}:/point/file:ro", busybox_image, "sh", "-c", script,
    )  # fmt: skip
    assert out.split() == ["0022", "644", "644", "644", "644", "755", "755", "755", "644", "755", "755", "666", "1777"]


@pytest.mark.own_store
@pytest.mark.parametrize("umask", ["000", "077"])
def test_the_callers_umask_is_not_the_stores(
    rootless: Rootless, busybox_archive: Path, tmp_path: Path, umask: str
) -> None:
    """Nothing of ours is anybody else's to write or, below ROOT, to reach."""
    under(rootless, f"umask {umask}", "load", "-i", busybox_archive)
    under(rootless, f"umask {umask}", "run", "--name", "one", *NO_NETWORK, "-v", "kept:/kept", "busybox",
          "sh", "-c", "echo x >/kept/file; mkdir /made; echo y >/made/file")  # fmt: skip
    loose = {
        str(path.relative_to(rootless.root))
        for path in rootless.root.rglob("*")
        if not path.is_symlink() and path.stat().st_mode & 0o022 and path.name not in ("tmp", "merged")
    }
    assert not loose
    for entry in rootless.root.iterdir():
        assert not entry.is_dir() or not entry.stat().st_mode & 0o077, entry
    assert stat.S_IMODE((rootless.root / "volumes/kept/_data").stat().st_mode) == 0o755
    under(rootless, f"umask {umask}", "cp", "one:/made", tmp_path / "made")
    assert stat.S_IMODE((tmp_path / "made").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "made/file").stat().st_mode) == 0o644
    for name, words in (("export", ("export", "-o")), ("save", ("save", "-o"))):
        under(rootless, f"umask {umask}", *words, tmp_path / name, "one" if name == "export" else "busybox")
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600, name
    rootless("rm", "one")


def test_what_is_the_users_has_the_users_umask(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    under(rootless, "umask 027", "run", "--rm", *NO_NETWORK, "--cidfile", tmp_path / "id", busybox_image, "true")
    assert stat.S_IMODE((tmp_path / "id").stat().st_mode) == 0o640
    assert under(rootless, "umask 027", "unshare", "sh", "-c", "umask") == "0027\n"
    assert under(rootless, "ulimit -Sn 100", "unshare", "sh", "-c", "ulimit -n") == "100\n"


STRANGERS = ("enum", "re", "json", "typing", "os", "signal", "subprocess", "rootless", "encodings", "sitecustomize")


@pytest.fixture
def strange(tmp_path: Path) -> dict[str, str]:
    """Each variable that Python itself reads, with a value that one would notice."""
    modules = tmp_path / "modules"
    modules.mkdir()
    for name in STRANGERS:
        (modules / f"{name}.py").write_text("print('stranger'); raise RuntimeError('a module of the caller')\n")
    return {
        "PYTHONPATH": str(modules), "PYTHONHOME": "/nowhere", "PYTHONSTARTUP": str(modules / "os.py"), "PYTHONINSPECT": "1",
        "PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "error", "PYTHONDEVMODE": "1", "PYTHONPROFILEIMPORTTIME": "1",
        "PYTHONIOENCODING": "rot13", "PYTHONUTF8": "7", "PYTHONMALLOC": "nonsense", "PYTHONCASEOK": "1", "PYTHONVERBOSE": "1",
        "PYTHONOPTIMIZE": "2", "PYTHONHASHSEED": "nonsense", "PYTHONUSERBASE": str(modules), "PYTHONPLATLIBDIR": "nowhere",
        "PYTHONPYCACHEPREFIX": "/nowhere", "PYTHONBREAKPOINT": "nonsense", "PYTHONTRACEMALLOC": "9", "PYTHONDUMPREFS": "1",
    }  # fmt: skip


def test_variables_of_python_are_the_users_programs(
    rootless: Rootless, busybox_image: str, strange: dict[str, str]
) -> None:
    words = [word for name in strange for word in ("-e", name)]
    where = strange["PYTHONPATH"]
    done = rootless("run", "--rm", *NO_NETWORK, *words, busybox_image, "env", env=strange, cwd=where)
    assert done.stderr == ""
    assert {line for line in done.lines if line.startswith("PYTHON")} == {f"{k}={v}" for k, v in strange.items()}
    for command in (("ps",), ("inspect", busybox_image), ("images",), ("version",), ("info", "-f", "{{.Name}}"), ("run", "--help")):
        done = rootless(*command, env=strange, cwd=where)
        assert "stranger" not in done.stdout
        assert done.stderr == ""


def test_nor_do_they_reach_what_the_monitor_runs(
    rootless: Rootless, busybox_image: str, strange: dict[str, str]
) -> None:
    """A restart by policy, a health check, and the removal of a --rm container nobody is attached to."""
    where = strange["PYTHONPATH"]
    rootless("run", "-d", "--name", "again", "--restart", "on-failure:1", *NO_NETWORK, busybox_image, "false", env=strange,
             cwd=where)  # fmt: skip
    wait_until(lambda: rootless("inspect", "-f", "{{.RestartCount}} {{.State.Status}}", "again").stdout == "1 exited\n", "a restart")
    rootless("run", "-d", "--name", "well", "--health-cmd", "true", "--health-interval", "1s", *NO_NETWORK, busybox_image,
             "sleep", "1000", env=strange, cwd=where)  # fmt: skip
    wait_until(lambda: rootless("inspect", "-f", "{{.State.Health.Status}}", "well").stdout == "healthy\n", "a health check")
    rootless("rm", "-f", "well", "again")
    rootless("run", "-d", "--rm", *NO_NETWORK, busybox_image, "true", env=strange, cwd=where)
    wait_until(lambda: not rootless("ps", "-aq").stdout, "the removal")


def test_a_first_line_that_isolates_nothing(rootless: Rootless, strange: dict[str, str]) -> None:
    """Where an installer's line is a shell's: the script itself sees to it."""
    script = Path(rootless.argv[0]).with_name("rootless-python")
    python = script.read_text().partition("\n")[0].removeprefix("#!").split()[0]
    variables = {name: strange[name] for name in ("PYTHONWARNINGS", "PYTHONINSPECT", "PYTHONDEVMODE")}
    argv, rootless.argv = rootless.argv, [python, str(script), "rootless"]
    try:
        done = rootless("ps", env=variables)
    finally:
        rootless.argv = argv
    assert done.lines[0].startswith("CONTAINER ID")
    assert done.stderr == ""


@pytest.mark.parametrize("network", ["none", "slirp4netns"])
@pytest.mark.parametrize("soft", [128, 32, 8])
def test_a_low_soft_limit_of_open_files(rootless: Rootless, busybox_image: str, soft: int, network: str) -> None:
    """Raised for ourselves; the container, and the start after it, have the caller's."""
    lower = f"ulimit -Sn {soft}"
    script = "ulimit -Sn; ulimit -Hn"
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    said = under(rootless, lower, "run", "--rm", "--network", network, busybox_image, "sh", "-c", script)
    assert said == f"{soft}\n{hard if hard >= 0 else 'unlimited'}\n"
    assert "CONTAINER ID" in under(rootless, lower, "ps")
    under(rootless, lower, "run", "-d", "--name", "again", "--restart", "on-failure:1", "--network", network, busybox_image,
          "sh", "-c", "ulimit -Sn; exit 1")  # fmt: skip
    wait_until(lambda: rootless("logs", "again").stdout == f"{soft}\n" * 2, "a second run with the same limit")
    rootless("rm", "-f", "again")


@pytest.mark.parametrize("soft", [32, 8])
def test_a_monitor_is_not_bound_by_the_limit(rootless: Rootless, busybox_image: str, soft: int) -> None:
    """It serves clients, checks the health and records the end, whichever descriptors it was given."""
    words = ("--restart", "on-failure:1", "--health-cmd", "ulimit -Sn", "--health-interval", "1s", *NO_NETWORK)
    under(rootless, f"ulimit -Sn {soft}", "run", "-di", "--name", "served", *words, busybox_image,
          "sh", "-c", "read word; echo $word; exit 1")  # fmt: skip
    said = "{{range .State.Health.Log}}{{.Output}}{{end}}"
    wait_until(lambda: rootless("inspect", "-f", said, "served").stdout.split()[:1] == [str(soft)], "a check")
    assert rootless("attach", "served", stdin="first\n", status=1).stdout == "first\n"
    wait_until(lambda: rootless("inspect", "-f", "{{.RestartCount}} {{.State.Status}}", "served").stdout == "1 running\n", "a restart")
    assert rootless("attach", "served", stdin="second\n", status=1).stdout == "second\n"
    rootless("wait", "served")
    rootless("rm", "served")


@pytest.mark.parametrize("network", ["none", "slirp4netns"])
def test_a_low_hard_limit_of_open_files(rootless: Rootless, busybox_image: str, network: str) -> None:
    """It works, beside a descriptor beyond the limit that was there before; or says which limit and what to do."""
    for limit in (128, 32):
        words = ("run", "--rm", "--network", network, busybox_image, "true")
        assert under(rootless, f"exec 9</dev/null; ulimit -n {limit}", *words) == ""
    said = under(rootless, "ulimit -n 14", "run", "--rm", "--network", network, busybox_image, "true", status=125)
    assert "Too many open files" in said or "too many open files" in said
    assert "ulimit -n" in said


@pytest.fixture
def unreadable(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "unreadable"
    path.mkdir()
    yield path
    path.chmod(0o700)
    remove_tree(path)


HOLD = "import os, signal, sys; {}; os.execvp(sys.argv[1], sys.argv[1:])"


@pytest.mark.parametrize(
    "prepare",
    [
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)",
        "signal.signal(signal.SIGPIPE, signal.SIG_IGN)",
        "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())",
        "os.nice(5)",
        "os.chdir(sys.argv.pop(1)); os.rmdir(os.getcwd())",
        "os.chdir(sys.argv.pop(1)); os.chmod('.', 0)",
        "os.environ.pop('HOME')",
        "os.environ.update(HOME='/nonexistent')",
        "os.environ.update(LC_ALL='C', LANG='', TZ='Asia/Tokyo')",
        "os.environ.update(LC_ALL='xx_YY', TZ=':/nowhere')",
    ],
)
def test_odd_processes_as_callers(rootless: Rootless, busybox_image: str, unreadable: Path, prepare: str) -> None:
    rootless("run", "-d", "--name", "there", *NO_NETWORK, busybox_image, "sleep", "1000")
    look = "grep -E '^Sig(Blk|Ign)' /proc/self/status; exec 2>&1; yes | head -n 1; pwd"
    expected = "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\ny\n/\n"
    argv = rootless.argv
    extra = [str(unreadable)] if "sys.argv.pop" in prepare else []
    try:
        rootless.argv = ["python3", "-c", HOLD.format(prepare), *extra, *argv]
        assert rootless("run", "--rm", *NO_NETWORK, busybox_image, "sh", "-c", look).stdout == expected
        unreadable.mkdir(exist_ok=True)
        unreadable.chmod(0o700)
        assert rootless("exec", "there", "sh", "-c", look).stdout == expected
        unreadable.mkdir(exist_ok=True)
        unreadable.chmod(0o700)
        assert "there" in rootless("ps").stdout
    finally:
        rootless.argv = argv
        unreadable.mkdir(exist_ok=True)
    rootless("rm", "-f", "there")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams(rootless: Rootless, busybox_image: str, closed: str) -> None:
    for words in (("run", "--rm", *NO_NETWORK, busybox_image, "sh", "-c", "echo x; ls /proc/self/fd"), ("ps", "-a")):
        under(rootless, f"exec {closed}", *words)


@pytest.mark.parametrize("words", [("run", "--rm", *NO_NETWORK), ("exec",)])
def test_an_output_that_is_full(rootless: Rootless, busybox_image: str, words: tuple[str, ...]) -> None:
    """It is the caller's disk that is full, and not the store's."""
    rootless("run", "-d", "--name", "there", *NO_NETWORK, busybox_image, "sleep", "1000")
    where = "there" if words[0] == "exec" else busybox_image
    said = under(rootless, "exec >/dev/full", *words, where, "echo", "x", status=1)
    assert said == "rootless: cannot write the output: No space left on device\n"
    rootless("rm", "-f", "there")


def test_a_directory_as_input(rootless: Rootless, busybox_image: str) -> None:
    assert under(rootless, "exec </", "run", "--rm", "-i", *NO_NETWORK, busybox_image, "cat") == ""


def test_a_preloaded_library_is_not_the_containers(rootless: Rootless, busybox_image: str) -> None:
    done = rootless("run", "--rm", *NO_NETWORK, busybox_image, "sh", "-c", "tr '\\0' '\\n' </proc/1/environ; env",
                    env={"LD_PRELOAD": "", "LD_LIBRARY_PATH": "/nowhere", "LD_AUDIT": "", "GLIBC_TUNABLES": "x"})  # fmt: skip
    assert not [line for line in done.lines if line.startswith(("LD_", "GLIBC_"))]
