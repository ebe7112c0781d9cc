"""What quotactl_fd(2) tells of the caller."""

from __future__ import annotations

import errno

import pytest

from rootless.linux import quota
from rootless.linux.quota import Quota


def test_a_record_of_the_kernels() -> None:
    """struct if_dqblk: limits in units of 1024 bytes, what is used in bytes; hard limits are what counts."""
    numbers = (100, 50, 4096, 20, 10, 3, 1, 1)
    data = b"".join(number.to_bytes(8, "little") for number in numbers) + bytes(8)
    assert quota.parse("user", data) == Quota("user", 4096, 102400, 3, 20)


def test_a_file_system_without_quotas() -> None:
    assert quota.of_caller("/proc") == []
    with pytest.raises(OSError, match="No such file") as caught:
        quota.of_caller("/proc/no/such")
    assert caught.value.errno == errno.ENOENT
