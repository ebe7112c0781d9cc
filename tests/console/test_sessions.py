"""Links, sessions and tickets, by a clock of the test's own."""

from __future__ import annotations

from rootless.console import sessions
from rootless.console.sessions import Sessions


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_link_is_good_once_and_for_a_minute() -> None:
    clock = Clock()
    found = Sessions(clock)
    link, late = found.new_link(), found.new_link()
    assert found.log_in("made up") is None
    assert found.log_in(link) is not None
    assert found.log_in(link) is None
    clock.now += sessions.LINK_S + 1
    assert found.log_in(late) is None


def test_a_session_ends_idle_and_after_its_time() -> None:
    clock = Clock()
    found = Sessions(clock)
    cookie, session = found.begin()
    for _ in range(23):
        clock.now += sessions.IDLE_S - 1
        assert found.find(cookie) is session
    assert found.find("other") is None
    clock.now += sessions.IDLE_S + 1
    assert found.find(cookie) is None
    cookie, session = found.begin()
    began = clock.now
    while clock.now - began <= sessions.LIFETIME_S:
        assert found.find(cookie) is session
        clock.now += sessions.IDLE_S
    assert not found.alive(session)
    assert found.find(cookie) is None


def test_a_page_that_follows_something_is_a_use_of_its_session() -> None:
    """A log that is looked at for an hour; a terminal that is left ends with the twelve hours, and is no use once it is closed."""
    clock = Clock()
    found = Sessions(clock)
    cookie, session = found.begin()
    with found.lasting(session):
        clock.now += 2 * sessions.IDLE_S
        assert found.find(cookie) is session
        clock.now += 2 * sessions.IDLE_S
    clock.now += sessions.IDLE_S - 1
    assert found.find(cookie) is session
    clock.now += sessions.IDLE_S + 1
    assert found.find(cookie) is None
    cookie, session = found.begin()
    with found.lasting(session):
        clock.now += sessions.LIFETIME_S + 1
        assert found.find(cookie) is None
    assert not found.alive(session)


def test_a_ticket_is_its_sessions_and_used_once() -> None:
    clock = Clock()
    found = Sessions(clock)
    _, session = found.begin()
    ticket, late, orphan = (found.new_ticket(session) for _ in range(3))
    assert found.use_ticket(ticket) is session
    assert found.use_ticket(ticket) is None
    clock.now += sessions.TICKET_S + 1
    assert found.use_ticket(late) is None
    again = found.new_ticket(session)
    found.end_all()
    assert found.use_ticket(again) is None
    assert found.use_ticket(orphan) is None
    assert not found.alive(session)


def test_what_is_kept_is_bounded_and_has_no_secret() -> None:
    found = Sessions(Clock())
    first = found.new_link()
    links = [found.new_link() for _ in range(200)]
    assert found.log_in(first) is None
    assert found.log_in(links[-1]) is not None
    assert not any(link in repr(vars(found)) for link in links)
