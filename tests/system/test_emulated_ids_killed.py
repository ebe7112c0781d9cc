"""What answers for emulated ids, killed at any instant of an installation: the container ends, and the next start goes on."""

from __future__ import annotations

import os
import random
import select
import signal

import pytest

from tests.harness import processes
from tests.harness.command import Rootless
from tests.system.test_emulated_ids import NOW, helpers_below

# A package of files, links and pipes with owners of all kinds, installed and purged for ever; what a start finds half done
# it finishes first.
PACKAGE = r"""
set -e
if [ ! -e /p.deb ]; then
    mkdir -p /p/DEBIAN /p/srv/p
    printf 'Package: p\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: p\n' >/p/DEBIAN/control
    cat >/p/DEBIAN/postinst <<'EOF'
#!/bin/sh
set -e
chown -hR www-data:games /srv/p
su -s /bin/sh www-data -c 'cd /srv/p; for i in 1 2 3; do touch own$i; ln -sf x link$i; mkfifo pipe$i || test -p pipe$i; done'
test "$(stat -c %U:%G /srv/p/7 /srv/p/l7 /srv/p/link2 | sort -u | tr '\n' ' ')" = "www-data:games www-data:www-data "
EOF
    printf '#!/bin/sh\nrm -rf /srv/p/own* /srv/p/link* /srv/p/pipe*\n' >/p/DEBIAN/prerm
    chmod 755 /p/DEBIAN/*
    i=0; while [ $i -lt 60 ]; do echo $i >/p/srv/p/$i; ln -s $i /p/srv/p/l$i; i=$((i + 1)); done
    chown -R man:mail /p/srv; chown -h 7:8 /p/srv/p/l*; chmod 4755 /p/srv/p/5
    dpkg-deb -b /p /p.new >/dev/null; mv /p.new /p.deb
fi
dpkg --force-unsafe-io --configure -a || dpkg --force-unsafe-io -i /p.deb # half unpacked, it wants it again
echo goes on
while :; do dpkg --force-unsafe-io -i /p.deb; dpkg -P p; done
"""
KILLS = int(os.environ.get("ROOTLESS_IDS_KILLS", "4"))


def said(rootless: Rootless) -> int:
    """How many starts have finished what they found."""
    return rootless("logs", "box", status=None).stdout.count("goes on")


def kill_within(rootless: Rootless, chance: random.Random) -> str:
    """Start the box, and kill what answers for it at an instant that nobody chose; what the box said, its end included."""
    before = said(rootless)
    rootless("start", "box")
    monitor = int(rootless("inspect", "-f", "{{.State.MonitorPid}}", "box").stdout)
    if not monitor:
        return "ended by itself: " + rootless("wait", "box").stdout
    (helper,) = helpers_below(monitor)
    pidfd = os.pidfd_open(helper)
    while said(rootless) == before and not select.select([pidfd], [], [], 0.05)[0]:
        pass
    select.select([pidfd], [], [], chance.uniform(0, 1.5))  # the box may have failed, and its helper ended
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except ProcessLookupError:
        pass
    os.close(pidfd)
    return rootless("wait", "box").stdout


@pytest.mark.timeout(120 + 20 * KILLS)
def test_killed_at_any_instant_of_an_installation(rootless: Rootless, tools_image: str) -> None:
    """ROOTLESS_IDS_KILLS=N: so many times."""
    chance = random.Random()
    rootless("create", "--name", "box", *NOW, tools_image, "sh", "-c", PACKAGE)
    for turn in range(KILLS):
        ended = kill_within(rootless, chance)
        assert ended == "137\n", (turn, rootless("logs", "box").stderr[-2000:])
    rootless("commit", "box", "after")
    done = rootless(
        "run", "--rm", *NOW, "after", "sh", "-c",
        "dpkg --configure -a; dpkg -i /p.deb && dpkg --audit && stat -c %U:%G /srv/p/7 /srv/p/l7 /srv/p/link1",
    )  # fmt: skip
    assert done.stdout.splitlines()[-3:] == ["www-data:games", "www-data:games", "www-data:www-data"]
    rootless("rm", "box")
    rootless("rmi", "after")


def test_a_batch_system_tells_every_process_to_end(rootless: Rootless, busybox_image: str) -> None:
    """What answers for the container's ids is among them: it goes on until the container has ended in its own time."""
    polite = "trap 'chown 33 /tmp/saved; stat -c %u /tmp/saved; exit 3' TERM; touch /tmp/saved; echo up; while :; do sleep 0.1; done"
    rootless("run", "-d", "--name", "box", *NOW, busybox_image, "sh", "-c", polite)
    (program,) = helpers_below(int(rootless("inspect", "-f", "{{.State.MonitorPid}}", "box").stdout))
    processes.signal_as_of_a_job(program)
    assert rootless("exec", "box", "su", "user", "-c", "id -u").stdout == "1000\n"
    rootless("kill", "-s", "TERM", "box")
    assert rootless("wait", "box").stdout == "3\n"
    assert rootless("logs", "box").lines[-1] == "33"
    rootless("rm", "box")
