"""`up` against what is there: what is made, made anew, left; what was interrupted; networks, volumes, images, files."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from tests.compose.projects import Compose
from tests.harness.processes import wait_until

SLEEP = "image: busybox, command: sleep 1000, stop_grace_period: 0s"
WEB = f"services:\n  web: {{{SLEEP}}}\n"


def test_labels_are_dockers(compose: Compose) -> None:
    compose.up(f"services:\n  web: {{{SLEEP}, depends_on: [db], labels: {{mine: '1'}}}}\n"
               f"  db: {{{SLEEP}, volumes: ['v:/v']}}\nvolumes: {{v: }}\n")  # fmt: skip
    labels = compose.inspect("demo-web-1")["Config"]["Labels"]
    expected = {
        "com.docker.compose.project": "demo", "com.docker.compose.service": "web", "com.docker.compose.container-number": "1",
        "com.docker.compose.oneoff": "False", "com.docker.compose.depends_on": "db:service_started:false",
        "com.docker.compose.project.working_dir": str(compose.directory), "mine": "1",
        "com.docker.compose.project.config_files": str(compose.directory / "compose.yaml"),
        "com.docker.compose.config-hash": compose("config", "--hash", "web").stdout.split()[1],
    }  # fmt: skip
    assert {key: labels.get(key) for key in expected} == expected
    network = json.loads(compose.rootless("network", "inspect", "demo_default").stdout)[0]
    assert network["Labels"]["com.docker.compose.network"] == "default"
    volume = json.loads(compose.rootless("volume", "inspect", "demo_v").stdout)[0]
    assert volume["Labels"]["com.docker.compose.volume"] == "v"


def test_what_did_not_change_is_left(compose: Compose) -> None:
    compose.up(WEB)
    before = compose.ids()
    assert "Container demo-web-1  Running" in compose("up", "-d").stderr
    assert compose.ids() == before
    compose("up", "-d", "--no-recreate")
    compose.up(f"services:\n  web: {{{SLEEP}, environment: [A=1]}}\n", "--no-recreate")
    assert compose.ids() == before
    compose("up", "-d", "-t", "0")
    assert compose.ids() != before
    assert "A=1" in compose.inspect("demo-web-1")["Config"]["Env"]


@pytest.mark.own_store
def test_a_new_image_of_that_name_makes_a_new_container(compose: Compose) -> None:
    """#1453, #466."""
    compose.file("FROM busybox\nCOPY a /a\n", "Dockerfile")
    compose.file("1", "a")
    text = f"services:\n  web: {{build: ., {SLEEP.replace('image: busybox, ', '')}}}\n"
    compose.up(text)
    before = compose.ids()
    assert compose.inspect("demo-web-1")["Config"]["Image"] == "demo-web"
    compose("up", "-d")
    assert compose.ids() == before
    compose.file("2", "a")
    compose("up", "-d", "--build", "-t", "0", timeout=120)
    assert compose.ids() != before
    assert compose.execute("web", "cat", "/a") == "2"


def test_scale_up_and_down(compose: Compose) -> None:
    compose.up(WEB, "--scale", "web=3")
    assert set(compose.rows()) == {"demo-web-1", "demo-web-2", "demo-web-3"}
    first = compose.ids()["demo-web-1"]
    compose("up", "-d", "--scale", "web=1", "-t", "0")
    assert compose.ids() == {"demo-web-1": first}
    compose("scale", "web=2")
    assert set(compose.rows()) == {"demo-web-1", "demo-web-2"}


def test_orphans_are_said_and_removed(compose: Compose) -> None:
    compose.up(f"services:\n  web: {{{SLEEP}}}\n  old: {{{SLEEP}}}\n")
    result = compose.up(WEB, warns=True)
    assert "Found orphan containers ([demo-old-1]) for this project" in result.stderr
    compose("up", "-d", "--remove-orphans", "-t", "0")
    assert set(compose.rows()) == {"demo-web-1"}


def test_anonymous_volumes_are_kept_and_renewed(compose: Compose) -> None:
    text = f"services:\n  web: {{{SLEEP}, volumes: [/data], environment: [V=%d]}}\n"
    compose.up(text % 1)
    compose.execute("web", "touch", "/data/kept")
    compose.up(text % 2)
    assert "kept" in compose.execute("web", "ls", "/data")
    compose("up", "-d", "-V", "--force-recreate", "-t", "0")
    assert compose.execute("web", "ls", "/data") == ""
    compose("down", "-v", "-t", "0")
    assert compose.rootless("volume", "ls", "-q").lines == []


def test_external_networks_and_volumes(compose: Compose) -> None:
    compose.file(f"services:\n  web: {{{SLEEP}, networks: [n], volumes: ['v:/v']}}\n"
                 "networks: {n: {external: true, name: ext-n}}\nvolumes: {v: {external: true, name: ext-v}}\n")  # fmt: skip
    assert "network ext-n declared as external, but could not be found" in compose("up", "-d", status=1).stderr
    compose.rootless("network", "create", "ext-n")
    try:
        assert 'external volume "ext-v" not found' in compose("up", "-d", status=1).stderr
        compose.rootless("volume", "create", "ext-v")
        compose("up", "-d")
        compose("down", "-v", "-t", "0")
        assert "ext-n" in compose.rootless("network", "ls", "--format", "{{.Name}}").lines
        assert compose.rootless("volume", "ls", "-q").lines == ["ext-v"]
    finally:
        compose("down", "-t", "0", status=None)
        compose.rootless("network", "rm", "ext-n")
        compose.rootless("volume", "rm", "ext-v", status=None)


def test_names_aliases_and_addresses(compose: Compose) -> None:
    """#1111, #743, #1245, #88: services find each other by service, alias, container and link."""
    compose.up(f"""
services:
  web: {{{SLEEP}, networks: [back], links: ["db:linked"]}}
  db: {{{SLEEP}, container_name: the-db, networks: {{back: {{aliases: [database], ipv4_address: 10.98.7.5}}}}}}
networks: {{back: {{ipam: {{config: [{{subnet: 10.98.7.0/24}}]}}}}}}
""")
    for name in ("db", "database", "the-db", "linked"):
        assert "10.98.7.5" in compose.execute("web", "nslookup", name)


def test_a_network_whose_configuration_changed_is_made_anew(compose: Compose) -> None:
    text = f"services:\n  web: {{{SLEEP}}}\nnetworks: {{default: {{ipam: {{config: [{{subnet: %s}}]}}}}}}\n"
    compose.up(text % "10.98.8.0/24")
    compose.up(text % "10.98.9.0/24")
    assert compose.inspect("demo-web-1")["NetworkSettings"]["Networks"]["demo_default"]["IPAddress"].startswith("10.98.9.")


def test_namespaces_of_another_service(compose: Compose) -> None:
    """#1001, podman#23898: none, service:, and who shares a namespace goes with it when that is made anew."""
    text = f"""
services:
  net: {{{SLEEP}, environment: [V=%d], ipc: shareable}}
  side: {{{SLEEP}, network_mode: "service:net", pid: "service:net", ipc: "service:net", volumes_from: [store]}}
  store: {{{SLEEP}, volumes: [/shared]}}
  alone: {{{SLEEP}, network_mode: none}}
"""
    compose.up(text % 1)
    net = compose.inspect("demo-net-1")["Id"]
    assert compose.inspect("demo-side-1")["HostConfig"]["NetworkMode"] == f"container:{net}"
    assert compose.execute("alone", "ls", "/sys/class/net").split() == ["lo"]
    compose.execute("store", "touch", "/shared/x")
    assert compose.execute("side", "ls", "/shared") == "x\n"
    compose.up(text % 2)
    net = compose.inspect("demo-net-1")["Id"]
    assert compose.inspect("demo-side-1")["HostConfig"]["NetworkMode"] == f"container:{net}"
    assert compose.rows()["demo-side-1"]["State"] == "running"


def test_an_up_that_was_killed_is_finished_by_the_next(compose: Compose) -> None:
    text = "services:\n" + "".join(f"  s{number}: {{{SLEEP}, environment: [V=%(v)d]}}\n" for number in range(4))
    compose.up(text % {"v": 1})
    compose.file(text % {"v": 2})
    for after in range(6):
        process = compose.start("up", "-d", "-t", "0", "--force-recreate")
        assert process.stderr is not None
        for _ in range(after * 3):
            process.stderr.readline()
        process.send_signal(signal.SIGKILL)
        process.wait()
    # What the killed ones had under way ends by itself.
    deadline = time.monotonic() + 60
    while True:
        compose("up", "-d", "-t", "0", status=None)  # a name may still be one's that is being made
        rows = compose.rows()
        if set(rows) == {f"demo-s{number}-1" for number in range(4)} and all(row["State"] == "running" for row in rows.values()):
            break
        assert time.monotonic() < deadline, rows
    assert all("V=2" in compose.inspect(name)["Config"]["Env"] for name in rows)
    # Sweeps what a killed one was making: one that was killed in mkdir(2), before its lock was there, ten seconds later.
    making = compose.rootless.root / "containers"

    def swept() -> bool:
        compose.rootless("container", "prune", "-f")
        return not list(making.glob(".new-*"))

    wait_until(swept, "the end of what killed ones were making")


def test_dry_run_changes_nothing(compose: Compose) -> None:
    compose.file(WEB)
    result = compose("--dry-run", "up", "-d")
    assert "DRY-RUN MODE -  Container demo-web-1  Creating" in result.stderr
    assert compose.rows() == {}


def test_down_takes_what_is_the_projects(compose: Compose, tmp_path: Path) -> None:
    """#490, #387."""
    compose.up(f"services:\n  web: {{{SLEEP}, volumes: ['v:/v'], ports: ['18099:80']}}\nvolumes: {{v: }}\n")
    compose("down", "-t", "0")
    assert compose.rows() == {}
    assert "demo_default" not in compose.rootless("network", "ls", "--format", "{{.Name}}").lines
    assert "demo_v" in compose.rootless("volume", "ls", "-q").lines
    compose("down", "-v", warns=True)
    assert "demo_v" not in compose.rootless("volume", "ls", "-q").lines
    compose("up", "-d")
    (compose.directory / "compose.yaml").unlink()
    compose("-p", "demo", "down", "-t", "0")
    assert compose.rootless("ps", "-aq").lines == []


def test_what_docker_compose_1_has_made_or_left(compose: Compose) -> None:
    """Its names have lines below, and it renames a container before it makes the new one, which may be as far as it comes."""
    text = "services:\n  web: {image: busybox, command: sleep %d, stop_grace_period: 0s}\n"
    compose.up(text % 1000)
    identifier = compose.ids()["demo-web-1"]
    compose.rootless("rename", "demo-web-1", f"{identifier[:12]}_demo-web-1")
    compose.up(text % 1000)
    assert compose.ids() == {"demo-web-1": identifier}
    compose.rootless("rename", "demo-web-1", f"{identifier[:12]}_demo-web-1")
    compose.up(text % 1001)
    assert compose.rows()["demo-web-1"]["State"] == "running"
    compose.rootless("rename", "demo-web-1", "demo_web_1")
    before = compose.ids()
    compose.up(text % 1001)
    assert compose.ids() == before
    told = compose.up(text % 1002).stderr
    assert [(name, row["State"]) for name, row in compose.rows().items()] == [("demo-web-1", "running")]
    assert "demo_web_1  Starting" not in told


def test_names_as_in_compose_1(compose: Compose) -> None:
    """--compatibility, or its variable in .env; a project that has names of one kind keeps them under the other."""
    compose.file("services:\n  a: {image: busybox, command: sleep 1000}\n")
    compose("--compatibility", "up", "-d")
    name = "demo_a_1"
    assert compose("ps", "--format", "{{.Name}}").lines == [name]
    compose("up", "-d")
    assert compose("ps", "--format", "{{.Name}}").lines == [name]
    compose.file("COMPOSE_COMPATIBILITY=1\n", ".env")
    assert compose("run", "--rm", "a", "hostname", "-s").status == 0
    compose("up", "-d", "--scale", "a=2")
    assert sorted(compose("ps", "--format", "{{.Name}}").lines) == [name, "demo_a_2"]
    compose("down", "-t", "0")
