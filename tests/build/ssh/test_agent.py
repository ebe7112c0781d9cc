"""Agents for a build: OpenSSH's own programs ask ours; what it does not do for a build it refuses."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rootless.build.ssh import agent, keys, sources
from rootless.errors import InvalidInput, NotFound, RootlessError
from tests.build.conftest import Build
from tests.harness.trees import remove_tree
from tests.need import need_program

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """make("ed25519", ...): a key by ssh-keygen."""

    def run(kind: str, *words: str, passphrase: str = "") -> Path:
        path = tmp_path / f"{kind}{len(list(tmp_path.iterdir()))}"
        subprocess.run(
            [need_program("ssh-keygen"), "-q", "-t", kind, "-N", passphrase, "-C", "", "-f", path, *words], check=True, timeout=60
        )
        return path

    return run


@pytest.fixture
def place() -> Iterator[str]:
    """A directory whose path fits into a socket's address."""
    path = tempfile.mkdtemp(prefix="rl-", dir="/var/tmp")
    yield path
    remove_tree(Path(path))


def key_agent(*paths: Path) -> Callable[[], Callable[[], agent.Agent]]:
    loaded = agent.KeyAgent([keys.load(str(path)) for path in paths])
    return lambda: lambda: loaded


def ssh(program: str, *words: str | Path, at: str, stdin: str = "", status: int = 0) -> str:
    done = subprocess.run(
        [need_program(program), *words], env={**os.environ, "SSH_AUTH_SOCK": at}, input=stdin, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    return done.stdout


KINDS = [("ed25519",), ("rsa", "-b", "2048"), ("rsa", "-b", "2048", "-m", "PEM"), ("rsa", "-b", "2048", "-m", "PKCS8"),
         ("ecdsa", "-b", "256"), ("ecdsa", "-b", "384"), ("ecdsa", "-b", "521", "-m", "PKCS8")]  # fmt: skip


@pytest.mark.parametrize("words", KINDS)
def test_signatures(make: Make, place: str, tmp_path: Path, words: tuple[str, ...]) -> None:
    """ssh-keygen signs by our agent (it never sees the private key), and finds that the signature is the key's."""
    key = make(*words)
    public = key.with_suffix(".pub")
    aside = tmp_path / "public"
    public.rename(aside)
    with agent.served(place, key_agent(key)) as at:
        assert ssh("ssh-add", "-L", at=at).split()[:2] == aside.read_text().split()[:2]
        key.unlink()
        signature = tmp_path / "signature"
        for text in ("a", "b", "some text"):
            signature.write_text(ssh("ssh-keygen", "-Y", "sign", "-n", "x", "-f", aside, at=at, stdin=text))
            ssh("ssh-keygen", "-Y", "check-novalidate", "-n", "x", "-s", signature, at=at, stdin=text)
            ssh("ssh-keygen", "-Y", "check-novalidate", "-n", "x", "-s", signature, at=at, stdin="another", status=255)


def test_several_keys_and_what_is_refused(make: Make, place: str) -> None:
    one, two, other = make("ed25519"), make("ecdsa"), make("ed25519")
    with agent.served(place, key_agent(one, two)) as at:
        listed = ssh("ssh-add", "-L", at=at)
        assert [line.split()[0] for line in listed.splitlines()] == ["ssh-ed25519", "ecdsa-sha2-nistp256"]
        ssh("ssh-add", "-q", other, at=at, status=1)
        ssh("ssh-add", "-q", "-D", at=at, status=1)
        assert ssh("ssh-add", "-L", at=at) == listed


def test_a_foreign_agent_is_asked_and_not_changed(make: Make, place: str) -> None:
    one, other = make("ed25519"), make("ecdsa")
    with agent.served(place, key_agent(one)) as foreign:
        inner = Path(place, "inner")
        inner.mkdir()
        with agent.served(str(inner), lambda: agent.forwarding(foreign), mode=0o640) as at:
            assert Path(at).stat().st_mode & 0o777 == 0o640
            assert ssh("ssh-add", "-L", at=at) == ssh("ssh-add", "-L", at=foreign)
            ssh("ssh-add", "-q", other, at=at, status=1)
    assert socket.socket(socket.AF_UNIX).connect_ex(at) != 0


@pytest.mark.parametrize(
    "message",
    [b"", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\1\x0d", b"\0\0\0\5\x0d\0\0\0\xff", b"\0\0\0\x0d\x0d" + bytes(12), b"\0\0\1"],
)
def test_nonsense_ends_a_conversation_and_no_other(make: Make, place: str, message: bytes) -> None:
    with agent.served(place, key_agent(make("ed25519"))) as at:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(at)
            client.sendall(message)
            client.shutdown(socket.SHUT_WR)
            assert client.recv(100) in (b"", struct.pack(">IB", 1, agent.FAILURE))
        assert ssh("ssh-add", "-L", at=at)


def test_its_process_has_nothing_of_ours(make: Make, place: str) -> None:
    ours, theirs = os.pipe()
    with agent.served(place, key_agent(make("ed25519"))) as at:
        os.close(theirs)
        assert os.read(ours, 1) == b""  # the other end was open here alone
        assert ssh("ssh-add", "-L", at=at)
    os.close(ours)


def test_keys_that_cannot_be_used(make: Make, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is under a passphrase") as caught:
        keys.load(str(make("ed25519", passphrase="secret")))
    assert "ssh-add" in (caught.value.hint or "")
    with pytest.raises(InvalidInput, match="is under a passphrase"):
        keys.load(str(make("rsa", "-m", "PEM", passphrase="secret")))
    (tmp_path / "text").write_text("text")
    for path in (tmp_path / "text", make("ed25519").with_suffix(".pub")):
        with pytest.raises(InvalidInput, match="is no private key"):
            keys.load(str(path))
    with pytest.raises(NotFound, match="No such file"):
        keys.load("/nonexistent")


def test_an_error_is_told_to_who_started_it(place: str) -> None:
    with pytest.raises(NotFound, match="No such file"), agent.served(place, lambda: key_agent(Path("/nonexistent"))()):
        pass
    os.unlink(f"{place}/agent")
    with pytest.raises(RootlessError, match="cannot use the agent's socket"), agent.served(
        place, lambda: agent.forwarding("/nonexistent/socket")
    ):
        pass


def test_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("k1", "k2"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as other:
        listener.bind("socket")
        other.bind("other")
        here = str(tmp_path)
        assert sources.parse("default=socket") == ("default", sources.AgentSource(f"{here}/socket"))
        assert sources.parse("git=k1,k2") == ("git", sources.AgentSource(keys=(f"{here}/k1", f"{here}/k2")))
        monkeypatch.setenv("SSH_AUTH_SOCK", f"{here}/other")
        assert sources.parse("default") == ("default", sources.AgentSource(f"{here}/other"))
        for word, message in (("x=k1,socket", "invalid combination of keys and sockets"), ("x=socket,other", "only single socket")):
            with pytest.raises(InvalidInput, match=message):
                sources.parse(word)
        with pytest.raises(InvalidInput, match='duplicate agent ID "a"'):
            sources.parse_all(["a=k1", "a=k2"])
    monkeypatch.delenv("SSH_AUTH_SOCK")
    with pytest.raises(InvalidInput, match="invalid empty ssh agent socket"):
        sources.parse("default")
    with pytest.raises(NotFound, match="No such file"):
        sources.parse("default=nothing")


@pytest.fixture
def ask(context: Path) -> None:
    source = Path(__file__).with_name("ask.c")
    subprocess.run([need_program("cc"), "-static", "-O1", "-o", context / "ask", source], check=True, timeout=60)


MOUNT = "FROM busybox\nCOPY ask /bin/ask\n{}RUN --mount=type=ssh{} stat -c '%u %g %a' $SSH_AUTH_SOCK && ask 11 && ask 19\n"


@pytest.mark.usefixtures("ask")
@pytest.mark.parametrize(
    ("line", "words", "said"),
    [("", "", "0 0 600"), ("USER 1000:1000\n", ",uid=1000,gid=50,mode=0640", "1000 50 640"), ("USER 7\n", ",mode=666", "0 0 666")],
)
def test_a_run_with_a_key(build: Build, make: Make, line: str, words: str, said: str) -> None:
    """It lists the keys, and is refused to remove them."""
    text = build(MOUNT.format(line, words), "--no-cache", "--ssh", f"default={make('ed25519')}").stderr
    lines = [line.partition(" ")[2].partition(" ")[2] for line in text.splitlines()]
    assert [line for line in lines if line in (said, "answer 12", "answer 5")] == [said, "answer 12", "answer 5"]


def test_a_build_with_a_key_that_cannot_be_used(build: Build, make: Make) -> None:
    failed = build("FROM busybox\n", "--ssh", f"default={make('ed25519', passphrase='x')}", status=1)
    assert "is under a passphrase" in failed.stderr
    assert "ssh-add" in failed.stderr
