"""`network create`, `ls`, `inspect`, `rm`, `prune`: words, exit statuses, and what is in the store. No container runs here."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.harness.command import Rootless


def names(rootless: Rootless, *words: str) -> list[str]:
    return rootless("network", "ls", "--format", "{{.Name}}", *words).stdout.split()


def test_the_three_that_are_always_there(rootless: Rootless) -> None:
    lines = [line.split() for line in rootless("network", "ls").stdout.splitlines()]
    assert lines[0] == ["NETWORK", "ID", "NAME", "DRIVER", "SCOPE"]
    assert [line[1:] for line in lines[1:]] == [["bridge", "bridge", "local"], ["host", "host", "local"], ["none", "null", "local"]]
    assert not (rootless.root / "networks").exists(), "a list makes nothing"


def test_create_inspect_and_rm(rootless: Rootless) -> None:
    made = rootless("network", "create", "--label", "a=b", "-o", "com.docker.network.driver.mtu=1400", "app").stdout.strip()
    assert len(made) == 64
    assert int(made, 16)
    (found,) = json.loads(rootless("network", "inspect", "app").stdout)
    assert (found["Name"], found["Id"], found["Driver"], found["Scope"]) == ("app", made, "bridge", "local")
    assert (found["EnableIPv4"], found["EnableIPv6"], found["Internal"], found["Containers"]) == (True, False, False, {})
    assert (found["Labels"], found["Options"]) == ({"a": "b"}, {"com.docker.network.driver.mtu": "1400"})
    (config,) = found["IPAM"]["Config"]
    assert config["Subnet"].endswith("/16")
    assert config["Gateway"] == config["Subnet"].replace("0.0/16", "0.1")
    assert rootless("inspect", "--type", "network", made[:12], "--format", "{{.Name}}").stdout == "app\n"
    assert rootless("network", "inspect", "-f", "{{.Name}} {{range .IPAM.Config}}{{.Gateway}}{{end}}", made[:6]).stdout == (
        f"app {config['Gateway']}\n"
    )
    assert rootless("network", "rm", "app").stdout == "app\n"
    assert names(rootless) == ["bridge", "host", "none"]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("app", "network with name app already exists"),
        ("bridge", "operation is not permitted on predefined bridge network"),
        ("host", "operation is not permitted on predefined host network"),
        ("a/b", "invalid network name (a/b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"),
        ("a\tb", "invalid network name"),
        ("-d macvlan x", "network driver macvlan is not supported: it would put containers on an interface of the host"),
        ("-d ipvlan x", "network driver ipvlan is not supported"),
        ("-d overlay x", "network driver overlay is not supported"),
        ("-d host x", 'only one instance of "host" network is allowed'),
        ("-d weave x", "could not find plugin weave in v1 plugin registry: plugin not found"),
        ("-o com.docker.network.bridge.gateway_mode_ipv4=routed x", "gateway mode routed is not supported: the host's routes"),
        ("-o com.docker.network.bridge.enable_icc=perhaps x", "invalid value for com.docker.network.bridge.enable_icc: perhaps"),
        ("-o mtu=9 x", "invalid mtu: 9"),
        ("--subnet 10.77.0.1/24 x", "invalid network config: invalid subnet 10.77.0.1/24: it should be 10.77.0.0/24"),
        ("--subnet 10.66.5.0/24 x", "invalid pool request: Pool overlaps with other one on this address space"),
        ("--subnet 10.77.0.0/24 --subnet 10.78.0.0/24 x", "bridge driver doesn't support multiple subnets"),
        ("--subnet fd77::/64 x", "subnet fd77::/64 needs --ipv6"),
        ("--ipv4=false x", "IPv4 or IPv6 must be enabled"),
        ("--ingress x", "--ingress is not supported: "),
        ("--scope swarm x", "--scope swarm is not supported: "),
        ("--ipam-driver dhcp x", "no IPAM driver 'dhcp'"),
    ],
)
def test_what_create_refuses(rootless: Rootless, words: str, error: str) -> None:
    rootless("network", "create", "--subnet", "10.66.0.0/16", "app")
    failed = rootless("network", "create", *words.split(" "), status=None)
    assert failed.status == 1
    assert failed.stderr.startswith(f"rootless: {error}")
    assert names(rootless) == ["app", "bridge", "host", "none"]


def test_both_families(rootless: Rootless) -> None:
    rootless("network", "create", "--ipv6", "six")
    rootless("network", "create", "--ipv6", "--subnet", "10.66.0.0/24,fd66::/64", "--gateway", "fd66::9", "--ip-range", "10.66.0.128/25",
             "--aux-address", "router=10.66.0.1", "both")  # fmt: skip
    rootless("network", "create", "--ipv6", "--ipv4=false", "only6")
    first, second, third = json.loads(rootless("network", "inspect", "six", "both", "only6").stdout)
    assert [first["EnableIPv6"], len(first["IPAM"]["Config"])] == [True, 2]
    assert first["IPAM"]["Config"][1]["Subnet"].startswith("fd")
    assert second["IPAM"]["Config"] == [
        {"Subnet": "10.66.0.0/24", "IPRange": "10.66.0.128/25", "Gateway": "10.66.0.2", "AuxiliaryAddresses": {"router": "10.66.0.1"}},
        {"Subnet": "fd66::/64", "Gateway": "fd66::9"},
    ]
    assert [third["EnableIPv4"], len(third["IPAM"]["Config"])] == [False, 1]


def test_rm_goes_on_after_an_error(rootless: Rootless) -> None:
    for name in ("a1", "a2"):
        rootless("network", "create", name)
    done = rootless("network", "rm", "a1", "nobody", "bridge", "a2", status=None)
    assert (done.status, done.stdout) == (1, "a1\na2\n")
    assert "rootless: network nobody not found\n" in done.stderr
    assert "rootless: bridge is a pre-defined network and cannot be removed\n" in done.stderr
    assert rootless("network", "rm", "-f", "nobody").stdout == ""
    assert rootless("network", "inspect", "nobody", status=None).stdout == "[]\n"


def test_order_and_filters(rootless: Rootless) -> None:
    for name in ("web10", "web2", "db"):
        rootless("network", "create", "--label", f"of={name}", name)
    assert names(rootless) == ["bridge", "db", "host", "none", "web2", "web10"]
    assert names(rootless, "--filter", "type=custom") == ["db", "web2", "web10"]
    assert names(rootless, "--filter", "driver=null") == ["none"]
    assert names(rootless, "--filter", "name=eb") == ["web2", "web10"]
    assert names(rootless, "--filter", "label=of=db") == ["db"]
    assert names(rootless, "--filter", "dangling=true") == ["db", "web2", "web10"]
    assert rootless("network", "ls", "-q", "--no-trunc", "--filter", "name=db").stdout == (
        rootless("network", "inspect", "-f", "{{.Id}}", "db").stdout
    )
    wrong = rootless("network", "ls", "--filter", "type=x", status=None)
    assert (wrong.status, wrong.stderr.splitlines()[0]) == (1, "rootless: invalid filter 'type=x'")


def test_prune(rootless: Rootless) -> None:
    for name in ("a", "b"):
        rootless("network", "create", "--label", f"of={name}", name)
    asked = rootless("network", "prune", stdin=b"n\n")
    assert asked.stdout.startswith("WARNING! This will remove all custom networks not used by at least one container.\n")
    assert names(rootless, "--filter", "type=custom") == ["a", "b"]
    assert rootless("network", "prune", "-f", "--filter", "label=of=a").stdout == "Deleted Networks:\na\n\n"
    assert rootless("network", "prune", "-f").stdout == "Deleted Networks:\nb\n\n"
    assert rootless("network", "prune", "-f").stdout == ""


def test_twenty_at_once_have_subnets_of_their_own(rootless: Rootless) -> None:
    running = [
        subprocess.Popen([*rootless.argv, "network", "create", f"n{at}"], env=rootless.environment, stdout=subprocess.PIPE)
        for at in range(20)
    ]
    same = [
        subprocess.Popen([*rootless.argv, "network", "create", "same"], env=rootless.environment, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
        for _ in range(5)
    ]  # fmt: skip
    ids = [process.communicate()[0].strip() for process in running]
    assert len(set(ids)) == 20
    won = [process for process in same if process.wait() == 0]
    assert len(won) == 1, "one of those that make the same name wins"
    found = json.loads(rootless("network", "inspect", "same", *(f"n{at}" for at in range(20))).stdout)
    assert len({each["IPAM"]["Config"][0]["Subnet"] for each in found}) == 21


def test_what_killed_commands_leave(rootless: Rootless) -> None:
    """kill -9 of a create at many instants: the network is there whole or not at all, and the next commands do not mind."""
    import time

    for at in range(25):
        process = subprocess.Popen([*rootless.argv, "network", "create", f"k{at}"], env=rootless.environment)
        time.sleep(0.004 * at)
        process.kill()
        process.wait()
    left = names(rootless, "--filter", "type=custom")
    found = json.loads(rootless("network", "inspect", *left).stdout) if left else []
    assert len({each["IPAM"]["Config"][0]["Subnet"] for each in found}) == len(left)
    for at in range(25):
        rootless("network", "create", f"k{at}", status=int(f"k{at}" in left))
    rootless("network", "prune", "-f")
    assert [path.name for path in (rootless.root / "networks").iterdir() if path.is_file()] == []


def test_a_damaged_one_takes_nobody_along(rootless: Rootless) -> None:
    rootless("network", "create", "good")
    (rootless.root / "networks/bad.json").write_text('{"name": "bad"')
    assert names(rootless) == ["bad", "bridge", "good", "host", "none"]
    assert names(rootless, "--filter", "driver=bridge") == ["bridge", "good"]
    failed = rootless("network", "inspect", "bad", status=None)
    assert failed.status == 1
    assert "network bad has a damaged file" in failed.stderr


def test_events(rootless: Rootless) -> None:
    made = rootless("network", "create", "app").stdout.strip()
    rootless("network", "rm", "app")
    shown = "{{.Action}} {{.Actor.ID}} {{.Actor.Attributes.name}} {{.Actor.Attributes.type}}"
    lines = rootless("events", "--since", "1h", "--until", "0s", "--filter", "type=network", "--format", shown).lines
    assert lines == [f"create {made} app bridge", f"destroy {made} app bridge"]


def test_exists(rootless: Rootless) -> None:
    rootless("network", "create", "app")
    assert rootless("network", "exists", "app", status=None).status == 0
    assert rootless("network", "exists", "none", status=None).status == 0
    assert rootless("network", "exists", "nobody", status=None).status == 1
