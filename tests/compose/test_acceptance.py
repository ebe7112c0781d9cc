"""What podman-compose, and compose on Podman's socket, got wrong: issue by issue, which test has its case, and here those without a home.

    #1422 #1119 #1183 #1129 healthy not awaited            test_dependencies.test_healthy_is_awaited
    #1541 up hangs for ever                                test_dependencies.test_one_that_is_unhealthy_..., test_one_that_ends_...
    #575 completed_successfully and its exit code          test_dependencies.test_completed_successfully_counts_the_exit_code
    #683 #811 chains; a dependency of two                  test_dependencies.test_chains_and_shared_dependencies
    #1123 a dependency that is not there                   load/test_rules.test_refusals
    #1328 #1177 up of one leaves the others                test_dependencies.test_up_of_one_leaves_what_it_depends_on
    #398 #717 --no-deps                                    test_dependencies.test_no_deps
    #723 depends_on, list on mapping                       load/test_merging.test_depends_on_as_a_list_and_as_a_mapping
    #792 watch                                             test_watch
    #930 a name activates its profile                      load/test_merging.test_profiles_choose_services_...
    #1111 #743 #1245 #455 #88 names and aliases            test_up.test_names_aliases_and_addresses
    #1453 #466 a new image                                 test_up.test_a_new_image_of_that_name_makes_a_new_container
    #1301 paths of include                                 load/test_merging.test_include_takes_paths_...
    #1319 #1073 variables in `name:`                       load/test_rules.test_names_of_projects
    #1423 secrets of the environment                       test_services.test_secrets_and_configs
    #864 dockerfile_inline                                 test_commands.test_commit_and_builds
    #705 ssh in builds                                     here
    #897 #908 env_file as objects, of several lines        load/test_interpolation.test_env_files_of_services, test_dotenv
    #754 sysctls as a mapping                              test_services.test_what_a_container_is_given
    #778 #1039 port of a dynamic port                      test_commands.test_port
    #490 #387 down and its networks, --rmi                 test_up.test_down_takes_what_is_the_projects
    #693 #958 names of pods                                here
    #1096 #1308 long and strange lines of logs             test_attached.test_long_and_strange_lines
    #1139 errors of YAML                                   load/test_document.test_errors_name_file_and_line
    #1001 network_mode: none; podman#23898 namespaces      test_up.test_namespaces_of_another_service
    #218 #1292 ipc                                         here, and test_up.test_namespaces_of_another_service
    #1202 #1290 images and links as mounts                 test_services.test_mounts
    stop_grace_period                                      here
    COMPOSE_FILE in .env                                   test_commands.test_where_files_are_found
    #312 run and its dependencies                          test_commands.test_run, test_run_fails_where_a_dependency_does
    podman#9579 restart policies                           test_services.test_what_a_container_is_given
    podman#16411 #12972 #10146 #15580 MAC, aliases, DNS    here
    podman#11874 builds over the socket                    tests/api/test_docker_compose.py, tests/api/test_wire.py
"""

from __future__ import annotations

import os
import socket

from tests.compose.projects import Compose

SLEEP = "image: busybox, command: sleep 1000, stop_grace_period: 0s"


def test_ssh_in_builds(compose: Compose) -> None:
    """#705: `build.ssh`, and --ssh; the agent is there for that RUN alone."""
    text = "FROM busybox\\nRUN --mount=type=ssh,required test -S $$SSH_AUTH_SOCK && touch /seen\\nRUN test ! -S /run/buildkit/ssh_agent.0"
    for ssh in ("ssh: [default]", "ssh: ['default=%s']", "ssh: {default: %s}", ""):
        path = compose.directory / "agent"
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as agent:
            agent.bind(str(path))
            words = [] if ssh else ["--ssh", f"default={path}"]
            asked = ssh % path if "%" in ssh else ssh
            compose.environment["SSH_AUTH_SOCK"] = str(path)
            build = f'context: .\n      dockerfile_inline: "{text}"\n      {asked}'
            compose.file(f"services:\n  web:\n    image: built\n    build:\n      {build}\n")
            compose("build", "--no-cache", *words)
    del compose.environment["SSH_AUTH_SOCK"]
    compose.file(f'services:\n  web:\n    image: built\n    build: {{context: ., dockerfile_inline: "{text}"}}\n')
    assert 'unset ssh forward key "default"' in compose("build", "--no-cache", status=1).stderr
    compose.rootless("rmi", "-f", "built")


def test_no_pods_and_no_name_but_the_projects(compose: Compose) -> None:
    """#693, #958: a container is PROJECT-SERVICE-N, in no pod."""
    compose.up(f"services:\n  web: {{{SLEEP}}}\n  own: {{{SLEEP}, container_name: another.name}}\n", "--scale", "web=2")
    assert set(compose.rows()) == {"demo-web-1", "demo-web-2", "another.name"}
    assert compose.rootless("pod", "ls", "-q").lines == []


def test_ipc(compose: Compose) -> None:
    """#218, #1292: of the host, one's own, none; what is not known is refused."""
    compose.up(f"""
services:
  host: {{{SLEEP}, ipc: host}}
  own: {{{SLEEP}, ipc: private}}
  none: {{{SLEEP}, ipc: none}}
""")
    links = {name: compose.execute(name, "readlink", "/proc/self/ns/ipc") for name in ("host", "own", "none")}
    assert len(set(links.values())) == 3
    assert links["host"].strip() == os.readlink("/proc/self/ns/ipc")
    compose.execute("none", "test", "-e", "/dev/shm", status=1)
    assert "ipc: invalid mode: nonsense" in compose.up(f"services: {{x: {{{SLEEP}, ipc: nonsense}}}}", "--remove-orphans", status=1).stderr


def test_who_does_not_end_by_itself_is_killed_after_its_time(compose: Compose) -> None:
    """stop_grace_period of a service, with a signal that it does not heed; -t wins."""
    deaf = "image: busybox, init: false, command: [sh, -c, \"trap '' TERM; touch /ready; while :; do sleep 1; done\"]"
    compose.up(f"services:\n  a: {{{deaf}, stop_grace_period: 1500ms}}\n  b: {{{deaf}, stop_grace_period: 1h}}\n")
    assert [compose.inspect(f"demo-{name}-1")["Config"]["StopTimeout"] for name in "ab"] == [2, 3600]
    compose("stop", "a")
    compose("stop", "-t", "0", "b")
    assert {row["ExitCode"] for row in compose.rows().values()} == {137}


def test_addresses_of_the_ethernet_and_aliases_beside_other_names(compose: Compose) -> None:
    """podman#16411, #12972, #10146, #15580: a MAC is had; an alias is found, on its network alone, and takes no other name away."""
    compose.up(f"""
services:
  web: {{{SLEEP}, mac_address: "02:42:0a:62:0b:05", networks: {{front: {{aliases: [site, db-of-web]}}, back: }}}}
  db: {{{SLEEP}, networks: {{back: {{aliases: [store], mac_address: "02:42:0a:62:0b:06"}}}}}}
  client: {{{SLEEP}, networks: [front]}}
networks: {{front: , back: }}
""")
    assert "02:42:0a:62:0b:05" in compose.execute("web", "cat", "/sys/class/net/eth0/address", "/sys/class/net/eth1/address")
    assert compose.execute("db", "cat", "/sys/class/net/eth0/address") == "02:42:0a:62:0b:06\n"
    for service, name in (("client", "site"), ("client", "web"), ("web", "store"), ("web", "db"), ("db", "web"), ("web", "client")):
        compose.execute(service, "nslookup", name)
    for service, name in (("client", "store"), ("client", "db"), ("db", "site"), ("db", "client")):
        compose.execute(service, "nslookup", name, status=1)
