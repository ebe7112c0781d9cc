"""What a hostile Dockerfile may ask for has an end, with a sentence of its own."""

from __future__ import annotations

import pytest

from rootless.build.dockerfile.error import DockerfileError
from tests.build.plan.planning import document, plan_of


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("FROM a\n" + "RUN x\n" * 1001, "a stage of more than 1000 steps"),
        ("FROM a\n" + "".join(f"ENV a{n}=1\n" for n in range(10_001)), "more than 10000 variables"),
        ("FROM a\n" + "".join(f"ARG a{n}=1\n" for n in range(10_001)), "more than 10000 variables"),
        ("FROM a\n" + "EXPOSE 1-65535/tcp 1-65535/udp 1-9/sctp\n", "more than 131072 ports in one EXPOSE"),
    ],
    ids=["steps", "environment", "arguments", "ports"],
)
def test_bounds(text: str, message: str) -> None:
    with pytest.raises(DockerfileError, match=message) as caught:
        plan_of(text)
    assert caught.value.first > 1


def test_findings_are_kept_as_far_as_anybody_reads_them() -> None:
    text = "FROM a\n" + "".join(f"LABEL a=$b{n}\n" for n in range(1200))
    warnings = plan_of(text, images={"a": document(Env=[f"a{n}=1" for n in range(200)])}).warnings
    assert len(warnings) == 1000
