"""What services wait for, and what an `up` leaves alone: podman-compose's numbered troubles are the list."""

from __future__ import annotations

import pytest

from tests.compose.projects import Compose

SLEEP = "image: busybox, command: sleep 1000, stop_grace_period: 0s"
HEALTHY = "healthcheck: {test: test -f /tmp/ok, interval: 200ms, retries: 1000}"


def test_healthy_is_awaited(compose: Compose) -> None:
    """#1422, #1119, #1183: the dependent starts when the check has passed, not before."""
    compose.up(f"""
services:
  web: {{{SLEEP}, depends_on: {{db: {{condition: service_healthy}}}}}}
  db:
    image: busybox
    command: sh -c 'sleep 1; touch /tmp/ok; sleep 1000'
    stop_grace_period: 0s
    {HEALTHY}
""")
    rows = compose.rows()
    assert rows["demo-db-1"]["Health"] == "healthy"
    health = compose.inspect("demo-db-1")["State"]["Health"]["Log"]
    passed = next(entry["End"] for entry in health if entry["ExitCode"] == 0)
    assert compose.inspect("demo-web-1")["State"]["StartedAt"] >= passed


def test_one_that_is_unhealthy_is_no_reason_to_wait_for_ever(compose: Compose) -> None:
    """#1541."""
    text = f"""
services:
  web: {{{SLEEP}, depends_on: {{db: {{condition: service_healthy}}}}}}
  db: {{{SLEEP}, healthcheck: {{test: "false", interval: 200ms, retries: 2}}}}
"""
    result = compose.up(text, status=1)
    assert "dependency failed to start: container demo-db-1 is unhealthy" in result.stderr
    assert compose.rows()["demo-web-1"]["State"] == "created"


def test_one_that_ends_before_it_is_healthy(compose: Compose) -> None:
    text = f"""
services:
  web: {{{SLEEP}, depends_on: {{db: {{condition: service_healthy}}}}}}
  db: {{image: busybox, command: sh -c 'exit 3', {HEALTHY}}}
"""
    assert "dependency failed to start: container demo-db-1 exited (3)" in compose.up(text, status=1).stderr


def test_healthy_needs_a_check(compose: Compose) -> None:
    text = f"services:\n  web: {{{SLEEP}, depends_on: {{db: {{condition: service_healthy}}}}}}\n  db: {{{SLEEP}}}\n"
    assert "container demo-db-1 has no healthcheck configured" in compose.up(text, status=1).stderr


@pytest.mark.parametrize(("code", "status"), [(0, 0), (3, 1)])
def test_completed_successfully_counts_the_exit_code(compose: Compose, code: int, status: int) -> None:
    """#575."""
    text = f"""
services:
  web: {{{SLEEP}, depends_on: {{init: {{condition: service_completed_successfully}}}}}}
  init: {{image: busybox, command: sh -c 'sleep 0.3; exit {code}'}}
"""
    result = compose.up(text, status=status)
    assert compose.rows()["demo-web-1"]["State"] == ("running" if code == 0 else "created")
    assert ('service "init" didn\'t complete successfully: exit 3' in result.stderr) == (code == 3)


def test_chains_and_shared_dependencies(compose: Compose) -> None:
    """#683, #811: two levels, and one that two depend on."""
    compose.up(f"""
services:
  a: {{{SLEEP}, depends_on: [b, c]}}
  b: {{{SLEEP}, depends_on: {{d: {{condition: service_healthy}}}}}}
  c: {{{SLEEP}, depends_on: {{d: {{condition: service_healthy}}}}}}
  d: {{image: busybox, command: sh -c 'sleep 0.5; touch /tmp/ok; sleep 1000', stop_grace_period: 0s, {HEALTHY}}}
""")
    started = {name: compose.inspect(name)["State"]["StartedAt"] for name in compose.rows()}
    assert started["demo-d-1"] < started["demo-b-1"] < started["demo-a-1"]
    assert started["demo-d-1"] < started["demo-c-1"] < started["demo-a-1"]


def test_an_optional_dependency_may_fail(compose: Compose) -> None:
    result = compose.up(f"""
services:
  web: {{{SLEEP}, depends_on: {{init: {{condition: service_completed_successfully, required: false}}}}}}
  init: {{image: busybox, command: "false"}}
""")
    assert "Warning" in result.stderr
    assert compose.rows()["demo-web-1"]["State"] == "running"


def test_up_of_one_leaves_what_it_depends_on(compose: Compose) -> None:
    """#1328, #1177."""
    text = f"services:\n  web: {{{SLEEP}, depends_on: [db]}}\n  db: {{{SLEEP}}}\n  other: {{{SLEEP}}}\n"
    compose.up(text, "web")
    before = compose.ids()
    assert set(before) == {"demo-db-1", "demo-web-1"}
    compose("up", "-d", "-t", "0", "web")
    assert compose.ids() == before
    compose("up", "-d", "-t", "0", "--force-recreate", "web")
    after = compose.ids()
    assert after["demo-db-1"] == before["demo-db-1"]
    assert after["demo-web-1"] != before["demo-web-1"]


def test_no_deps(compose: Compose) -> None:
    """#398, #717."""
    compose.up(f"services:\n  web: {{{SLEEP}, depends_on: [db]}}\n  db: {{{SLEEP}}}\n", "--no-deps", "web")
    assert set(compose.rows()) == {"demo-web-1"}


def test_restart_true_restarts_dependents_of_what_is_made_anew(compose: Compose) -> None:
    text = f"""
services:
  web: {{{SLEEP}, depends_on: {{db: {{condition: service_started, restart: true}}}}}}
  plain: {{{SLEEP}, depends_on: [db]}}
  db: {{{SLEEP}, environment: [V=%d]}}
"""
    compose.up(text % 1)
    before = {name: compose.inspect(name)["State"]["StartedAt"] for name in compose.rows()}
    ids = compose.ids()
    compose.up(text % 2)
    after = {name: compose.inspect(name)["State"]["StartedAt"] for name in compose.rows()}
    assert compose.ids()["demo-db-1"] != ids["demo-db-1"]
    assert compose.ids()["demo-web-1"] == ids["demo-web-1"]
    assert after["demo-web-1"] > before["demo-web-1"]
    assert after["demo-plain-1"] == before["demo-plain-1"]


def test_wait_fails_with_the_project(compose: Compose) -> None:
    compose.file(f"services:\n  db: {{{SLEEP}, healthcheck: {{test: 'false', interval: 200ms, retries: 2}}}}\n")
    assert "container demo-db-1 is unhealthy" in compose("up", "--wait", status=1).stderr
    compose.file(f"services:\n  db: {{{SLEEP}, healthcheck: {{test: 'true', interval: 200ms}}}}\n")
    compose("up", "--wait", "-t", "0")
    assert compose.rows()["demo-db-1"]["Health"] == "healthy"


def test_wait_has_a_bound(compose: Compose) -> None:
    compose.file(f"services:\n  db: {{{SLEEP}, healthcheck: {{test: 'false', interval: 200ms, retries: 100000}}}}\n")
    assert "application not healthy after 1s" in compose("up", "--wait", "--wait-timeout", "1", status=1).stderr
