"""Each instruction in full, by us and by Podman: the same files, owners, modes, links, configuration."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.build.real.conftest import Both
from tests.harness.command import Rootless

pytestmark = pytest.mark.timeout(900)  # what is made once for all is made in the first


def test_onbuild(both: Both, rootless: Rootless) -> None:
    base = """\
FROM localhost/tools
ONBUILD COPY conf /etc/conf
ONBUILD RUN sort /etc/conf > /etc/sorted
ONBUILD ENV FROM_BASE=1
WORKDIR /srv
"""
    both(base, {"conf": "b\na\n"}).same_configuration(but=("OnBuild",))  # Buildah loses it
    rootless("tag", "ours", "localhost/parent")
    rest = "COPY conf own\nRUN cat /etc/sorted >> own\n"
    built = both(f"FROM localhost/parent\n{rest}", podman_text=base.replace("ONBUILD ", "") + rest)
    built.same_configuration()
    built.same_files("/etc/conf", "/etc/sorted", "/srv")


def test_users_and_owners(both: Both) -> None:
    files = {"tree/a": "a", "tree/sub/b": "b", "run.sh": "#!/bin/sh\nid\n", "deep/er/c": "c"}
    built = both(
        """\
FROM localhost/tools
RUN groupadd -g 4000 grp && groupadd -g 3000 usr && useradd -u 3000 -g usr -G daemon usr
COPY --chown=usr tree /one/
COPY --chown=usr:daemon tree /two
COPY --chown=3001 tree/a /three/four/
COPY --chown=0:daemon run.sh /five/
COPY --chown=0:grp --chmod=2750 run.sh /six/
USER usr
WORKDIR /work/by/usr
RUN touch mine && mkdir dir && chmod 2770 dir && umask 077 && touch private
COPY deep/ .
ADD --chown=usr:grp tree added
USER usr:daemon
RUN id > id
USER 0
WORKDIR relative/below
RUN id -G > /ids && chown -h usr: /ids && ln -s nowhere link && mknod pipe p
""",
        files,
    )
    built.same_configuration()
    found = built.same_files("/work", "/one", "/two", "/three", "/five", "/six", "/ids")
    assert found["/work/by/usr"][1:3] == [3000, 3000]


@pytest.mark.parametrize(
    "arguments",
    [(), ("--build-arg=VERSION=2", "--build-arg=EXTRA=more words"), ("--build-arg=VERSION=", "--target=second")],
)
def test_arguments(both: Both, arguments: tuple[str, ...]) -> None:
    built = both(
        """\
ARG VERSION=1
ARG IMAGE=localhost/tools
FROM ${IMAGE} AS first
ARG VERSION
ARG EXTRA=none
ARG UNSET
ENV V=$VERSION E="${EXTRA:-default}" P=${VERSION:+set} Q='single $VERSION' R="a\\$b" PATH=$PATH:/more
ENV V2=$V V=changed W=$V
ENV OLD $VERSION and the rest
RUN printf '%s|' "$V" "$V2" "$W" "$E" "$P" "$Q" "$R" "$OLD" "$VERSION" "$EXTRA" "${UNSET-unset}" > /out
LABEL version=$VERSION "extra label"="${EXTRA}"
FROM first AS second
ARG VERSION=own
ARG EXTRA=again
RUN printf '%s|' "$VERSION" "$EXTRA" "$V" >> /out
WORKDIR /at/$V/${VERSION:-empty}
FROM second
ARG PORT=808
USER $V2
EXPOSE ${PORT}0
STOPSIGNAL ${NOSIGNAL:-9}
""" if arguments[:1] != ("--build-arg=VERSION=",) else """\
ARG VERSION=1
FROM localhost/tools AS second
ARG VERSION
ENV A=${VERSION:-minus} B=${VERSION} C=${VERSION:+plus} D=x
RUN printf '%s|' "$A" "$B" "$C" "$D" "${VERSION-unset}" > /out
FROM second
RUN false
""",
        {},
        *arguments,
    )  # fmt: skip
    built.same_configuration()
    built.same_files("/out")


def test_the_whole_configuration(both: Both) -> None:
    built = both(
        """\
FROM localhost/tools
SHELL ["/bin/bash", "-e", "-o", "pipefail", "-c"]
RUN set -o | grep -q 'pipefail.*on' && echo ${BASH_VERSION%%.*} > /shell
HEALTHCHECK --interval=30s --timeout=3s --start-period=1m --retries=5 CMD test -e /shell || exit 1
STOPSIGNAL SIGINT
VOLUME /data /other
VOLUME ["/more", "/data"]
EXPOSE 80 443/tcp 5353/udp 7000
LABEL a="1" b='two words' c=three\\ words d="quo\\"ted" multi="line \\
continued"
LABEL a="2"
ENV X="1 2" Y=a\\ b Z='$X'
WORKDIR /first
WORKDIR second
ENTRYPOINT exec python3 -c "print(1)"
CMD ignored
""",
    )
    # Podman 4.3 does not know SHELL for the words that follow it, and shows no health check.
    ours = built.same_configuration(but=("Cmd", "Entrypoint", "Healthcheck", "Shell"))
    shell = ["/bin/bash", "-e", "-o", "pipefail", "-c"]
    assert ours["Shell"] == shell
    assert ours["Entrypoint"] == [*shell, 'exec python3 -c "print(1)"']
    assert ours["Healthcheck"] == {
        "Test": ["CMD-SHELL", "test -e /shell || exit 1"], "Interval": 30 * 10**9, "Timeout": 3 * 10**9, "StartPeriod": 60 * 10**9,
        "Retries": 5,
    }  # fmt: skip
    built.same_files("/shell")


def test_secrets_and_agents(both: Both, tmp_path: Path) -> None:
    agent = subprocess.run(["ssh-agent", "-s", "-a", tmp_path / "agent"], capture_output=True, text=True, check=True).stdout
    number = int(agent.partition("SSH_AGENT_PID=")[2].partition(";")[0])
    try:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "me", "-f", tmp_path / "key"], check=True)
        environment = {"SSH_AUTH_SOCK": str(tmp_path / "agent")}
        add = ["ssh-add", "-q", str(tmp_path / "key")]
        subprocess.run(add, env={**os.environ, **environment}, check=True, capture_output=True)
        (tmp_path / "token").write_text("hunter2")
        built = both(
            """\
FROM localhost/tools
RUN --mount=type=secret,id=token wc -c < /run/secrets/token > /length; stat -c '%a %u %g' /run/secrets/token > /stat
RUN --mount=type=secret,id=token,target=/etc/deep/token,mode=0440,uid=33,gid=34 stat -c '%a %u %g' /etc/deep/token >> /stat
RUN --mount=type=secret,id=other test ! -e /run/secrets/other
RUN --mount=type=ssh ssh-add -l > /keys
RUN test -z "$SSH_AUTH_SOCK" && test ! -e /run/secrets/token && test ! -e /etc/deep/token
""",
            {},
            f"--secret=id=token,src={tmp_path}/token",
            f"--ssh=default={tmp_path}/agent",
            env=environment,
        )
    finally:
        os.kill(number, 15)
    built.same_configuration()
    # Podman leaves the directory that it made for a mount.
    found = built.same_files("/length", "/stat", "/keys", but=("/etc/deep", "/etc/deep/token"))
    assert "/etc/deep/token" not in found


def test_ignore_files(both: Both) -> None:
    names = [
        "a.txt", "b.md", "docs/c.md", "docs/keep.md", "docs/d/e.txt", "src/x.py", "src/x.pyc", "src/y/z.pyc", "src/y/keep.pyc",
        "build/out", "build/keep/this", "build/keep/not", ".git/config", ".env", "a b.txt", "#hash", "deep/er/log.tmp", "log.tmp",
    ]  # fmt: skip
    ignored = [
        "# a comment", "", "*.md", "!docs/keep.md", "docs/*.md", "!docs/keep.md", "**/*.pyc", "!src/y/keep.pyc", "build", "!build/keep",
        "build/keep/not", "/.git", ".env*", "*/er/*.tmp", "\\#hash", "docs/d/",
    ]  # fmt: skip
    text = "FROM localhost/tools\nCOPY . /all\nCOPY d* /glob/\nADD src/*.p? /globs/\nCOPY ?.txt /one/\n"
    built = both(text, {**dict.fromkeys(names, "x"), ".dockerignore": "\n".join(ignored)})
    built.same_configuration()
    found = built.same_files("/all", "/glob", "/globs", "/one")
    assert "/all/docs/keep.md" in found
    assert "/all/log.tmp" in found
    assert "/all/deep/er/log.tmp" not in found


def test_heredocs(both: Both) -> None:
    """Podman 4.3 knows none: it gets the same in one line each."""
    built = both(
        """\
FROM localhost/tools
ARG NAME=world
RUN <<EOF
set -e
echo "hello $NAME" > /one
for n in 1 2; do echo $n >> /one; done
EOF
RUN <<EOF python3
open("/two", "w").write("two\\n")
EOF
COPY <<EOF <<-'RAW' /etc/conf/
name=$NAME
EOF
	raw=$NAME
	RAW
COPY --chmod=755 --chown=33:33 <<EOF /usr/local/bin/tool
#!/bin/sh
echo ${NAME}
EOF
RUN /usr/local/bin/tool > /three
""",
        podman_text="""\
FROM localhost/tools
ARG NAME=world
RUN printf 'hello %s\\n1\\n2\\n' "$NAME" > /one
RUN echo two > /two
RUN mkdir /etc/conf; echo "name=$NAME" > /etc/conf/EOF; echo 'raw=$NAME' > /etc/conf/RAW
RUN printf '#!/bin/sh\\necho %s\\n' "$NAME" > /usr/local/bin/tool; chmod 755 /usr/local/bin/tool; chown 33:33 /usr/local/bin/tool
RUN /usr/local/bin/tool > /three
""",
    )
    built.same_configuration()
    built.same_files("/one", "/two", "/three", "/etc/conf", "/usr/local/bin")
