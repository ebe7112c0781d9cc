"""`config`: the canonical form, byte for byte; what it prints loads again as the same."""

from __future__ import annotations

import json

import pytest

from rootless.compose.load.render import to_json, to_yaml
from rootless.yamltext.emit import emit
from tests.compose.load.loading import project

FILE = """\
services:
  web:
    image: nginx:${TAG:-latest}
    command: sh -c 'echo "$$HOME" a\\ b'
    ports: ["8080:80", "127.0.0.1:9000-9001:9000-9001/udp", 5000]
    volumes: ["./site:/var/www:ro", "data:/data", /anon]
    depends_on: [db]
    environment: [A=1, "B=true", C=]
    mem_limit: 64m
    cpus: "0.50"
    stop_grace_period: 90s
    healthcheck: {test: curl -f localhost, interval: 1500ms}
    secrets: [tok]
    configs: [{source: c1, target: /etc/c1, mode: 0440}]
    ulimits: {nofile: {soft: 1024, hard: 2048}, nproc: 5}
    extra_hosts: ["a:1.2.3.4", "b=::1"]
    labels: {"on": "yes", multi: "one\\ntwo\\n", quoted: "it's: x", date: 2001-01-01}
    devices: ["/dev/null:/dev/x:r"]
    tmpfs: /run
    x-mine: {b: 1, a: 2}
  db:
    build: .
    networks: {back: {aliases: [database], ipv4_address: 10.5.0.5}}
    deploy: {resources: {limits: {memory: 1g}}, replicas: 0}
    profiles: [later]
networks:
  back:
    ipam: {config: [{subnet: 10.5.0.0/24}]}
volumes: {data: }
secrets: {tok: {file: ./tok}}
configs: {c1: {content: "hello $$x"}}
"""

YAML = """\
name: p
services:
  web:
    cpus: 0.5
    command:
      - sh
      - -c
      - echo "$$HOME" a\\ b
    configs:
      - source: c1
        target: /etc/c1
        mode: "0440"
    depends_on:
      db:
        condition: service_started
        required: true
    devices:
      - source: /dev/null
        target: /dev/x
        permissions: r
    environment:
      A: "1"
      B: "true"
      C: ""
    extra_hosts:
      - a=1.2.3.4
      - b=::1
    healthcheck:
      test:
        - CMD-SHELL
        - curl -f localhost
      interval: 1.5s
    image: nginx:latest
    labels:
      date: "2001-01-01"
      multi: |
        one
        two
      "on": "yes"
      quoted: 'it''s: x'
    mem_limit: "67108864"
    networks:
      default: null
    ports:
      - mode: ingress
        target: 80
        published: "8080"
        protocol: tcp
      - mode: ingress
        host_ip: 127.0.0.1
        target: 9000
        published: "9000"
        protocol: udp
      - mode: ingress
        host_ip: 127.0.0.1
        target: 9001
        published: "9001"
        protocol: udp
      - mode: ingress
        target: 5000
        protocol: tcp
    secrets:
      - source: tok
        target: /run/secrets/tok
    stop_grace_period: 1m30s
    tmpfs:
      - /run
    ulimits:
      nofile:
        soft: 1024
        hard: 2048
      nproc: 5
    volumes:
      - type: bind
        source: /p/site
        target: /var/www
        read_only: true
        bind: {}
      - type: volume
        source: data
        target: /data
        volume: {}
      - type: volume
        target: /anon
        volume: {}
    x-mine:
      a: 2
      b: 1
networks:
  back:
    name: p_back
    ipam:
      config:
        - subnet: 10.5.0.0/24
  default:
    name: p_default
volumes:
  data:
    name: p_data
secrets:
  tok:
    name: p_tok
    file: /p/tok
configs:
  c1:
    name: p_c1
    content: hello $$x
"""


def test_the_canonical_form() -> None:
    assert to_yaml(project(FILE)) == YAML


def test_it_loads_again_as_the_same() -> None:
    once = to_yaml(project(FILE, profiles=("*",)))
    assert to_yaml(project(once, profiles=("*",))) == once
    in_json = to_json(project(FILE, profiles=("*",)))
    assert to_json(project(in_json, profiles=("*",))) == in_json


def test_json_has_command_and_entrypoint_and_ipam() -> None:
    found = json.loads(to_json(project("services: {a: {image: x}}")))
    assert found == {
        "name": "p",
        "services": {"a": {"command": None, "entrypoint": None, "image": "x", "networks": {"default": None}}},
        "networks": {"default": {"name": "p_default", "ipam": {}}},
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a", "a"), ("", '""'), ("1", '"1"'), ("1.5", '"1.5"'), ("true", '"true"'), ("No", '"No"'), ("null", '"null"'), ("~", '"~"'),
        ("a: b", "'a: b'"), ("a #b", "'a #b'"), ("#a", "'#a'"), ("- a", "'- a'"), ("-a", "-a"), ("*a", "'*a'"), ("@a", "'@a'"),
        ("a:", "'a:'"), ("22:22", '"22:22"'), (" a", "' a'"), ("a\tb", '"a\\tb"'), ("it's", "it's"), ("'a'", "'''a'''"),
        ("\x1b[0m", '"\\e[0m"'), ("é", "é"), ("0x1f", '"0x1f"'), ("1e3", '"1e3"'), ("2020-01-01", '"2020-01-01"'), ("a\n", "|\n  a"),
        ("a\nb", "|-\n  a\n  b"), ("a\n\n", "|+\n  a\n"), ("\n", '"\\n"'),
        (1, "1"), (1.0, "1"), (0.5, "0.5"), (None, "null"), (True, "true"),
        ([], "[]"), ({}, "{}"), ("%a", "'%a'"), ("a,b", "a,b"), ("{a}", "'{a}'"), ("=", '"="'), ("?", "'?'"), ("0440", '"0440"'),
    ],
)  # fmt: skip
def test_scalars_are_written_as_go_yaml_does(value: object, expected: str) -> None:
    assert emit({"k": value}) == f"k: {expected}\n"
