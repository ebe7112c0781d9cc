"""Containers by the API: made, started, looked at, ended, removed; the answers in Docker's shapes and words."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from tests.harness import processes
from tests.harness.api import Make, Service, ended, start


def test_a_life(service: Service, make: Make) -> None:
    identifier = make("sleep", "1000", name="life")
    assert service("GET", "/containers/json").json == []
    (row,) = service("GET", "/containers/json?all=1").json
    assert (row["Id"], row["Names"], row["State"], row["Status"]) == (identifier, ["/life"], "created", "Created")
    assert row["Ports"] == row["Mounts"] == []
    assert isinstance(row["Created"], int)
    assert service("POST", "/containers/life/start", status=204).body == b""
    again = service("POST", "/containers/life/start", status=304)
    assert again.body == b""
    assert "content-type" not in again.headers
    assert service("GET", "/containers/json").json[0]["State"] == "running"
    assert "running" in service("DELETE", "/containers/life", status=409).message
    service("POST", "/containers/life/pause", status=204)
    assert service("GET", "/containers/json").json[0]["State"] == "paused"
    service("POST", "/containers/life/unpause", status=204)
    service("POST", "/containers/life/rename?name=other", status=204)
    service("POST", "/containers/other/restart?t=0", status=204)
    service("POST", "/containers/other/stop?t=0", status=204)
    service("POST", "/containers/other/stop", status=304)
    assert ended(service, "other")["ExitCode"] == 137
    assert "is not running" in service("POST", "/containers/other/kill", status=409).message
    service("DELETE", "/containers/other", status=204)
    missing = service("GET", "/containers/other/json", status=404)
    assert missing.message.startswith("No such container: other")


def test_names_are_taken_once(service: Service, make: Make) -> None:
    make(name="taken")
    answer = service("POST", "/containers/create?name=taken", {"Image": "busybox", "Cmd": ["true"]}, status=409)
    assert "taken" in answer.message


def test_an_image_that_is_not_here_is_404(service: Service, busybox_image: str) -> None:
    """At which clients pull it, and come again: docker-py by these words."""
    answer = service("POST", "/containers/create", {"Image": "not-here:1", "Cmd": ["true"]}, status=404)
    assert answer.message.startswith("No such image: not-here:1")


def test_times_and_states_of_inspect(service: Service, make: Make) -> None:
    found = service("GET", f"/containers/{make()}/json").json
    assert found["Name"].startswith("/")
    assert found["State"]["StartedAt"] == found["State"]["FinishedAt"] == "0001-01-01T00:00:00Z"
    assert found["State"]["Status"] == "created"
    assert found["Created"].endswith("Z")
    assert "SizeRw" not in found
    assert "SizeRw" in service("GET", f"/containers/{found['Id']}/json?size=1").json


FILTERS = ('{"label":{"a=b":true}}', '{"label":["a=b"]}', '{"name":["lab"]}', '{"status":["created"],"label":["a"]}')


@pytest.mark.parametrize("filters", FILTERS)
def test_lists_are_filtered_in_both_shapes(service: Service, make: Make, filters: str) -> None:
    identifier = make(name="labelled", Labels={"a": "b"})
    make(name="without")
    query = filters.replace('"', "%22")
    assert [row["Id"] for row in service("GET", f"/containers/json?all=true&filters={query}").json] == [identifier]


def test_limit_is_of_the_newest_and_of_all(service: Service, make: Make) -> None:
    make()
    newest = make()
    assert [row["Id"] for row in service("GET", "/containers/json?limit=1").json] == [newest]


@pytest.mark.parametrize("word", ["", "0", "no", "FALSE", "None", "false"])
def test_what_is_false(service: Service, make: Make, word: str) -> None:
    make()
    assert service("GET", f"/containers/json?all={word}").json == []


def test_commands_and_entrypoints(service: Service, make: Make) -> None:
    """An entrypoint `[]` is none, `[""]` resets it; both are lists or a text."""

    def of(**config: Any) -> tuple[str, list[str]]:
        found = service("GET", f"/containers/{make(**config)}/json").json
        return found["Path"], found["Args"]

    assert of(Cmd=["echo", "x"], Entrypoint=["sh", "-c"]) == ("sh", ["-c", "echo", "x"])
    assert of(Cmd=["true"], Entrypoint=[]) == ("true", [])
    assert of(Cmd=["true"], Entrypoint=[""]) == ("true", [])
    assert of(Cmd="true", Entrypoint="env") == ("env", ["true"])
    assert of(Cmd=["true"], Entrypoint=None) == ("true", [])


def test_what_a_container_is_made_of(service: Service, make: Make) -> None:
    """Each field arrives where inspect shows it, and unknown ones are ignored."""
    host = {
        "Binds": ["/tmp:/host:ro", "api-vol:/vol"],
        "Mounts": [{"Type": "tmpfs", "Target": "/fast", "TmpfsOptions": {"SizeBytes": 65536, "Mode": 448}}],
        "Tmpfs": {"/run": "size=1m"},
        "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}], "81/tcp": [{"HostIp": "127.0.0.1", "HostPort": "0"}]},
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
        "CapAdd": ["NET_ADMIN"], "CapDrop": ["MKNOD"], "Ulimits": [{"Name": "nofile", "Soft": 100, "Hard": 200}],
        "ExtraHosts": ["db:10.0.0.1"], "Dns": ["10.0.0.2"], "ReadonlyRootfs": True, "Init": True, "ShmSize": 1048576,
        "SecurityOpt": ["no-new-privileges"], "Sysctls": {"net.ipv4.ip_forward": "1"}, "NetworkMode": "default",
        "MemorySwappiness": -1, "OomKillDisable": False, "Nonsense": {"a": 1}, "LogConfig": {"Type": "", "Config": {}},
        "BlkioDeviceReadBps": [], "DeviceRequests": None, "ConsoleSize": [0, 0], "EmulateIds": "ids",
    }  # fmt: skip
    config = {
        "Env": ["A=b", "EMPTY=", "GONE"], "Labels": {"l": "1"}, "WorkingDir": "/srv", "User": "1:1", "Hostname": "hosty",
        "ExposedPorts": {"82/udp": {}}, "Volumes": {"/anon//": {}}, "StopSignal": "SIGINT", "StopTimeout": 3, "Tty": False,
        "Healthcheck": {"Test": ["CMD", "true"], "Interval": 2000000000}, "HostConfig": host,
    }  # fmt: skip
    found = service("GET", f"/containers/{make(**config)}/json").json
    assert {"A=b", "EMPTY="} <= set(found["Config"]["Env"])
    assert not [word for word in found["Config"]["Env"] if word.startswith("GONE")]
    assert (found["Config"]["Labels"], found["Config"]["WorkingDir"], found["Config"]["User"]) == ({"l": "1"}, "/srv", "1:1")
    assert (found["Config"]["Hostname"], found["Config"]["StopSignal"], found["Config"]["StopTimeout"]) == ("hosty", "SIGINT", 3)
    assert found["Config"]["Healthcheck"]["Test"] == ["CMD", "true"]
    shown = found["HostConfig"]
    assert sorted(shown["Binds"]) == ["/tmp:/host:ro", "api-vol:/vol"]
    assert shown["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    assert (shown["CapAdd"], shown["CapDrop"], shown["Init"], shown["ShmSize"]) == (["NET_ADMIN"], ["MKNOD"], True, 1048576)
    assert shown["EmulateIds"] == "ids"
    assert shown["Ulimits"] == [{"Name": "nofile", "Soft": 100, "Hard": 200}]
    assert {mount["Destination"]: mount["Type"] for mount in found["Mounts"]} == {
        "/host": "bind", "/vol": "volume", "/fast": "tmpfs", "/run": "tmpfs", "/anon": "volume",
    }  # fmt: skip
    service("DELETE", "/volumes/api-vol", status=None)


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"HostConfig": {"Binds": ["./here:/there"]}}, 400, "has to be absolute"),
    ({"HostConfig": {"Binds": ["~/here:/there"]}}, 400, "has to be absolute"),
    ({"HostConfig": {"Binds": ["/a:relative"]}}, 400, "absolute"),
    ({"HostConfig": {"Binds": ["../../etc:/x"]}}, 400, "absolute"),
    ({"HostConfig": {"Mounts": [{"Type": "bind", "Source": "x", "Target": "/x"}]}}, 400, "absolute"),
    ({"HostConfig": {"Mounts": [{"Type": "bind", "Source": "/nowhere/at/all", "Target": "/x"}]}}, 400, "does not exist"),
    ({"HostConfig": {"Mounts": [{"Type": "volume", "Target": "/x", "VolumeOptions": {"Subpath": "../.."}}]}}, 400, "subpath"),
    ({"HostConfig": {"Mounts": [{"Type": "npipe", "Target": "/x"}]}}, 400, "unknown"),
    ({"HostConfig": {"SecurityOpt": ["seccomp=/etc/passwd"]}}, 400, "the profile itself, not its path"),
    ({"HostConfig": {"SecurityOpt": ["nonsense=1"]}}, 400, "security-opt"),
    ({"HostConfig": {"EmulateIds": "some"}}, 400, "invalid value: some"),
    ({"HostConfig": {"PortBindings": {"80/tcp": [{"HostIp": "localhost", "HostPort": "1"}]}}}, 400, "localhost"),
    ({"HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "1,protocol=udp"}]}}}, 400, "port"),
    ({"HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": 80}]}}}, 400, "has to be a string"),
    ({"HostConfig": {"DeviceRequests": [{"Driver": "cdi", "DeviceIDs": ["x"]}]}}, 400, "CDI device name"),
    ({"HostConfig": {"DeviceRequests": [{"Driver": "cdi", "DeviceIDs": ["a.com/x=y"]}]}}, 404, "unresolvable CDI devices a.com/x=y"),
    ({"HostConfig": {"DeviceRequests": [{"Driver": "x", "Count": -1, "Capabilities": [["gpu"]]}]}}, 404, "could not select device driver"),
    ({"HostConfig": {"DeviceRequests": [{"Count": -2}]}}, 400, "invalid count"),
    ({"HostConfig": {"DeviceRequests": [{"Count": 1, "Capabilities": ["gpu"]}]}}, 400, "has to be a list"),
    ({"HostConfig": {"StorageOpt": {"size": "1g"}}}, 501, "StorageOpt"),
    ({"HostConfig": {"OomKillDisable": True}}, 501, "OomKillDisable"),
    ({"HostConfig": {"Runtime": "nvidia"}}, 501, "Runtime"),
    ({"HostConfig": {"Memory": "1g"}}, 400, "whole number"),
    ({"HostConfig": {"Memory": 1.5}}, 400, "whole number"),
    ({"HostConfig": {"Memory": -5}}, 400, "Memory"),
    ({"HostConfig": {"RestartPolicy": {"Name": "sometimes"}}}, 400, "restart policy"),
    ({"HostConfig": {"RestartPolicy": {"Name": "always", "MaximumRetryCount": 2}}}, 400, "maximum retry count"),
    ({"HostConfig": {"RestartPolicy": {"Name": "always"}, "AutoRemove": True}}, 400, "restart"),
    ({"HostConfig": {"PidMode": "elsewhere"}}, 400, "PID mode"),
    ({"HostConfig": {"ExtraHosts": ["a:1.2.3.4\nevil"]}}, 400, "control characters"),
    ({"HostConfig": {"DnsSearch": ["x\noptions debug"]}}, 400, "control characters"),
    ({"HostConfig": {"NetworkMode": "no-such-network"}}, 404, "no-such-network"),
    ({"HostConfig": []}, 400, "has to be an object"),
    ({"Hostname": "a\nb"}, 400, "control characters"),
    ({"Env": ["=x"]}, 400, "environment"),
    ({"Env": {"A": "b"}}, 400, "has to be a list"),
    ({"Cmd": [1]}, 400, "has to be a string"),
    ({"Labels": ["a=b"]}, 400, "has to be an object"),
    ({"Tty": "yes"}, 400, "has to be a boolean"),
    ({"StopSignal": "SIGNONSENSE"}, 400, "signal"),
    ({"Healthcheck": {"Test": ["MAYBE"]}}, 400, "Healthcheck"),
    ({"Healthcheck": {"Test": ["CMD", "x"], "Interval": 5}}, 400, "1ms"),
    ({"WorkingDir": "relative"}, 400, "absolute path"),
    ({"NetworkingConfig": {"EndpointsConfig": {"bridge": {"IPAMConfig": {"IPv4Address": "x"}}}}}, 400, "IPv4"),
]


def test_what_cannot_be_is_refused_and_makes_nothing(service: Service, busybox_image: str) -> None:
    for config, status, words in REFUSED:
        answer = service("POST", "/containers/create", {"Image": busybox_image, "Cmd": ["true"], **config}, status=None)
        assert (answer.status, words in answer.message) == (status, True), (config, answer.status, answer.body)
    assert service("GET", "/containers/json?all=1").json == []


def test_a_seccomp_profile_is_its_text(service: Service, make: Make) -> None:
    profile = json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]})
    identifier = make("mkdir", "/x", HostConfig={"SecurityOpt": [f"seccomp={profile}"]})
    start(service, identifier)
    assert ended(service, identifier)["ExitCode"] == 1


def test_a_command_that_is_not_there(service: Service, make: Make) -> None:
    """Words by which the docker command exits with 127 and 126."""
    answer = service("POST", f"/containers/{make('nonsense')}/start", status=400)
    assert "executable file not found" in answer.message
    answer = service("POST", f"/containers/{make('/etc')}/start", status=400)
    assert "permission denied" in answer.message.lower() or "is a directory" in answer.message


def test_changes_and_export(service: Service, make: Make) -> None:
    identifier = make("sh", "-c", "echo x > /new; rm /etc/passwd; sleep 1000")
    start(service, identifier)
    processes.wait_until(lambda: len(service("GET", f"/containers/{identifier}/changes").json) >= 3, "its changes")
    kinds = {each["Path"]: each["Kind"] for each in service("GET", f"/containers/{identifier}/changes").json}
    assert (kinds["/new"], kinds["/etc/passwd"], kinds["/etc"]) == (1, 2, 0)
    exported = service("GET", f"/containers/{identifier}/export")
    assert exported.headers["content-type"] == "application/x-tar"
    assert b"new" in exported.body


def test_ports_are_shown_as_they_are(service: Service, make: Make) -> None:
    host = {"PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}}
    identifier = make(HostConfig=host, ExposedPorts={"80/tcp": {}, "81/tcp": {}})
    start(service, identifier)
    found = service("GET", f"/containers/{identifier}/json").json["NetworkSettings"]
    (binding,) = found["Ports"]["80/tcp"]
    assert binding["HostIp"] == "127.0.0.1"
    assert int(binding["HostPort"]) > 0
    assert found["Ports"]["81/tcp"] is None
    (row,) = service("GET", "/containers/json").json
    assert {"IP": "127.0.0.1", "PrivatePort": 80, "PublicPort": int(binding["HostPort"]), "Type": "tcp"} in row["Ports"]
    assert {"PrivatePort": 81, "Type": "tcp"} in row["Ports"]


def test_addresses_are_addresses_or_empty(service: Service, make: Make) -> None:
    """Go's clients decode each into netip: one wrong word fails the whole answer."""
    import ipaddress

    identifier = make()
    for _ in range(2):
        settings = service("GET", f"/containers/{identifier}/json").json["NetworkSettings"]
        for place in (settings, *settings["Networks"].values()):
            for field in ("IPAddress", "Gateway", "GlobalIPv6Address", "IPv6Gateway"):
                assert place[field] == "" or ipaddress.ip_address(place[field]), field
        start(service, identifier) if settings["IPAddress"] == "" else None


def test_limits_and_policies_are_updated(service: Service, make: Make) -> None:
    identifier = make()
    answer = service("POST", f"/containers/{identifier}/update", {"RestartPolicy": {"Name": "always"}, "Memory": 0})
    assert answer.json == {"Warnings": []}
    assert service("GET", f"/containers/{identifier}/json").json["HostConfig"]["RestartPolicy"]["Name"] == "always"
    assert service("POST", f"/containers/{identifier}/update", {}).json == {"Warnings": []}
    service("POST", f"/containers/{identifier}/update", {"RestartPolicy": {"Name": "never"}}, status=400)


def test_prune(service: Service, make: Make) -> None:
    gone, kept = make(Labels={"go": ""}), make()
    answer = service("POST", "/containers/prune?filters={%22label%22:[%22go%22]}").json
    assert answer["ContainersDeleted"] == [gone]
    assert [row["Id"] for row in service("GET", "/containers/json?all=1").json] == [kept]


def test_a_client_that_vanishes_does_not_stop_what_it_began(service: Service, make: Make) -> None:
    identifier = make("sh", "-c", "trap '' TERM; sleep 1000")
    start(service, identifier)
    with service.connect() as sock:
        sock.sendall(b"POST /containers/%s/stop?t=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n" % identifier.encode())
    assert ended(service, identifier)["ExitCode"] == 137


def test_containers_outlive_the_service(service: Service, make: Make) -> None:
    identifier = make()
    start(service, identifier)
    service.process.kill()
    service.process.wait()
    assert service.rootless("ps", "-q").stdout.strip() == identifier[:12]
    again = Service(service.rootless)
    assert again("GET", f"/containers/{identifier}/json").json["State"]["Running"]
    again("DELETE", f"/containers/{identifier}?force=1", status=204)
    assert again.stop() == 0
    service.process = again.process


def test_the_service_and_the_command_line_see_the_same(service: Service, make: Make) -> None:
    ours = make(name="by-api")
    service.rootless("create", "--name", "by-hand", "busybox", "true")
    assert {row["Names"][0] for row in service("GET", "/containers/json?all=1").json} == {"/by-api", "/by-hand"}
    assert ours[:12] in service.rootless("ps", "-aq").lines
    service("DELETE", "/containers/by-hand", status=204)


def test_bodies_that_break_off_make_no_container(service: Service, busybox_image: str) -> None:
    body = json.dumps({"Image": busybox_image, "Cmd": ["true"]}).encode()
    with service.connect() as sock:
        sock.sendall(
            b"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
            % (len(body), body[:-5])
        )
        sock.shutdown(socket.SHUT_WR)
        assert b"400" in sock.recv(12)
    assert service("GET", "/containers/json?all=1").json == []
