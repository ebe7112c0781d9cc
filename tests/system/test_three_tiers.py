"""An application of three tiers, put together by hand as a user would: nginx before a program in Python, before two databases."""

from __future__ import annotations

from pathlib import Path

from tests.harness.own_host import HOST, VISITORS
from tests.harness.processes import wait_until
from tests.system.own_net import LIMIT, Net, asked, net

__all__ = ["net"]
pytestmark = LIMIT

NGINX = """
daemon off;
events {}
http {
    access_log /tmp/access.log;
    upstream app { server app:8000; }
    server {
        listen 80; listen [::]:80;
        location / { proxy_pass http://app; proxy_set_header X-Real-IP $remote_addr; }
    }
}
"""
# Counts visits in Redis, and keeps who came in PostgreSQL; a connection that a database has lost is made anew.
APP = r"""
import http.server, socket, psycopg2

def redis(*words):
    with socket.create_connection(("cache", 6379), 5) as server, server.makefile("rwb") as stream:
        stream.write(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in map(str.encode, words)))
        stream.flush()
        return stream.readline()[1:].decode().strip()

def visited(address):
    with psycopg2.connect("host=db user=postgres dbname=postgres connect_timeout=5") as database, database.cursor() as cursor:
        cursor.execute("create table if not exists visits (address text)")
        cursor.execute("insert into visits values (%s)", (address,))
        cursor.execute("select count(*), inet_client_addr() from visits")
        return cursor.fetchone()

class App(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            visitor = self.headers["X-Real-IP"]
            status, text = 200, f"{visitor} {redis('INCR', 'visits')} {visited(visitor)[0]}\n"
        except Exception as error:
            status, text = 500, f"{error!r}\n"
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

http.server.ThreadingHTTPServer(("", 8000), App).serve_forever()
"""
POSTGRES = """
cd /etc/postgresql/15/main
grep -q "samenet trust" pg_hba.conf || {
    echo "listen_addresses='*'" >>postgresql.conf
    echo 'host all all samenet trust' >>pg_hba.conf
}
rm -f /var/run/postgresql/15-main.pid
trap 'pg_ctlcluster 15 main stop -m fast; exit' TERM
pg_ctlcluster 15 main start
while :; do sleep 0.2; done
"""


def test_the_three_tiers(net: Net, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "nginx.conf").write_text(NGINX)
    (tmp_path / "app.py").write_text(APP)
    do = net.rootless
    do("network", "create", "--ipv6", "front")
    do("network", "create", "--internal", "back")
    net.run("db-1", "--network", "back", "--network-alias", "db", command=("bash", "-euc", POSTGRES))
    net.run("cache-1", "--network", "back", "--network-alias", "cache", command=("redis-server", "--protected-mode", "no"))
    net.run("app-1", "--network", "front", "--network-alias", "app", "--network", "back",
            "-v", f"{tmp_path}/app.py:/srv/app.py:ro", command=("python3", "-u", "/srv/app.py"))  # fmt: skip
    net.run("web", "--network", "front", "-p", "8080:80", "-v", f"{tmp_path}/nginx.conf:/etc/nginx/nginx.conf:ro",
            command=("nginx",))  # fmt: skip

    def visit(family: int = 0) -> list[str]:
        """What a visitor of that family is told: the address, visits by the cache, visits by the database; or an error."""
        there = f"[{HOST[1]}]" if family else HOST[0]
        return asked(net.host, VISITORS[family], f"http://{there}:8080/").split()

    def works() -> bool:
        try:
            return visit()[0] == VISITORS[0]
        except AssertionError:  # curl's: nothing listens at the port as yet
            return False

    wait_until(works, "the whole application")
    _, cached, kept = visit()
    assert visit(1) == [VISITORS[1], str(int(cached) + 1), str(int(kept) + 1)]
    # Who is where: the web reaches no database, the databases reach nothing outside.
    address = net.endpoint("db-1", "back")["IPAddress"]
    for who, command in (("web", "getent hosts db"), ("web", f"nc -z -w2 {address} 5432"), ("db-1", f"nc -z -w2 {HOST[0]} 8080")):
        assert do("exec", who, *command.split(), status=None).status != 0, command
    assert sorted(do("ps", "--filter", "network=back", "--format", "{{.Names}}").lines) == ["app-1", "cache-1", "db-1"]
    # The database is restarted, and then started at another address: the application finds it by its name.
    do("restart", "-t", "30", "db-1")
    wait_until(works, "the database after a restart")
    assert int(visit()[2]) > int(kept) + 1
    do("stop", "-t", "30", "db-1")
    net.run("other", "--network", "back")
    assert net.endpoint("other", "back")["IPAddress"] == address, "it was free"
    assert "OperationalError" in visit()[0]
    do("start", "db-1")
    assert net.endpoint("db-1", "back")["IPAddress"] != address
    wait_until(works, "the database at another address")
    # Another cache under the same alias begins at one.
    while (count := int(visit()[1])) < 9:
        pass
    do("rm", "-f", "cache-1")
    assert "gaierror" in visit()[0]
    net.run("cache-2", "--network", "back", "--network-alias", "cache", command=("redis-server", "--protected-mode", "no"))
    wait_until(works, "another cache")
    assert int(visit()[1]) < count
    # Another web server takes the port over, on the network at once and at its next start.
    do("rm", "-f", "web")
    do("create", "--name", "web-2", "-p", "8080:80", "-v", f"{tmp_path}/nginx.conf:/etc/nginx/nginx.conf:ro", net.image, "nginx",
       env={"ROOTLESS_DEFAULT_NETWORK": "hub"})  # fmt: skip
    do("network", "connect", "front", "web-2")
    do("start", "web-2")
    wait_until(works, "another web server")
    assert [line.split()[0] for line in net.sh("web-2", "cat /tmp/access.log").splitlines()][-1] == VISITORS[0]
