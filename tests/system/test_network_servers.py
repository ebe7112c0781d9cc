"""Servers in containers: reached by neighbours by name, and by visitors whose address they see."""

from __future__ import annotations

from pathlib import Path

from tests.harness.own_host import HOST, VISITORS
from tests.harness.processes import wait_until
from tests.system.own_net import LIMIT, Net, asked, asked_udp, net

__all__ = ["net"]
pytestmark = LIMIT

NGINX = """
load_module modules/ngx_stream_module.so;
error_log /dev/stderr;
daemon off;
events {}
http {
    access_log /tmp/access.log;
    resolver 127.0.0.11 valid=1s;
    server {
        listen 80; listen [::]:80;
        location /who { return 200 "$remote_addr\\n"; }
        location /by-name/ { set $other app; proxy_pass http://$other:80/who; }
        location /size { root /srv; }
    }
}
stream {
    server { listen 53 udp; listen [::]:53 udp; return "$remote_addr\\n"; }
}
"""


def test_a_web_server_sees_its_visitors(net: Net, tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text(NGINX)
    tmp_path.chmod(0o755)
    net.rootless("network", "create", "--ipv6", "app")
    conf = ("-v", f"{tmp_path}/nginx.conf:/etc/nginx/nginx.conf:ro")
    net.run("app", "--network", "app", *conf, command=("nginx",))
    net.run("web", "--network", "app", "-p", "8080:80", "-p", "5353:53/udp", *conf, command=("nginx",))
    wait_until(lambda: net.rootless("exec", "web", "curl", "-sS", "http://localhost/who", status=None).status == 0, "nginx")
    for source, there in zip(VISITORS, HOST, strict=True):
        shown = f"[{there}]" if ":" in there else there
        assert asked(net.host, source, f"http://{shown}:8080/who") == source
        assert asked_udp(net.host, source, there, 5353) == source
    own = net.endpoint("web", "app")["IPAddress"]
    assert asked(net.host, VISITORS[0], f"http://{HOST[0]}:8080/by-name/") == own, "nginx asks 127.0.0.11 for a name"
    log = net.sh("web", "cut -d' ' -f1 /tmp/access.log").split()
    assert log[-3:] == [VISITORS[0], VISITORS[1], VISITORS[0]], log
    # From the host: its own address, and the gateway for its loopback.
    assert net.host.run("curl", "-sS", "--noproxy", "*", f"http://{HOST[0]}:8080/who") == f"{HOST[0]}\n"
    gateway = net.endpoint("web", "app")["Gateway"]
    assert net.host.run("curl", "-sS", "--noproxy", "*", "http://127.0.0.1:8080/who") == f"{gateway}\n"
    # A neighbour by the published port of the host, which is another way than that by name.
    assert net.sh("app", f"curl -sS http://{HOST[0]}:8080/who").strip() == HOST[0]
    told = net.sh("app", f"wrk -t1 -c8 -d1s http://web/who; wrk -t1 -c8 -d1s http://{HOST[0]}:8080/who")
    assert told.count("Requests/sec") == 2
    assert "Socket errors" not in told
    assert "Non-2xx" not in told


def test_databases(net: Net) -> None:
    net.rootless("network", "create", "--internal", "back")
    net.run("redis", "--network", "back", command=("redis-server", "--protected-mode", "no", "--save", ""))
    postgres = "pg_ctlcluster 15 main start && exec sleep 600"
    configure = (
        "cd /etc/postgresql/15/main; echo \"listen_addresses='*'\" >>postgresql.conf; "
        "echo 'host all all samenet trust' >>pg_hba.conf; " + postgres
    )
    net.run("postgres", "--network", "back", "--network-alias", "db", command=("sh", "-euc", configure))
    net.run("client", "--network", "back")
    ready = "pg_isready -q -h db && redis-cli -h redis ping"
    wait_until(lambda: net.rootless("exec", "client", "sh", "-c", ready, status=None).status == 0, "the databases")
    told = net.sh("client", """
        (for number in $(seq 2000); do echo "INCR counted"; done) | redis-cli -h redis | tail -1
        (for number in $(seq 2000); do printf 'SET key%d %d\\r\\n' $number $number; done) | redis-cli -h redis --pipe | tail -1
        redis-benchmark -h redis -n 3000 -c 50 -P 16 -q -t get,set | grep -c 'requests per second'
        psql -qAtX -h db -U postgres -c 'create table t(n int); insert into t select generate_series(1, 100000)' -c 'select sum(n) from t'
        psql -qAtX -h db -U postgres -c 'copy t to stdout' | wc -l
        psql -qAtX -h db -U postgres -c 'select inet_client_addr()'
        """)  # fmt: skip
    own = net.endpoint("client", "back")["IPAddress"]
    assert told.split("\n")[:6] == ["2000", "errors: 0, replies: 2000", "2", "5000050000", "100000", own]


def test_much_in_both_directions(net: Net) -> None:
    """iperf3 to a neighbour, and to the host's own network by the gate; UDP too."""
    net.rootless("network", "create", "--ipv6", "app")
    net.run("near", "--network", "app", command=("iperf3", "-s"))
    net.run("far", "--network", "host", command=("iperf3", "-s"))
    net.run("client", "--network", "app")
    for server in ("near", HOST[0], HOST[1]):
        told = net.sh("client", f"""
            for each in '' -R --bidir '-P 4'; do iperf3 -c {server} --connect-timeout 9000 -n 8M $each >/tmp/told || cat /tmp/told; done
            grep -c receiver /tmp/told
            """)  # fmt: skip
        assert told == "5\n", server
    told = net.sh("client", "iperf3 -u -c near -b 20M -t 1 | grep receiver; iperf3 -u -R -c near -b 20M -t 1 | grep -c receiver")
    assert "receiver" in told


def test_a_registry_and_its_client_which_are_in_go(net: Net) -> None:
    net.rootless("network", "create", "app")
    run = (
        "mkdir /tmp/r && sed 's,/var/lib/docker-registry,/tmp/r,; /^auth/,$d' /etc/docker/registry/config.yml >/tmp/c.yml;"
        "exec docker-registry serve /tmp/c.yml"
    )
    net.run("registry", "--network", "app", "-p", "5000:5000", command=("sh", "-c", run))
    net.run("client", "--network", "app")
    wait_until(lambda: net.rootless("exec", "client", "curl", "-sS", "http://registry:5000/v2/", status=None).status == 0, "a registry")
    told = net.sh("client", f"""
        mkdir -p /tmp/layout && cd /tmp && head -c 20000000 /dev/urandom >big && tar cf big.tar big
        sum=$(sha256sum big.tar | cut -d' ' -f1)
        printf '{{"architecture":"amd64","os":"linux","config":{{}},"rootfs":{{"type":"layers","diff_ids":["sha256:%s"]}}}}' \\
            $sum >config.json
        printf '[{{"Config":"config.json","RepoTags":["big:latest"],"Layers":["big.tar"]}}]' >manifest.json
        tar cf image.tar config.json manifest.json big.tar
        echo '{{"default":[{{"type":"insecureAcceptAnything"}}]}}' >policy.json
        for there in registry:5000 {HOST[0]}:5000; do
            skopeo --policy policy.json copy -q --dest-tls-verify=false docker-archive:image.tar docker://$there/big
            skopeo --policy policy.json copy -q --src-tls-verify=false docker://$there/big dir:/tmp/back
            rm -r back
            skopeo list-tags --tls-verify=false docker://$there/big | grep -o latest
        done
        """)  # fmt: skip
    assert told == "latest\nlatest\n"


FTP = """
mkdir -p /srv/ftp /var/run/vsftpd/empty && head -c 3000000 /dev/urandom >/srv/ftp/file
cat >/tmp/ftp.conf <<END
listen=NO
listen_ipv6=YES
background=NO
anonymous_enable=YES
local_enable=NO
seccomp_sandbox=NO
anon_root=/srv/ftp
pasv_min_port=21100
pasv_max_port=21103
END
exec vsftpd /tmp/ftp.conf
"""


def test_passive_ftp(net: Net) -> None:
    """A second connection to a port, by the server's own address for neighbours, and by published ports for visitors."""
    net.rootless("network", "create", "--ipv6", "app")
    # As process 1 it would be given orphans, of which it knows nothing, and dies of them.
    net.run("ftp", "--init", "--network", "app", "-p", "2121:21", "-p", "21100-21103:21100-21103", command=("sh", "-c", FTP))
    net.run("client", "--network", "app")
    fetch = "curl -sS --noproxy '*' {} | sha256sum"
    wait_until(lambda: net.rootless("exec", "client", "curl", "-sS", "ftp://ftp/", status=None).status == 0, "vsftpd")
    wanted = net.sh("ftp", "sha256sum </srv/ftp/file")
    assert net.sh("client", fetch.format("ftp://ftp/file")) == wanted
    assert net.sh("client", fetch.format("-6 ftp://ftp/file")) == wanted
    for there in (HOST[0], f"[{HOST[1]}]"):
        outside = net.host.run("sh", "-c", fetch.format(f"-g 'ftp://{there}:2121/file'"), where=net.host.outside)
        assert outside == wanted, there
