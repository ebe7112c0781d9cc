"""Programs that people use, on networks of their own: names, HTTP, files, and what they say of ports that are not there."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.harness.own_host import FAR, HOST
from tests.need import need_program
from tests.system.own_net import LIMIT, Net, net

__all__ = ["net"]
pytestmark = LIMIT

MUSL = r"""
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
int main(int count, char **words) {
    for (int at = 1; at < count; at++) {
        struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = 0;
        int failed = getaddrinfo(words[at], "80", &hints, &found);
        printf("%s:", words[at]);
        if (failed) printf(" %s", gai_strerror(failed));
        for (struct addrinfo *each = found; each; each = each->ai_next) {
            char text[64];
            getnameinfo(each->ai_addr, each->ai_addrlen, text, sizeof text, 0, 0, NI_NUMERICHOST);
            printf(" %s", text);
        }
        printf("\n");
    }
}
"""


def test_names(net: Net, tmp_path: Path) -> None:
    net.host.internet_servers()
    net.rootless("network", "create", "--ipv6", "--subnet", "10.89.7.0/24", "--subnet", "fd77:1::/64", "app")
    (tmp_path / "lookup.c").write_text(MUSL)
    tmp_path.chmod(0o755)
    subprocess.run([need_program("musl-gcc"), "-static", "-o", tmp_path / "lookup", tmp_path / "lookup.c"], check=True)
    net.run("db", "--network", "app", "--network-alias", "sql")
    net.run("web", "--network", "app", "-v", f"{tmp_path}:/srv:ro")
    told = net.sh("web", """
        for word in db sql db.app DB.; do dig +short $word; done
        dig +tcp +short AAAA db
        dig +short -x 10.89.7.2
        dig +noall +comments MX db | grep -o 'status: [A-Z]*'
        host db
        host 10.89.7.2
        getent hosts sql
        ping -qc1 sql | tail -2 | head -1
        ping -qc1 -6 db | tail -2 | head -1
        """)  # fmt: skip
    answered = "1 packets transmitted, 1 received, 0% packet loss, time 0ms"
    assert told.splitlines() == [
        *["10.89.7.2"] * 4, "fd77:1::2", "db.app.", "status: NOERROR", "db has address 10.89.7.2", "db has IPv6 address fd77:1::2",
        "2.7.89.10.in-addr.arpa domain name pointer db.app.", "fd77:1::2       sql", answered, answered,
    ]  # fmt: skip
    # What is nobody's name here is the host's resolver's to know, of which the container knows nothing.
    told = net.sh("web", """
        dig +short far.example A far.example AAAA far.example MX
        dig nobody.example | grep -o 'status: [A-Z]*'
        dig +short TXT long.example | wc -l
        dig +short +ignore +noedns TXT long.example | wc -l
        host -t AAAA far.example
        dig +short @9.8.7.6 far.example
        dig +tcp +short @9.8.7.6 far.example
        """)  # fmt: skip
    assert told.splitlines() == [
        FAR[0], FAR[1], "10 far.example.", "status: NXDOMAIN", "30", "0", f"far.example has IPv6 address {FAR[1]}", FAR[0], FAR[0],
    ]  # fmt: skip
    told = net.sh("web", "/srv/lookup db sql far.example nobody.example || true")
    assert told.splitlines() == [
        "db: 10.89.7.2 fd77:1::2", "sql: 10.89.7.2 fd77:1::2", f"far.example: {FAR[0]} {FAR[1]}",
        "nobody.example: Name does not resolve",
    ]  # fmt: skip


NODE = """
const net = require("net");
async function main() {
    for (const url of process.argv.slice(2)) {
        const answers = await Promise.all([...Array(20)].map(async () => (await fetch(url + "/who")).text()));
        console.log([...new Set(answers)].join("").trim());
        const posted = await fetch(url + "/echo", {method: "POST", body: "x".repeat(300000)});
        console.log((await posted.text()).length);
    }
    const name = new URL(process.argv[2]).hostname;
    const refused = net.connect(9, name);
    refused.on("error", error => console.log(error.code));
}
main();
"""
PYTHON = """
import asyncio, sys, urllib.request
async def one(name, number):
    reader, writer = await asyncio.open_connection(name, 7)
    told = await reader.readline()
    writer.write(b"%5d" % number)
    writer.write_eof()
    assert await reader.read() == b"%5d" % number
    writer.close()
    return told.decode().strip()
async def main(name):
    print(*sorted(set(await asyncio.gather(*(one(name, number) for number in range(100))))))
    try:
        await asyncio.open_connection(name, 9)
    except OSError as error:
        print(error)
asyncio.run(main(sys.argv[1]))
print(len(urllib.request.urlopen(f"http://{sys.argv[1]}/size/9000000").read()))
"""
SITE = """
git init -q "$1/work" && cd "$1/work"
git config user.name test && git config user.email test@example.com
echo content >file && git add file && git commit -qm "a file"
git clone -q --bare "$1/work" "$1/it.git" && cd "$1/it.git" && git update-server-info
mkdir -p "$1/package/DEBIAN" "$1/package/usr/share/it" && echo it >"$1/package/usr/share/it/it"
printf 'Package: it\\nVersion: 1\\nArchitecture: all\\nMaintainer: t <t@example.com>\\nDescription: it\\n' >"$1/package/DEBIAN/control"
dpkg-deb --root-owner-group -b "$1/package" "$1/it.deb" >/dev/null
cd "$1" && size=$(stat -c %s it.deb) && sum=$(sha256sum it.deb | cut -d' ' -f1)
printf 'Package: it\\nVersion: 1\\nArchitecture: all\\nMaintainer: t <t@example.com>\\nFilename: it.deb\\nSize: %s\\nSHA256: %s\\n' \\
    "$size" "$sum" >Packages
"""


def test_clients_of_the_outside(net: Net, tmp_path: Path) -> None:
    """They see the world as programs of the host do, and the world sees the host's address."""
    tmp_path.chmod(0o755)
    subprocess.run(["sh", "-euc", SITE, "sh", tmp_path], check=True)
    net.host.internet_servers(tmp_path)
    net.rootless("network", "create", "--ipv6", "app")
    net.run("web", "--network", "app")
    who = f"http://[{FAR[1]}]/who"
    told = net.sh("web", f"""
        curl -sS4 http://far.example/who http://far.example/who; curl -sS6 http://far.example/who; curl -sSg {who!r}
        wget -qO- http://{FAR[0]}/who
        curl -sS --data-binary @/bin/bash http://far.example/ | cmp - /bin/bash
        curl -sS http://far.example/size/50000000 | wc -c
        curl -sS http://{FAR[0]}:9/ 2>&1 | grep -o "Couldn.t connect" || true
        git clone -q http://far.example/it.git /tmp/it && cat /tmp/it/file
        echo 'deb [trusted=yes] http://far.example ./' >/etc/apt/sources.list
        apt-get update -qq && apt-get install -qq it >/dev/null 2>&1
        cat /usr/share/it/it
        printf 'half' | socat - TCP4:far.example:7; echo; printf 'half' | nc -N {FAR[1]} 7; echo
        echo | socat -T2 - UDP4:far.example:7
        """)  # fmt: skip
    assert told.splitlines() == [
        HOST[0], HOST[0], HOST[1], HOST[1], HOST[0], "50000000", "Couldn't connect", "content", "it",
        HOST[0], "half", HOST[1], "half", HOST[0],
    ]  # fmt: skip
    told = net.rootless("exec", "-i", "web", "node", "-", "http://far.example", f"http://{FAR[0]}", f"http://[{FAR[1]}]", stdin=NODE).stdout
    both = [HOST[0], "300000"]
    assert told.splitlines() == [*both, *both, HOST[1], "300000", "ECONNREFUSED"]
    told = net.rootless("exec", "-i", "web", "python3", "-", "far.example", stdin=PYTHON).stdout
    assert told.splitlines() == [
        HOST[0], f"Multiple exceptions: [Errno 111] Connect call failed ('{FAR[0]}', 9), "
        f"[Errno 111] Connect call failed ('{FAR[1]}', 9, 0, 0)", "9000000",
    ]  # fmt: skip
