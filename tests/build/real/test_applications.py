"""Images of applications as people build them, by us and by Podman: the same files and configurations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.build.real.conftest import CERTIFICATES, Both
from tests.harness.command import Rootless

pytestmark = pytest.mark.timeout(900)  # what is made once for all is made in the first

CA = f"--secret=id=ca,src={CERTIFICATES}"
PIP = "PIP_CERT=/ca.crt PIP_DISABLE_PIP_VERSION_CHECK=1 SOURCE_DATE_EPOCH=1700000000"


def test_python_with_a_builder_stage(both: Both, rootless: Rootless) -> None:
    files = {
        "requirements.txt": "six==1.16.0\niniconfig==2.0.0\n",
        "app/__init__.py": "",
        "app/__main__.py": "import six, iniconfig\nprint('app', six.__version__)\n",
        ".dockerignore": "**/__pycache__\n*.md\n!README.md\n",
        "README.md": "read\n",
        "NOTES.md": "not\n",
    }
    built = both(
        f"""\
FROM localhost/tools AS build
WORKDIR /src
RUN python3 -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
COPY requirements.txt .
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=secret,id=ca,target=/ca.crt \\
    {PIP} pip install -q --no-compile -r requirements.txt
FROM localhost/tools
RUN useradd --uid 1500 --no-log-init app
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1
WORKDIR /home/app
COPY --chown=app:app . .
USER app
EXPOSE 8000
CMD ["python", "-m", "app"]
""",
        files,
        CA,
    )
    built.same_configuration()
    # Of a directory that is there COPY --chown changes no owner, in BuildKit; in Buildah it does.
    found = built.same_files("/opt/venv", "/home", "/etc/passwd", "/etc/group", but=("/home/app",))
    assert found["/home/app"][1:3] == [0, 0]
    assert "/home/app/README.md" in found
    assert "/home/app/NOTES.md" not in found
    assert rootless("run", "--rm", "--network=none", built.ours).stdout == "app 1.16.0\n"


def test_node(both: Both, rootless: Rootless) -> None:
    package = {"name": "a", "version": "1.0.0", "dependencies": {"is-number": "7.0.0"}}
    locked = {"": package, "node_modules/is-number": {"version": "7.0.0"}}
    lock = json.dumps({"name": "a", "version": "1.0.0", "lockfileVersion": 3, "packages": locked})
    files = {
        "package.json": json.dumps({**package, "scripts": {"build": "node build.js"}}),
        "package-lock.json": lock,
        "build.js": "const fs = require('fs'); fs.mkdirSync('dist');\n"
        "fs.writeFileSync('dist/out.js', 'console.log(require(\"is-number\")(5))');\n",
        "node_modules/junk/index.js": "junk",
        ".dockerignore": "node_modules\n",
    }
    built = both(
        """\
FROM localhost/tools AS deps
WORKDIR /app
COPY package*.json ./
RUN --mount=type=cache,target=/root/.npm --mount=type=secret,id=ca,target=/ca.crt \\
    NODE_EXTRA_CA_CERTS=/ca.crt npm ci --no-audit --no-fund
FROM deps AS build
COPY . .
RUN npm run build
FROM localhost/tools
ENV NODE_ENV=production
WORKDIR /app
COPY --from=deps /app/node_modules ./node_modules
COPY --from=build --chown=1000:1000 /app/dist ./dist
USER 1000:1000
ENTRYPOINT ["node"]
CMD ["dist/out.js"]
""",
        files,
        CA,
    )
    built.same_configuration()
    found = built.same_files("/app")
    assert "/app/node_modules/junk" not in found
    assert rootless("run", "--rm", "--network=none", built.ours).stdout == "true\n"


C_FILES = {
    "Makefile": "prog: a.o b.o\n\t$(CC) $(LDFLAGS) -o $@ $^\ninstall: prog\n\tinstall -D -m 4755 prog $(DESTDIR)/usr/bin/prog\n"
    "\tln -f $(DESTDIR)/usr/bin/prog $(DESTDIR)/usr/bin/hard\n\tln -sf prog $(DESTDIR)/usr/bin/soft\n",
    "a.c": '#include <stdio.h>\nint b(void);\nint main(void) { printf("%d %s\\n", b(), WORD); return 0; }\n',
    "b.c": "int b(void) { return 42; }\n",
}


def test_c_in_stages(both: Both, rootless: Rootless) -> None:
    built = both(
        """\
ARG WORD=none
FROM localhost/tools AS base
WORKDIR /src
FROM base AS one
COPY b.c .
RUN gcc -O1 -c b.c
FROM base AS two
ARG WORD
COPY a.c .
RUN gcc -O1 -DWORD="\\"$WORD\\"" -c a.c
FROM base AS link
COPY --from=one /src/b.o .
COPY --from=two /src/a.o .
COPY Makefile .
RUN make -o a.o -o b.o prog LDFLAGS=-static && make -o a.o -o b.o -o prog install DESTDIR=/out && \\
    setcap cap_net_bind_service+ep /out/usr/bin/prog
FROM localhost/tools
COPY --from=link /out/ /
RUN getcap -r /usr/bin > /caps; stat -c '%a %h' /usr/bin/prog > /stat
CMD ["prog"]
""",
        C_FILES,
        "--build-arg=WORD=said",
    )
    built.same_configuration()
    found = built.same_files("/usr/bin/prog", "/usr/bin/hard", "/caps", "/stat")
    assert found["/usr/bin/hard"][3] == 2
    assert rootless("run", "--rm", "--network=none", built.ours).stdout == "42 said\n"


def test_a_static_binary_from_scratch(both: Both, rootless: Rootless) -> None:
    built = both(
        """\
FROM localhost/tools AS build
COPY . /src
RUN cd /src && make CFLAGS='-DWORD=\\"x\\"' LDFLAGS=-static && install -d -m 1777 /rootfs/tmp && install -d -m 700 -o 65532 /rootfs/home
FROM scratch
COPY --from=build /rootfs /
COPY --from=build --chown=65532:65532 /src/prog /bin/app
COPY --from=build /etc/passwd /etc/passwd
WORKDIR /home
USER 65532
ENTRYPOINT ["/bin/app"]
""",
        C_FILES,
    )
    built.same_configuration(but=("Env",))  # Buildah gives an image from scratch no PATH, BuildKit does
    built.same_tar()
    assert rootless("run", "--rm", "--network=none", built.ours).stdout == "42 x\n"


def test_packages_with_cache_mounts(both: Both) -> None:
    built = both(
        """\
FROM localhost/tools
RUN rm -f /etc/apt/apt.conf.d/docker-clean
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked --mount=type=cache,target=/var/lib/apt,sharing=locked \\
    apt-get update && apt-get install -y --no-install-recommends hello=2.10-3
RUN apt-get purge -y libcap2-bin && hello > /said
""",
    )
    built.same_configuration()
    # Of apt, which is not removed, Buildah 1.28 loses this directory.
    found = built.same_files("/said", "/usr/bin/hello", "/var/lib/dpkg/status", but=("/usr/lib/apt/",))
    assert "/usr/lib/apt/methods/http" in found
    assert "/usr/bin/hello" in found
    assert "/usr/sbin/setcap" not in found
    assert not [path for path in found if path.startswith("/var/cache/apt/archives/hello_")]


def test_this_project_builds_its_own_image(rootless: Rootless, tools_image: str, tmp_path: Path) -> None:
    source = Path(__file__).parents[3]
    (tmp_path / "Dockerfile").write_text(
        f"""\
FROM {tools_image} AS build
COPY --exclude=.venv --exclude=.git . /src
RUN --mount=type=secret,id=ca,target=/ca.crt --mount=type=cache,target=/root/.cache/pip python3 -m venv /opt/rootless && \\
    PIP_CERT=/ca.crt /opt/rootless/bin/pip install -q /src
FROM {tools_image}
COPY --from=build /opt/rootless /opt/rootless
RUN useradd user
USER user
ENTRYPOINT ["/opt/rootless/bin/rootless"]
"""
    )
    words = ("-t", "itself", "--secret", f"id=ca,src={CERTIFICATES}", "-f", tmp_path / "Dockerfile", source)
    rootless("build", "-q", *words, timeout=600)
    assert "Usage" in rootless("run", "--rm", "--network=none", "itself", "--help").stdout
    assert "rootless" in rootless("run", "--rm", "--network=none", "itself", "--version").stdout.lower()
