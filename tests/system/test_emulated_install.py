"""A distribution's servers installed and run in a container of one id: nothing in it needs to know."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.need import need_program
from tests.system.test_hosts import ONE_ID, inside

INSTALL = r"""
export DEBIAN_FRONTEND=noninteractive
apt-get -qy -o Dpkg::Use-Pty=0 install /packages/*.deb >/var/log/installed 2>&1 || { tail -n 40 /var/log/installed >&2; exit 1; }
grep -i -e 'operation not permitted' -e setgroups -e seteuid -e 'invalid argument' /var/log/installed
dpkg --audit
stat -c '%n %U:%G %a' /usr/bin/sudo /usr/bin/ssh-agent /var/lib/postgresql/15/main /var/spool/cron/crontabs /var/cache/man
"""
USE = r"""
adduser --quiet --disabled-password --gecos x bob
echo 'bob ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/bob; chmod 440 /etc/sudoers.d/bob
echo su: $(su bob -c 'id -un'; su -s /bin/sh www-data -c 'id -un')
echo sudo: $(su bob -c 'sudo -n id -un'; sudo -u www-data id -un)
su bob -c 'mkdir -m 700 ~/.ssh && ssh-keygen -q -N "" -f ~/.ssh/id_rsa && cp ~/.ssh/id_rsa.pub ~/.ssh/authorized_keys'
mkdir -p /root/.ssh && cp ~bob/.ssh/id_rsa.pub /root/.ssh/authorized_keys
mkdir -p /run/sshd && /usr/sbin/sshd
into='ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR'
echo ssh: $(su bob -c "$into bob@127.0.0.1 'id -un; stat -c %U /proc/\$\$'; $into root@127.0.0.1 id -un")
pg_ctlcluster 15 main start && echo postgres: $(su postgres -c "psql -Atc 'select current_user'")
nginx && for i in $(seq 300); do pids=$(pgrep -f '^nginx: worker') && break; sleep 0.1; done
echo nginx: $(stat -c %U $(echo $pids | sed 's,[0-9][0-9]*,/proc/&,g') | sort -u)
echo '* * * * * true' | su bob -c 'crontab -' && echo cron: $(stat -c %U:%G /var/spool/cron/crontabs/bob; su bob -c 'crontab -l' | wc -l)
mkdir -p /run/dbus && dbus-daemon --system
ask='dbus-send --system --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.ListNames'
echo dbus: $(su bob -c "$ask" | grep -o '"org.freedesktop.DBus"' | sort -u)
mkdir /tmp/t && cp -a /var/spool/cron /etc/ssh /tmp/t && tar -C /tmp -cf /tmp/t.tar t && rm -r /tmp/t && tar -C /tmp -xpf /tmp/t.tar
stat -c '%U:%G %a' /tmp/t/cron/crontabs /tmp/t/cron/crontabs/bob
pg_ctlcluster 15 main stop
"""


@pytest.mark.full
@pytest.mark.own_store
@pytest.mark.timeout(900)
def test_servers_are_installed_and_run(rootless: Rootless, debian_archive: Path, server_packages: Path) -> None:
    """By a user without a range, with no network; then after a stop and a start, whose files are still whose they were."""
    script = """
    rootless load -q -i "$1" >&2
    rootless run -d --name box --network none --security-opt no-new-privileges=false -v "$2:/packages:ro" debian:bookworm sleep inf >&2
    rootless exec box sh -c "$3"
    rootless restart -t 0 box >&2
    rootless exec box sh -c "$4"
    rootless rm -f box >&2
    """
    done = inside(rootless, ONE_ID, script, debian_archive, server_packages, INSTALL, USE, timeout_s=800)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "/usr/bin/sudo root:root 4755", "/usr/bin/ssh-agent root:_ssh 2755", "/var/lib/postgresql/15/main postgres:postgres 700",
        "/var/spool/cron/crontabs root:crontab 1730", "/var/cache/man man:man 755",
        "su: bob www-data", "sudo: root www-data", "ssh: bob bob root", "postgres: postgres", "nginx: www-data",
        "cron: bob:crontab 1", 'dbus: "org.freedesktop.DBus"', "root:crontab 1730", "bob:crontab 600",
    ]  # fmt: skip


@pytest.mark.full
@pytest.mark.own_store
@pytest.mark.timeout(900)
def test_bootstrap(rootless: Rootless) -> None:
    """A Debian from its packages, whose files are whose they are anywhere: all of it made by a user without a range."""
    need_program("mmdebstrap")
    script = """
    rootless bootstrap -q debian:bookworm >&2
    files='/etc/shadow /var/mail /usr/bin/chage /var/cache/apt/archives/partial'
    rootless run --rm --network none debian:bookworm stat -c '%n %U:%G %a' $files
    """
    done = inside(rootless, ONE_ID, script, timeout_s=800)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "/etc/shadow root:shadow 640", "/var/mail root:mail 2775", "/usr/bin/chage root:shadow 2755",
        "/var/cache/apt/archives/partial _apt:root 700",
    ]  # fmt: skip
