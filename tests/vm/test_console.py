"""The console on a machine with logins: the owner's real password, by the real PAM."""

from __future__ import annotations

import shlex

import pytest

from tests.vm.machine import Machine

TRY = r"""
import http.client, json, re, subprocess, sys
process = subprocess.Popen(["rootless", "console", "--login", "pam", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
said = ""
while "prints a new one" not in said:
    line = process.stdout.readline()
    assert line, said
    said += line
port = int(re.search(r":(\d+)/login", said).group(1))
for password in sys.argv[1:]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    headers = {"Content-Type": "application/json", "Origin": f"http://127.0.0.1:{port}"}
    connection.request("POST", "/login/password", json.dumps({"password": password}), headers)
    answer = connection.getresponse()
    print(answer.status, bool(answer.headers["Set-Cookie"]))
    answer.read()
process.terminate()
process.wait()
"""


@pytest.mark.full  # two minutes of expired and locked accounts; tests/console has PAM's answers
def test_the_owners_password_logs_in(vm: Machine) -> None:
    """His own alone; and not while the account is locked or has expired."""
    vm.run("root", f"printf %s {shlex.quote(TRY)} >/srv/try_passwords.py; chmod a+r /srv/try_passwords.py")
    vm.run("root", "install -d -m 700 -o alice /srv/alice; printf 'alice:right horse\\nbob:other horse\\n' | chpasswd")

    def tried(*passwords: str) -> list[str]:
        # By her uid, without a login of hers: a locked account has none.
        environment = "env HOME=/home/alice XDG_RUNTIME_DIR=/srv/alice PATH=/home/alice/venv/bin:$PATH"
        words = " ".join(map(shlex.quote, passwords))
        return vm.run("root", f"runuser -u alice -- {environment} python3 /srv/try_passwords.py {words}").stdout.splitlines()

    try:
        assert "can ask for your password" in vm.run("alice", "rootless doctor -v | cat").stdout
        assert tried("wrong", "other horse", "right horse") == ["403 False", "403 False", "200 True"]
        for change, back in (("usermod -L alice", "usermod -U alice"), ("chage -E 2020-01-01 alice", "chage -E -1 alice")):
            vm.run("root", change)
            assert tried("right horse") == ["403 False"], change
            vm.run("root", back)
        assert tried("right horse") == ["200 True"]
    finally:
        vm.run("root", "rm -r /srv/alice; chage -E -1 alice; usermod -p '*' alice; usermod -p '*' bob", check=False)
