"""Instructions that edit the configuration, and what comes of the base's."""

from __future__ import annotations

from typing import Any

import pytest

from rootless.build.dockerfile.error import DockerfileError
from rootless.build.plan import history
from rootless.build.plan.image_config import from_document, to_document
from tests.build.plan.planning import created_by, document, plan_of, request, target_of

PATH = {"Env": ["PATH=/bin"]}


def config(text: str, base: dict[str, Any] | None = None) -> dict[str, Any]:
    """The configuration of `FROM a` and `text`, without the base's PATH."""
    images = {"a": document(**{**PATH, **(base or {})})}
    found = to_document(target_of(f"FROM a\n{text}", images=images).config)
    if found["Env"] == PATH["Env"]:
        del found["Env"]
    return found


SH = ["/bin/sh", "-c"]


@pytest.mark.parametrize(
    ("text", "base", "expected"),
    [
        ("", {}, {}),
        ("CMD a", {}, {"Cmd": [*SH, "a"], "ArgsEscaped": True}),
        ('CMD ["a"]', {}, {"Cmd": ["a"], "ArgsEscaped": True}),
        ("CMD []", {"Cmd": ["x"]}, {"Cmd": [], "ArgsEscaped": True}),
        ("CMD", {}, {"Cmd": [*SH, ""], "ArgsEscaped": True}),
        ("CMD a\nCMD b", {}, {"Cmd": [*SH, "b"], "ArgsEscaped": True}),
        ('SHELL ["s"]\nCMD a', {}, {"Cmd": ["s", "a"], "Shell": ["s"], "ArgsEscaped": True}),
        (
            "CMD a",
            {"Shell": ["s", "-c"]},
            {"Cmd": ["s", "-c", "a"], "Shell": ["s", "-c"], "ArgsEscaped": True},
        ),
        ('ENTRYPOINT ["e"]', {"Cmd": ["x"]}, {"Entrypoint": ["e"]}),
        (
            'CMD ["c"]\nENTRYPOINT ["e"]',
            {"Cmd": ["x"]},
            {"Entrypoint": ["e"], "Cmd": ["c"], "ArgsEscaped": True},
        ),
        ('ENTRYPOINT ["e"]\nCMD ["c"]', {}, {"Entrypoint": ["e"], "Cmd": ["c"], "ArgsEscaped": True}),
        ("ENTRYPOINT []", {"Entrypoint": ["x"], "Cmd": ["y"]}, {}),
        ("RUN x", {"Entrypoint": ["x"], "Cmd": ["y"]}, {"Entrypoint": ["x"], "Cmd": ["y"]}),
        ("ENV a=1 PATH=$PATH:/x", {}, {"Env": ["PATH=/bin:/x", "a=1"]}),
        (
            "LABEL a=1\nLABEL b=$x\"2\" 'c d'=3",
            {"Labels": {"a": "0", "z": "9"}},
            {"Labels": {"a": "1", "z": "9", "b": "2", "c d": "3"}},
        ),
        ("USER u", {"User": "x"}, {"User": "u"}),
        ("USER $none", {"User": "x"}, {}),
        (
            "EXPOSE 80 81/UDP 90-91 8000:1 1.2.3.4:5:6",
            {"ExposedPorts": {"7/tcp": {}}},
            {
                "ExposedPorts": {
                    f"{port}": {}
                    for port in ("7/tcp", "6/tcp", "80/tcp", "1/tcp", "81/udp", "90/tcp", "91/tcp")
                }
            },
        ),
        (
            'ENV p="1 2/udp"\nEXPOSE $p',
            {},
            {"ExposedPorts": {"1/tcp": {}, "2/udp": {}}, "Env": ["PATH=/bin", "p=1 2/udp"]},
        ),
        ("VOLUME /a $x/b\nVOLUME /a", {"Volumes": {"/z": {}}}, {"Volumes": {"/z": {}, "/a": {}, "/b": {}}}),
        ("STOPSIGNAL SIGUSR1", {}, {"StopSignal": "SIGUSR1"}),
        ("STOPSIGNAL 9", {}, {"StopSignal": "9"}),
        ("STOPSIGNAL rtmin+3", {}, {"StopSignal": "rtmin+3"}),
        (
            "HEALTHCHECK --interval=1s --retries=2 CMD a",
            {},
            {"Healthcheck": {"Test": ["CMD-SHELL", "a"], "Interval": 10**9, "Retries": 2}},
        ),
        ("HEALTHCHECK NONE", {"Healthcheck": {"Test": ["CMD", "x"]}}, {"Healthcheck": {"Test": ["NONE"]}}),
        ("ONBUILD RUN a\nONBUILD CMD b", {}, {"OnBuild": ["RUN a", "CMD b"]}),
        (
            "",
            {"StopTimeout": 5, "Healthcheck": {"Test": ["CMD", "x"], "StartInterval": 7}, "Shell": ["s"]},
            {"StopTimeout": 5, "Healthcheck": {"Test": ["CMD", "x"], "StartInterval": 7}, "Shell": ["s"]},
        ),
    ],
)
def test_edits(text: str, base: dict[str, Any], expected: dict[str, Any]) -> None:
    assert config(text, base) == expected


def test_a_stage_that_starts_from_another() -> None:
    plan = plan_of(
        'FROM a AS one\nCMD ["c"]\nLABEL l=1\nMAINTAINER me\nWORKDIR /w\nFROM one\nENTRYPOINT ["e"]\nWORKDIR x\n'
    ).target
    assert (plan.config.cmd, plan.config.entrypoint) == (None, ("e",))
    assert (plan.config.labels, plan.config.author, plan.config.workdir) == ({"l": "1"}, "me", "/w/x")


def test_labels_of_the_command_line_are_the_targets_and_win() -> None:
    plan = plan_of("FROM a AS one\nLABEL x=1\nFROM one\nLABEL y=2", request(labels={"x": "9", "z": "3"}))
    assert plan.stages[0].config.labels == {"x": "1"}
    assert plan.target.config.labels == {"x": "9", "y": "2", "z": "3"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("STOPSIGNAL 0", "invalid signal: 0"),
        ("STOPSIGNAL SIGNONE", "invalid signal: SIGNONE"),
        ("STOPSIGNAL RTMIN+99", "invalid signal"),
        ("VOLUME $none", "VOLUME specified can not be an empty string"),
        ("EXPOSE x", "invalid containerPort: x"),
        ("EXPOSE 80/icmp", "invalid proto: icmp"),
        ("EXPOSE /tcp", "no port specified"),
        ("EXPOSE 9-8", "invalid containerPort: 9-8"),
        ("EXPOSE 65536", "invalid containerPort"),
        ("EXPOSE x:1", "invalid hostPort: x"),
        ("EXPOSE a.b:1:2", "invalid IP address: a.b"),
        ("EXPOSE 1-3:5-6", "invalid ranges specified"),
        ("EXPOSE 1-65535 1-65535 1-65535", "more than 131072 ports"),
    ],
)
def test_mistakes(text: str, message: str) -> None:
    with pytest.raises(DockerfileError, match=message) as caught:
        config(text)
    assert caught.value.first == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ENV a=b c='d e'", "ENV a=b c=d e"),
        ("LABEL a=b", "LABEL a=b"),
        ('CMD ["a", "b\\"\\n"]', 'CMD ["a" "b\\"\\n"]'),
        ("ENTRYPOINT a b", 'ENTRYPOINT ["/bin/sh" "-c" "a b"]'),
        ('SHELL ["a", "b"]', "SHELL [a b]"),
        ("USER a", "USER a"),
        ("VOLUME /a /b", "VOLUME [/a /b]"),
        ("EXPOSE 80 8-9/udp", "EXPOSE [8/udp 9/udp 80/tcp]"),
        ("STOPSIGNAL 9", "STOPSIGNAL 9"),
        ("MAINTAINER a b", "MAINTAINER a b"),
        ("ARG a b=c", "ARG a b=c"),
        ("WORKDIR /", "WORKDIR /"),
        (
            "HEALTHCHECK --interval=90s --timeout=1500ms CMD a b",
            "HEALTHCHECK {Test:[CMD-SHELL a b] Interval:1m30s Timeout:1.5s StartPeriod:0s StartInterval:0s Retries:0}",
        ),
    ],
)
def test_history(text: str, expected: str) -> None:
    assert created_by(target_of(f"FROM a\n{text}")) == [expected]


def test_onbuild_leaves_no_history() -> None:
    assert created_by(target_of("FROM a\nONBUILD RUN x")) == []


def test_strings_as_go_quotes_them() -> None:
    assert (
        history.quoted(["é\t", "\x00\x7f", "\u200b", "\udcff"]) == '["é\\t" "\\x00\\x7f" "\\u200b" "\\xff"]'
    )


def test_a_configuration_comes_back_as_it_went() -> None:
    whole = {
        "Env": ["A=b=c"], "WorkingDir": "/w", "User": "u", "Cmd": [], "Entrypoint": ["e"], "Shell": ["s"],
        "Labels": {"l": ""}, "Volumes": {"/v": {}}, "ExposedPorts": {"1/tcp": {}}, "StopSignal": "9",
        "OnBuild": ["RUN x"], "ArgsEscaped": True, "Other": {"kept": 0}, "Empty": "",
        "Healthcheck": {"Test": ["CMD", "x"], "Interval": 1, "Timeout": 2, "StartPeriod": 3, "StartInterval": 4, "Retries": 5},
    }  # fmt: skip
    assert to_document(from_document({"config": whole})) == whole
    assert to_document(from_document({"config": None})) == {}
