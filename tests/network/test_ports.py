from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootless.errors import InvalidInput, NotSupported, RootlessError
from rootless.network import ports
from rootless.network.ports import PortMapping

PARSED = [
    ("80", [("", 0, 80, "tcp")]),
    ("80/udp", [("", 0, 80, "udp")]),
    ("80/UDP", [("", 0, 80, "udp")]),
    ("8080:80", [("", 8080, 80, "tcp")]),
    (":80", [("", 0, 80, "tcp")]),
    ("0:80", [("", 0, 80, "tcp")]),
    ("127.0.0.1:8080:80", [("127.0.0.1", 8080, 80, "tcp")]),
    ("127.0.0.1::80", [("127.0.0.1", 0, 80, "tcp")]),
    ("[::1]:8080:80", [("::1", 8080, 80, "tcp")]),
    ("[0:0::1]:8080:80/udp", [("::1", 8080, 80, "udp")]),
    ("[::]::80", [("::", 0, 80, "tcp")]),
    ("80-82", [("", 0, 80, "tcp"), ("", 0, 81, "tcp"), ("", 0, 82, "tcp")]),
    ("8080-8081:80-81/udp", [("", 8080, 80, "udp"), ("", 8081, 81, "udp")]),
    ("65535:65535", [("", 65535, 65535, "tcp")]),
    ("published=8080,target=80", [("", 8080, 80, "tcp")]),
    ("target=80,protocol=udp", [("", 0, 80, "udp")]),
]


@pytest.mark.parametrize(("word", "mappings"), PARSED)
def test_words_that_mean_something(word: str, mappings: list[tuple[str, int, int, str]]) -> None:
    assert ports.parse([word]) == [PortMapping(*mapping) for mapping in mappings]


def test_a_range_of_host_ports_for_one_container_port_is_a_choice() -> None:
    assert ports.parse(["8080-8090:80"]) == [PortMapping("", 8080, 80, "tcp", 8090)]


def test_the_same_mapping_twice_is_one() -> None:
    assert ports.parse(["8080:80", "8080:80/tcp"]) == [PortMapping("", 8080, 80, "tcp")]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("", "no port specified: <empty>"),
        ("8080:", "no port specified: 8080:<empty>"),
        ("abc", "invalid containerPort: abc"),
        ("80:abc", "invalid containerPort: abc"),
        ("abc:80", "invalid hostPort: abc"),
        ("70000:80", "invalid hostPort: 70000"),
        ("8080:0", "invalid containerPort: 0"),
        ("8080:80/foo", "invalid proto: foo"),
        ("1.2.3:8080:80", "invalid IP address: 1.2.3"),
        ("localhost:8080:80", "invalid IP address: localhost"),
        ("::1:8080:80", "invalid IP address: ::1"),
        ("[::1:8080:80", "invalid IP address: [::1:8080"),
        ("8082-8080:80-82", "invalid hostPort: 8082-8080"),
        ("8080-8082:80-81", "invalid ranges specified for container and host Ports: 80-81 and 8080-8082"),
        ("8080:-80", "invalid containerPort: -80"),
        ("8080:８０", "invalid containerPort: ８０"),
        ("published=1,nonsense=2", "invalid publish opts format (should be name=value but got 'nonsense=2')"),
    ],
)
def test_words_that_mean_nothing(word: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        ports.parse([word])
    assert str(caught.value) == message


def test_sctp_is_refused_with_a_way_out() -> None:
    with pytest.raises(NotSupported, match="sctp") as caught:
        ports.parse(["80:80/sctp"])
    assert caught.value.hint is not None
    assert "--network host" in caught.value.hint


@given(st.text(alphabet="0123456789:-/.[]tcpud=, ", max_size=40))
def test_nothing_but_our_errors_comes_out(word: str) -> None:
    try:
        mappings = ports.parse([word])
    except RootlessError:
        return
    for mapping in mappings:
        assert 0 <= mapping.host_port <= 65535
        assert 1 <= mapping.container_port <= 65535


@given(
    st.sampled_from(["", "127.0.0.1", "10.1.2.3", "::1", "fe80::1"]),
    st.integers(0, 65000),
    st.integers(1, 65000),
    st.integers(0, 20),
    st.sampled_from(["tcp", "udp"]),
)
def test_what_is_written_is_read(address: str, host: int, container: int, more: int, protocol: str) -> None:
    if host == 0:
        more = 0
    shown = f"[{address}]" if ":" in address else address
    prefix = f"{shown}:" if shown else ""
    word = f"{prefix}{host}-{host + more}:{container}-{container + more}/{protocol}"
    if more == 0:
        word = f"{prefix}{host}:{container}/{protocol}"
    found = ports.parse([word])
    assert found == [PortMapping(address, host + n, container + n, protocol) for n in range(more + 1)]
    assert ports.from_data(ports.to_data(found)) == found


@pytest.mark.parametrize(
    ("words", "exposed", "shown"),
    [
        ([], [], ""),
        (["8080:80"], [], "0.0.0.0:8080->80/tcp"),
        (["80:80"], [], "0.0.0.0:80->80/tcp"),
        (["80-82:80-82"], [], "0.0.0.0:80-82->80-82/tcp"),
        (["8080-8081:80-81"], [], "0.0.0.0:8080->80/tcp, 0.0.0.0:8081->81/tcp"),
        (["8080:80"], [(443, "tcp"), (80, "tcp")], "443/tcp, 0.0.0.0:8080->80/tcp"),
        ([], [(80, "tcp"), (81, "tcp"), (90, "udp")], "80-81/tcp, 90/udp"),
        (["127.0.0.1:5000:5000", "[::1]:5000:5000"], [], "127.0.0.1:5000->5000/tcp, [::1]:5000->5000/tcp"),
        (["5000:5000", "5002:5002"], [], "0.0.0.0:5000->5000/tcp, 0.0.0.0:5002->5002/tcp"),
    ],
)
def test_the_column_of_ps(words: list[str], exposed: list[tuple[int, str]], shown: str) -> None:
    assert ports.describe(ports.parse(words), exposed) == shown


def test_the_lines_of_port() -> None:
    mappings = ports.parse(["8443:443", "8080:80", "127.0.0.1:8053:53/udp"])
    assert ports.port_lines(mappings) == [
        "53/udp -> 127.0.0.1:8053",
        "80/tcp -> 0.0.0.0:8080",
        "443/tcp -> 0.0.0.0:8443",
    ]
    assert ports.port_lines(mappings, "80") == ["0.0.0.0:8080"]
    assert ports.port_lines(mappings, "53/udp") == ["127.0.0.1:8053"]
    assert ports.port_lines(mappings, "53") == []
    with pytest.raises(InvalidInput, match="invalid port"):
        ports.port_lines(mappings, "http")


def test_exposed_and_publish_all() -> None:
    exposed = ports.parse_exposed(["80", "8000-8001/udp", "80/tcp"])
    assert exposed == [(80, "tcp"), (8000, "udp"), (8001, "udp")]
    added = ports.publish_all(exposed, ports.parse(["9000:8000/udp"]))
    assert added == [PortMapping("", 0, 80, "tcp"), PortMapping("", 0, 8001, "udp")]
    with pytest.raises(InvalidInput):
        ports.parse_exposed(["80:80"])


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("8080:80", "8080:81", True),
        ("8080:80", "127.0.0.1:8080:80", True),
        ("127.0.0.1:8080:80", "127.0.0.2:8080:80", False),
        ("8080:80", "8080:80/udp", False),
    ],
)
def test_overlap(one: str, other: str, same: bool) -> None:
    assert ports.overlaps(ports.parse([one])[0], ports.parse([other])[0]) is same
