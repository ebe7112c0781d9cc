"""What a service is given: secrets, mounts, the plain keys, hooks; and what is refused by its name."""

from __future__ import annotations

import pytest

from tests.compose.projects import Compose

SLEEP = "image: busybox, command: sleep 1000, stop_grace_period: 0s"


def test_secrets_and_configs(compose: Compose) -> None:
    """#1423: of the environment, a file, the compose file; with owner and mode."""
    compose.file("from file\n", "secret.txt")
    compose.environment["TOKEN"] = "from environment"
    compose.up(f"""
services:
  web:
    {SLEEP.replace(', ', chr(10) + '    ')}
    secrets:
      - env
      - file
      - {{source: file, target: /owned, uid: "7", gid: "8", mode: 0400}}
    configs:
      - {{source: inline, target: /etc/inline.conf, mode: 0440}}
secrets: {{env: {{environment: TOKEN}}, file: {{file: ./secret.txt}}}}
configs: {{inline: {{content: "a = $$TOKEN\\n"}}}}
""")
    assert compose.execute("web", "cat", "/run/secrets/env") == "from environment"
    assert compose.execute("web", "cat", "/run/secrets/file", "/owned") == "from file\nfrom file\n"
    assert compose.execute("web", "stat", "-c", "%u:%g %a", "/owned") == "7:8 400\n"
    assert compose.execute("web", "cat", "/etc/inline.conf") == "a = $TOKEN\n"
    assert compose.execute("web", "stat", "-c", "%a", "/etc/inline.conf") == "440\n"
    before = compose.ids()
    compose.environment["TOKEN"] = "another"
    compose("up", "-d", "-t", "0")
    assert compose.ids() != before
    assert compose.execute("web", "cat", "/run/secrets/env") == "another"
    del compose.environment["TOKEN"]
    assert 'environment variable "TOKEN" required by secret is not set' in compose("up", "-d", "--force-recreate", status=1).stderr


def test_mounts(compose: Compose) -> None:
    """#1202, #1290: a directory that is made, a link, tmpfs, an image, a part of a volume."""
    (compose.directory / "real").mkdir()
    (compose.directory / "link").symlink_to("real")
    compose.file("x", "real/file")
    compose.up(f"""
services:
  web:
    {SLEEP.replace(', ', chr(10) + '    ')}
    volumes:
      - ./made:/made
      - ./link:/link:ro
      - {{type: tmpfs, target: /fast, tmpfs: {{size: 1m, mode: 0700}}}}
      - {{type: image, source: busybox, target: /image}}
      - {{type: volume, source: v, target: /v, volume: {{nocopy: true}}}}
    tmpfs: ["/slow:size=2m"]
volumes: {{v: }}
""")
    assert (compose.directory / "made").is_dir()
    assert compose.execute("web", "cat", "/link/file") == "x"
    compose.execute("web", "touch", "/link/new", status=1)
    assert "size=1024k" in compose.execute("web", "grep", " /fast ", "/proc/mounts")
    assert "bin" in compose.execute("web", "ls", "/image")
    assert "size=2048k" in compose.execute("web", "grep", " /slow ", "/proc/mounts")


def test_a_bind_that_is_not_to_be_made(compose: Compose) -> None:
    text = f"services:\n  web: {{{SLEEP}, volumes: [{{type: bind, source: ./none, target: /x, bind: {{create_host_path: false}}}}]}}\n"
    assert "none" in compose.up(text, status=1).stderr
    assert not (compose.directory / "none").exists()


def test_what_a_container_is_given(compose: Compose) -> None:
    """#754 and the plain keys: each reaches the container."""
    compose.up("""
services:
  web:
    image: busybox
    command: sleep 1000
    stop_grace_period: 7s
    stop_signal: SIGINT
    sysctls: {net.ipv4.ip_default_ttl: "65"}
    cap_drop: [ALL]
    cap_add: [NET_RAW]
    hostname: box
    domainname: example.org
    dns: [9.9.9.9]
    extra_hosts: ["one:10.0.0.1", "two=10.0.0.2"]
    environment: {A: "1", B: null, C: ""}
    user: "1000:1000"
    working_dir: /tmp
    read_only: true
    init: true
    restart: on-failure:3
    ulimits: {nofile: {soft: 100, hard: 200}}
    labels: {a: b}
    annotations: {n: m}
    group_add: ["50"]
    shm_size: 8m
    oom_score_adj: 100
    expose: ["81"]
    logging: {driver: local, options: {max-size: 1m}}
    security_opt: ["no-new-privileges:true"]
    entrypoint: ["/bin/busybox"]
""")
    found = compose.inspect("demo-web-1")
    host, config = found["HostConfig"], found["Config"]
    assert (config["StopTimeout"], config["StopSignal"], config["Hostname"], config["Domainname"]) == (7, "SIGINT", "box", "example.org")
    assert (config["User"], config["WorkingDir"]) == ("1000:1000", "/tmp")
    assert (config["Entrypoint"], config["Cmd"]) == (["/bin/busybox"], ["sleep", "1000"])
    assert {"A=1", "C="} <= set(config["Env"])
    assert not any(word.startswith("B=") for word in config["Env"])
    assert (host["ReadonlyRootfs"], host["Init"], host["ShmSize"], host["OomScoreAdj"]) == (True, True, 8 << 20, 100)
    assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    assert host["Sysctls"] == {"net.ipv4.ip_default_ttl": "65"}
    assert host["Ulimits"] == [{"Name": "nofile", "Hard": 200, "Soft": 100}]
    assert (host["CapAdd"], host["CapDrop"], host["Dns"], host["GroupAdd"]) == (["NET_RAW"], ["ALL"], ["9.9.9.9"], ["50"])
    assert host["ExtraHosts"] == ["one:10.0.0.1", "two:10.0.0.2"]
    assert "81/tcp" in config["ExposedPorts"]


def test_an_empty_command_clears_the_images(compose: Compose) -> None:
    compose.file("services:\n  web: {image: busybox, command: []}\n")
    assert "no command specified" in compose("create", status=1).stderr


def test_hooks(compose: Compose) -> None:
    compose.up(f"""
services:
  web:
    {SLEEP.replace(', ', chr(10) + '    ')}
    volumes: ["./out:/out"]
    post_start: [{{command: sh -c 'echo started $$V > /out/log', environment: [V=1]}}]
    pre_stop: [{{command: "sh -c 'echo stopping >> /out/log'"}}]
""")
    log = compose.directory / "out/log"
    assert log.read_text() == "started 1\n"
    compose("stop", "-t", "0")
    assert log.read_text() == "started 1\nstopping\n"


def test_init_containers(compose: Compose) -> None:
    """pre_start: one after the other, before the service and after what it depends on, with its volumes, network and variables; once."""
    text = """
services:
  web:
    image: busybox
    command: sh -c 'cat /named/log > /out/%s; sleep 1000'
    stop_grace_period: 0s
    scale: 2
    user: "1000"
    environment: {V: service, W: service}
    ports: ["127.0.0.1::80"]
    volumes: [/data, "named:/named", "./out:/out"]
    depends_on: {db: {condition: service_healthy}}
    pre_start:
      - command: "sh -c 'echo first $$V $$W $$(id -u) >> /named/log; chmod 777 /data /named /out /named/log'"
        user: root
        environment: {V: hook}
      - {command: ["sh", "-c", "nslookup db >/dev/null && echo second >> /named/log; echo heard; exit $CODE"], image: other}
  db: {image: busybox, command: sleep 1000, stop_grace_period: 0s, healthcheck: {test: "true", interval: 1s}}
volumes: {named: }
"""
    (compose.directory / "out").mkdir()
    compose.rootless("tag", "busybox", "other")
    compose.environment["CODE"] = "3"
    compose.file(text % "one")
    compose.rootless("create", "--name", "demo-web-pre_start-0", "busybox")
    assert "already in use" in compose("up", "-d", status=1).stderr, "a container of somebody else stays"
    compose.rootless("rm", "demo-web-pre_start-0")
    failed = compose("up", "-d", status=1).stderr
    assert "service web pre_start[1] exited with status 3: heard" in failed
    assert {name: row["State"] for name, row in compose.rows().items()} == {
        "demo-db-1": "running", "demo-web-1": "created", "demo-web-2": "created", "demo-web-pre_start-1": "exited",
    }  # fmt: skip
    compose.environment["CODE"] = "0"
    assert "demo-web-pre_start-1  | heard\n" in compose("up", "-d").stderr
    assert set(compose.rows()) == {"demo-db-1", "demo-web-1", "demo-web-2"}
    assert len(compose.rootless("volume", "ls", "-q").lines) == 3, "named, and /data of both"
    log = "first hook service 0\nsecond\n"
    assert compose.execute("web", "cat", "/named/log") == 2 * log
    # Not again, neither for another container nor after a stop; but where the configuration is another.
    compose("up", "-d", "--scale", "web=3")
    compose("restart", "-t", "0", "web")
    assert compose.execute("web", "cat", "/named/log") == 2 * log
    compose.file(text % "two")
    compose("up", "-d", "-t", "0")
    assert compose.execute("web", "cat", "/named/log") == 3 * log
    assert (compose.directory / "out/two").read_text() == 3 * log
    compose.rootless("rmi", "other")


@pytest.mark.parametrize(("key", "named"), [
    ("storage_opt: {size: 1g}", "services.web.storage_opt"), ("models: [m]", "services.web.models"),
    ("isolation: hyperv", "services.web.isolation"),
    ("volumes: [{type: npipe, source: a, target: /b}]", "services.web.volumes[0].type npipe"),
    ("networks: {default: {link_local_ips: [169.254.1.1]}}", "link_local_ips"), ("mem_swappiness: 5", "services.web.mem_swappiness"),
    ("credential_spec: {file: x}", "services.web.credential_spec"), ("runtime: kata", "services.web.runtime"),
    ("pre_start: [{command: a, per_replica: true}]", "services.web.pre_start[0].per_replica"),
    ("deploy: {mode: global}", "services.web.deploy.mode global"),
    ("pull_policy: sometimes", "services.web.pull_policy"),
])  # fmt: skip
def test_what_cannot_be_had_is_refused_by_name(compose: Compose, key: str, named: str) -> None:
    result = compose.up(f"services:\n  web:\n    image: busybox\n    {key}\nmodels: {{m: {{model: x}}}}\n", status=1)
    assert named in result.stderr
