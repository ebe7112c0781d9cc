"""What an image, a registry or a container says reaches the terminal as text, in errors as in tables.

Cleared screens, titles and a forged second line "rootless: ..." were shown through error messages.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import pytest

from tests.harness import images
from tests.harness.command import Rootless
from tests.harness.terminal import Terminal
from tests.image.strange_registry import Handler, StrangeRegistry

EVIL = "\x1b]0;title\x07\x1b[2J\rover\nrootless: all is well\n\x7f\u009b31m\u202eesrever\u2028"
# Not among JSON's: bytes, and halves of surrogate pairs.
LONE = EVIL + "\udcff\ud800"


def is_clean(text: bytes | str, *, lines: int = 8) -> None:
    """No control character but the end of a line, and nobody else's line that looks like ours."""
    told = text.decode(errors="surrogateescape") if isinstance(text, bytes) else text
    assert all(letter.isprintable() or letter == "\n" for letter in told), ascii(told)
    assert not [line for line in told.splitlines() if line.startswith("rootless: all is well")], ascii(told)
    assert len(told.splitlines()) <= lines, told


def archive(config: dict[str, Any]) -> bytes:
    return images.docker_archive("evil:1", [images.busybox_layer(images.static_busybox())], {"Cmd": ["sh"], **config})


SAID: dict[str, dict[str, Any]] = {
    "User": {"User": LONE},
    "User's group": {"User": f"0:{LONE}"},
    "Entrypoint": {"Entrypoint": [LONE]},
    "Entrypoint's path": {"Entrypoint": ["/" + LONE]},
    "Cmd": {"Cmd": [LONE]},
    "StopSignal": {"StopSignal": LONE},
    "WorkingDir": {"WorkingDir": LONE},
    "WorkingDir below a file": {"WorkingDir": "/etc/passwd/" + LONE},
    "ExposedPorts": {"ExposedPorts": {LONE: {}}},
    "Volumes": {"Volumes": {"/proc/" + LONE: {}}},
    "Volumes on a file": {"Volumes": {"/etc/passwd/" + LONE: {}}},
}


@pytest.mark.own_store
@pytest.mark.parametrize("field", SAID)
def test_a_field_of_an_image_in_an_error(rootless: Rootless, field: str) -> None:
    rootless("load", stdin=archive(SAID[field]))
    done = rootless("run", "--rm", "-P", "evil:1", status=None)
    assert done.status in (125, 126, 127)
    assert done.stderr.startswith("rootless: ")
    is_clean(done.stderr)


@pytest.mark.own_store
def test_an_interpreter_in_an_error(rootless: Rootless) -> None:
    line = "#!/no/" + EVIL.partition("\n")[0]
    rootless("load", stdin=archive({}))
    done = rootless("run", "--rm", "evil:1", "sh", "-c", "printf '%s\\n' \"$0\" > /x; chmod +x /x; exec /x", line, status=None)
    del done  # the container's own shell said that, raw: it is the container's output
    rootless("run", "--name", "made", "evil:1", "sh", "-c", "printf '%s\\n' \"$0\" > /x; chmod +x /x", line)
    rootless("start", "made")
    rootless("rm", "made")
    rootless("create", "--name", "script", "evil:1", "/x")
    rootless("cp", "-", "script:/", stdin=_tar(line))
    done = rootless("start", "script", status=None)
    assert done.status != 0
    assert "interpreter" in done.stderr
    is_clean(done.stderr)
    rootless("rm", "script")


def _tar(line: str) -> bytes:
    import io
    import tarfile

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        images.add(tar, "x", f"{line}\n".encode(), mode=0o755)
    return buffer.getvalue()


def _platform(handler: Handler) -> bool:
    return False


def _reason(handler: Handler) -> bool:
    handler.wfile.write(b"HTTP/1.1 418 \x1b[2J\x9b31m\x07title\r\nContent-Length: 0\r\n\r\n")
    handler.close_connection = True
    return True


def _errors(handler: Handler) -> bool:
    said = {"errors": [{"code": "DENIED", "message": LONE, "detail": {LONE: LONE}}]}
    handler.reply(403, json.dumps(said).encode())
    return True


def _plain_error(handler: Handler) -> bool:
    handler.reply(500, EVIL.encode() + b"\xff\x9b")
    return True


def _challenge(handler: Handler) -> bool:
    handler.send_response(401)
    handler.send_header("WWW-Authenticate", 'Bearer realm="http://\x1b[2J/",service="\x07"')
    handler.send_header("Content-Length", "0")
    handler.end_headers()
    return True


def _elsewhere(handler: Handler) -> bool:
    handler.send_response(302)
    handler.send_header("Location", "gopher://\x1b[2J\x07/")
    handler.send_header("Content-Length", "0")
    handler.end_headers()
    return True


def _type(handler: Handler) -> bool:
    handler.reply(200, json.dumps({"schemaVersion": 2, "mediaType": LONE}).encode(), {"Content-Type": "a/\x1b[2J"})
    return True


@pytest.mark.own_store
@pytest.mark.parametrize("answer", [_platform, _reason, _errors, _plain_error, _challenge, _elsewhere, _type])
def test_what_a_registry_says_in_an_error(rootless: Rootless, answer: Callable[[Handler], bool]) -> None:
    with StrangeRegistry() as registry:
        entry = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "sha256:" + "0" * 64, "size": 2,
                 "platform": {"os": LONE, "architecture": LONE, "variant": LONE}}  # fmt: skip
        registry.add_manifest(
            {"schemaVersion": 2, "manifests": [entry, entry]}, tag="1", media_type="application/vnd.oci.image.index.v1+json"
        )
        registry.before = answer
        done = rootless("pull", f"{registry.address}/x:1", status=1, timeout=60)
    is_clean(done.stderr, lines=20)
    assert "rootless: " in done.stderr


@pytest.mark.own_store
def test_inspect_shows_what_cannot_be_seen(rootless: Rootless) -> None:
    """JSON escapes C0 only; a label with the one-byte CSI, or half a surrogate pair, was printed raw or an internal error."""
    rootless("load", stdin=archive({"Labels": {LONE: LONE}, "Env": [f"A={LONE}"], "Cmd": [LONE]}))
    done = rootless("image", "inspect", "evil:1")
    is_clean(done.stdout, lines=1000)
    (found,) = json.loads(done.stdout)
    assert found["Config"]["Labels"] == {EVIL + "\ufffd\ufffd": EVIL + "\ufffd\ufffd"}
    for words in (("images",), ("history", "evil:1"), ("ps", "-a"), ("image", "ls", "--format", "{{json .}}")):
        is_clean(rootless(*words).stdout, lines=100)
    rootless("create", "--name", "made", "evil:1", "true")
    is_clean(rootless("inspect", "made").stdout, lines=1000)
    is_clean(rootless("events", "--since", "1h", "--until", "0s").stdout, lines=100)
    rootless("rm", "made")


@pytest.mark.own_store
def test_a_template_is_raw_for_programs_and_clean_on_a_terminal(
    rootless: Rootless, terminal: Callable[..., Terminal]
) -> None:
    rootless("load", stdin=archive({"Labels": {"x": EVIL}}))
    words = ("image", "inspect", "-f", '{{index .Config.Labels "x"}}', "evil:1")
    assert rootless(*words).raw.decode() == EVIL + "\n"
    shown = terminal(*words)
    shown.expect("esrever")
    assert shown.wait() == 0
    assert "\x1b[2J" not in shown.screen
    assert "\x07" not in shown.screen


@pytest.mark.parametrize("word", [EVIL, os.fsdecode(b"\xff\xfe\x9b")])
def test_the_users_own_words_come_back_as_text(rootless: Rootless, word: str) -> None:
    """A name that a script took from somewhere else."""
    for words in (("inspect", word), ("run", "--net", word, "x"), (word,), ("run", "--" + word, "x"), ("--log-level", word, "ps")):
        done = rootless(*words, status=None)
        assert done.status != 0
        is_clean(done.stderr, lines=12)
