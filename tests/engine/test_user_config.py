"""config.toml: read with the line of each key, refused with the line of a mistake, and looked for no further where it is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rootless import user_config, user_config_file, user_setting
from rootless.engine.lifecycle import user_defaults
from rootless.engine.networks import default
from rootless.engine.options.values import Ulimit
from rootless.engine.state import emulated_ids, user_namespace
from rootless.errors import InvalidInput


def read(path: Path, text: str | bytes) -> dict[str, user_setting.Setting]:
    """What the file of that content sets."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(0o644)
    return user_config_file.read(os.open(path, os.O_RDONLY), str(path))


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of this process; what it has read of another one is forgotten."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(user_config, "_settings", None)
    (tmp_path / "rootless").mkdir()
    return tmp_path / "rootless" / "config.toml"


def test_each_key_has_its_line(tmp_path: Path) -> None:
    text = '# mine\n\nuserns = "keep-id" # limits = "x"\n\n  "limits"=\'warn\'\nnetwork = """\\\n\n  app"""\n\'registries\' = "/x"\n'
    found = read(tmp_path / "c", text)
    assert {key: (setting.value, setting.line) for key, setting in found.items()} == {
        "userns": ("keep-id", 3), "limits": ("warn", 5), "network": ("app", 6), "registries": ("/x", 9),
    }  # fmt: skip
    assert found["network"].source == f"{tmp_path}/c:6"
    assert read(tmp_path / "c", "") == read(tmp_path / "c", "# nothing\r\n") == {}


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ('limits = "warn"\nuserNS = "host"\n', 2, "unknown key 'userNS'"),
        ('\n[limits]\nwarn = true\n', 2, "limits: a text is wanted, not a table"),
        ('[engine]\nuserns = "host"\n', 1, "unknown key 'engine'"),
        ('a.b = 1\n', 1, "unknown key 'a'"),
        ("limits = true\n", 1, "limits: a text is wanted, not true or false"),
        ("\nuserns = 1000\n", 2, "userns: a text is wanted, not a number"),
        ('network = [\n "a",\n]\n', 1, "network: a text is wanted, not a list"),
        ("userns = 2026-01-01\n", 1, "userns: a text is wanted, not a date"),
        ('cache_max = "20 elephants"\n', 1, "cache_max: '20 elephants' is no size"),
        ('cache_max = "20G"\ncache_days = "-3"\n', 2, "cache_days: '-3' is no number of days"),
        ('limits = "ignore"\n', 1, "limits: there is no 'ignore'"),
        ('limits = ""\n', 1, "limits: the text is empty"),
        ('network = "a\\nb"\n', 1, "network: the text is empty, or has control characters"),
        ('registries = "registries.conf"\n', 1, "registries: registries.conf is no absolute path"),
        ('limits = "warn"\nlimits = "error"\n', 2, "cannot overwrite a value"),
        ("limits = warn\n", 1, "invalid value"),
        ('userns = "x"\nlimits = "warn\n', 2, "illegal character"),
        ('limits = """warn', 1, "unterminated string"),
        (b'\nlimits = "\xff"\n', 2, "it is not UTF-8"),
    ],
)  # fmt: skip
def test_mistakes_have_their_line(tmp_path: Path, text: str | bytes, line: int, says: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(tmp_path / "c", text)
    assert caught.value.message.startswith(f"{tmp_path}/c:{line}: {says}")


def test_a_list_is_written_with_colons(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(tmp_path / "c", 'stores = ["/a", "/b/c"]\n')
    assert caught.value.hint == 'write stores = "/a:/b/c"'


@pytest.mark.parametrize("text", ["#" * 20000, "a = " + "[" * 9000])
def test_what_is_too_much(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidInput):
        read(tmp_path / "c", text)


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o620])
def test_a_file_that_others_may_write_is_refused(configured: Path, mode: int) -> None:
    configured.write_text('limits = "warn"\n')
    configured.chmod(mode)
    with pytest.raises(InvalidInput, match="others may write it") as caught:
        user_config.settings()
    assert caught.value.hint == f"chmod go-w {configured}"
    configured.chmod(0o644)
    assert user_config.limits_are_optional() == f"{configured}:1"


def test_a_file_of_another_user_is_refused(configured: Path) -> None:
    configured.symlink_to("/etc/passwd")
    with pytest.raises(InvalidInput, match="belongs to another user"):
        user_config.settings()
    configured.unlink()
    os.mkfifo(configured)  # nobody waits for a writer
    with pytest.raises(InvalidInput, match="no regular file"):
        user_config.settings()
    configured.unlink()
    assert user_config.settings() == {}
    assert user_config.limits_are_optional() == ""


@pytest.mark.parametrize(
    ("key", "word"),
    [("userns", "keepid"), ("userns", "keep-id:uid=x"), ("network", "container:x"), ("network", "host:x"), ("network", "a b"),
     ("network", "pasta:--nonsense"), ("network", "slirp4netns:what=1"), ("emulate_ids", "on")],
)  # fmt: skip
def test_words_of_the_engine_have_their_line(configured: Path, key: str, word: str) -> None:
    configured.write_text(f'\n{key} = "{word}"\n')
    readers = {"userns": user_namespace.configured, "network": default.configured, "emulate_ids": emulated_ids.configured}
    with pytest.raises(InvalidInput) as caught:
        readers[key]()
    assert caught.value.message.startswith(f"{configured}:2: {key}: ")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("word", "means"),
    [("bridge", None), ("app", ("app", [])), ("none", ("none", [])), ("slirp4netns:mtu=1500", ("slirp4netns", ["mtu=1500"]))],
)
def test_networks(configured: Path, word: str, means: tuple[str, list[str]] | None) -> None:
    configured.write_text(f'network = "{word}"\n')
    assert default.configured() == means


def test_emulated_ids_where_nothing_excludes_them(configured: Path) -> None:
    assert user_defaults.emulated_ids("", []) == ""
    user_config.forget()
    configured.write_text('emulate_ids = "fake"\n')
    assert user_defaults.emulated_ids("private", []) == "fake"
    assert user_defaults.emulated_ids("keep-id", []) == ""
    assert user_defaults.emulated_ids("", [Ulimit(name="rttime", soft=1, hard=1)]) == ""


@pytest.mark.parametrize("user", ["", "0", "root", "0:0", "root:1000", "00", ":5"])
def test_who_is_root(user: str) -> None:
    assert user_defaults.is_root(user)
    assert not user_defaults.is_root("1" + user) or user.startswith(":")


def test_without_the_file_nothing_is_imported(tmp_path: Path) -> None:
    """tomllib costs 20 ms; with it the reader comes, too."""
    look = (
        "import sys\nfrom rootless import user_config\nuser_config.settings()\n"
        "print('tomllib' in sys.modules, 'rootless.user_config_file' in sys.modules)"
    )
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path)}

    def run() -> str:
        return subprocess.run([sys.executable, "-c", look], env=environment, capture_output=True, text=True, check=True).stdout

    assert run() == "False False\n"
    (tmp_path / "rootless").mkdir()
    (tmp_path / "rootless/config.toml").write_text('limits = "warn"\n')
    assert run() == "True True\n"
