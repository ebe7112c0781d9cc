"""Messages of the processes of a launch, where one of them has ended."""

from __future__ import annotations

import pytest

from rootless.errors import Conflict
from rootless.runtime import sync


def test_an_error_is_heard_where_its_sender_has_left_a_message_unread() -> None:
    """The kernel resets such a connection: the error is still to be read, and no process "was killed"."""
    ours, theirs = sync.pair()
    ours.send("mapped")
    theirs.send_error(Conflict("it is so"), step="mount")
    theirs.close()
    with pytest.raises(Conflict, match="it is so"):
        ours.expect("ready")
    assert ours.receive("ready") is None
    ours.close()
