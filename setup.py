"""Builds the programs of helpers/ as part of the package, and puts manual pages and shells' completions beside it.

    python setup.py build_helpers --inplace     for a development tree: into rootless/_helpers, and the commands of `pip install -e` anew

Everything else about the package stands in pyproject.toml.
"""

from __future__ import annotations

import functools
import importlib.metadata
import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from urllib.parse import urlsplit
from urllib.request import url2pathname

from setuptools import Command, Distribution, setup
from setuptools.command.build import build

# setuptools has none of its own; its import puts the name there, from the standard library or its own copy.
from distutils.command.build_scripts import build_scripts  # isort: skip
from distutils.command.install_data import install_data  # isort: skip

try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError:  # setuptools < 70.1
    try:
        from wheel.bdist_wheel import bdist_wheel
    except ImportError:  # no wheel is going to be made here; the helpers can be
        bdist_wheel = Command

# Of each program, the files and folders of helpers/ that it is made of; the linker leaves out what it does not call.
PROGRAMS = {
    "rootless-ids": ["ids", "lib"],
    "rootless-init": ["init.c", "lib"],
    "rootless-exec": ["exec.c", "lib"],
    "rootless-holder": ["holder.c", "lib"],
    "rootless-imagefs": ["imagefs.c", "lib"],
    "rootless-monitor": ["monitor", "lib"],
    "rootless-netd": ["netd", "lib"],
    "rootless-tether": ["tether.c", "lib"],
}
LAUNCHER = ["launcher.c", "oci", "ranks", "lib"]
COMMANDS = ["rootless", "rootless-oci"]
SCRIPT = "rootless-python"  # what they execute
# Where each shell looks, below an environment's or a system's prefix.
COMPLETIONS = {
    "rootless": "share/bash-completion/completions",
    "_rootless": "share/zsh/site-functions",
    "rootless.fish": "share/fish/vendor_completions.d",
}

COMPILE = shlex.split(
    "-std=c11 -D_GNU_SOURCE -Os -fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections "
    "-fstack-protector-strong -Wall -Wextra -Wformat=2 -Wshadow -Wconversion -Wno-sign-conversion "
    "-Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wundef -Wvla"
)
LINK = shlex.split("-static -pthread -s -Wl,--gc-sections -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--build-id=none")

NO_COMPILER = """\
rootless builds nine small static C programs and found no working C compiler ({tried}). \
Debian, Ubuntu: apt install gcc libc6-dev. Fedora, RHEL: dnf install gcc glibc-static. Alpine: apk add gcc \
musl-dev. Another compiler is named by the environment variable CC. Without root, take a wheel: it carries \
the programs and needs no compiler."""
NO_STATIC_LIBC = """\
rootless builds nine small static C programs, and {compiler} cannot link a static program: the C library's \
static half (libc.a) is missing. Debian, Ubuntu: apt install libc6-dev. Fedora, RHEL: dnf install \
glibc-static. Alpine: apk add musl-dev. Or set CC to a compiler that has one (CC=musl-gcc). Without root, \
take a wheel: it carries the programs and needs no compiler."""


@functools.cache
def compiler() -> list[str]:
    """$CC, split as a shell would; else the first of the usual names that can do it.

    musl first: with it a monitor has 50 KB on disk and 70 KB in memory, with glibc 700 and 200.
    """
    named = shlex.split(os.environ.get("CC", ""))
    candidates = [named] if named else [["musl-gcc"], ["cc"], ["gcc"], ["clang"]]
    present = [command for command in candidates if shutil.which(command[0])]
    for command in present:
        if links([*command, "-static"]):
            return command
    for command in present:
        if links(command):
            raise SystemExit(NO_STATIC_LIBC.format(compiler=shlex.join(command)))
    tried = ", ".join(shlex.join(command) for command in candidates)
    raise SystemExit(NO_COMPILER.format(tried=f"tried {tried}"))


def links(command: list[str]) -> bool:
    """Whether the command makes a program out of the smallest source that needs the C library."""
    with tempfile.TemporaryDirectory() as scratch:
        source = os.path.join(scratch, "probe.c")
        with open(source, "w", encoding="ascii") as file:
            file.write("#include <unistd.h>\nint main(void) { return getpid() == 0; }\n")
        argv = [*command, "-o", os.path.join(scratch, "probe"), source]
        return subprocess.run(argv, capture_output=True, check=False).returncode == 0


class build_helpers(Command):
    """Compiles helpers/ into rootless/_helpers: of the build tree, or of the source tree (--inplace)."""

    description = "build the static helper programs"
    user_options = [
        ("inplace", "i", "put the programs into the source tree"),
        ("build-lib=", "b", "the build tree"),
        ("werror", None, "a compiler's warning is an error (implied by --inplace)"),
    ]
    boolean_options = ["inplace", "werror"]
    editable_mode = False

    def initialize_options(self) -> None:
        self.inplace = False
        self.build_lib: str | None = None
        self.werror = False

    def finalize_options(self) -> None:
        self.set_undefined_options("build", ("build_lib", "build_lib"))

    def target_directory(self) -> str:
        if self.inplace or self.editable_mode:
            return os.path.join("rootless", "_helpers")
        assert self.build_lib is not None
        return os.path.join(self.build_lib, "rootless", "_helpers")

    def get_source_files(self) -> list[str]:
        return sorted(path for name in os.listdir("helpers") for path in files_of(name, ".c", ".h"))

    def get_outputs(self) -> list[str]:
        return [os.path.join(self.target_directory(), name) for name in PROGRAMS]

    def get_output_mapping(self) -> dict[str, str]:
        return {}

    def run(self) -> None:
        directory = self.target_directory()
        os.makedirs(directory, exist_ok=True)
        for program, sources in PROGRAMS.items():
            # Only for developers: a compiler newer than this source may know new warnings, and an
            # installation must not fail on them.
            compile_program(sources, os.path.join(directory, program), strict=self.inplace or self.werror)
        if self.inplace:
            self.refresh_commands()

    def refresh_commands(self) -> None:
        """The commands of this source tree, as it is now: they are in the environment, and pip alone would make them anew."""
        directory = commands_of_this_tree()
        if directory is None:
            sys.stdout.write(f"no commands: {sys.prefix} has none of this source tree (pip install -e .)\n")
            return
        compile_commands(directory, strict=True)
        path = os.path.join(directory, SCRIPT)
        with open(path, "rb") as old, open(os.path.join("bin", SCRIPT), "rb") as source, open(f"{path}.new", "wb") as new:
            new.write(old.readline() + source.read().partition(b"\n")[2])  # the interpreter's line is the installer's
        put_in_place(path)


def commands_of_this_tree() -> str | None:
    """Where `pip install -e` of this directory has put commands in this Python's environment."""
    places = [sysconfig.get_path(name) for name in ("purelib", "platlib")]
    for found in importlib.metadata.distributions(name="rootless", path=places):
        origin = json.loads(found.read_text("direct_url.json") or "{}")
        tree = url2pathname(urlsplit(origin.get("url", "")).path)
        if origin.get("dir_info", {}).get("editable") and os.path.realpath(tree) == os.path.realpath("."):
            return sysconfig.get_path("scripts")
    return None


def files_of(name: str, *endings: str) -> list[str]:
    """The file `name` of helpers/, or the files in that folder, of these endings."""
    path = os.path.join("helpers", name)
    files = [os.path.join(path, each) for each in sorted(os.listdir(path))] if os.path.isdir(path) else [path]
    return [each for each in files if each.endswith(endings)]


def compile_program(sources: list[str], path: str, *, strict: bool) -> None:
    """`sources` (files and folders of helpers/) as the static program `path`."""
    flags = [*COMPILE, *(["-Werror"] if strict else []), *shlex.split(os.environ.get("CFLAGS", ""))]
    link = [*LINK, *shlex.split(os.environ.get("LDFLAGS", ""))]
    files = [path for name in sources for path in files_of(name, ".c")]
    argv = [*compiler(), *flags, "-Ihelpers", *files, "-o", f"{path}.new", *link]
    if subprocess.run(argv, check=False).returncode:
        raise SystemExit(f"rootless: building {os.path.basename(path)} failed: {shlex.join(argv)}")
    put_in_place(path)


def compile_commands(directory: str, *, strict: bool) -> None:
    """The launcher in `directory`, by each of its names."""
    first, second = (os.path.join(directory, command) for command in COMMANDS)
    compile_program(LAUNCHER, first, strict=strict)
    shutil.copyfile(first, f"{second}.new")
    put_in_place(second)


def put_in_place(path: str) -> None:
    """PATH.new becomes the program PATH, at once: the old one may be running."""
    os.chmod(f"{path}.new", 0o755)
    os.rename(f"{path}.new", path)
    sys.stdout.write(f"built {path} ({os.path.getsize(path)} bytes)\n")


class build_bytecode(Command):
    """Compiles the package into one file (rootless/compilation.py), in the build tree only."""

    description = "compile the package's modules into one file"
    user_options = [("build-lib=", "b", "the build tree")]
    editable_mode = False

    def initialize_options(self) -> None:
        self.build_lib: str | None = None

    def finalize_options(self) -> None:
        self.set_undefined_options("build", ("build_lib", "build_lib"))

    def get_source_files(self) -> list[str]:
        return []

    def get_outputs(self) -> list[str]:
        return []

    def get_output_mapping(self) -> dict[str, str]:
        return {}

    def run(self) -> None:
        if self.editable_mode:
            return  # the sources will change
        assert self.build_lib is not None
        sys.path.insert(0, os.path.abspath(self.build_lib))
        sys.dont_write_bytecode = True  # pip does that, for the Python that it installs for
        from rootless.compilation import write

        path = write(os.path.join(self.build_lib, "rootless"))
        sys.stdout.write(f"wrote {path} ({os.path.getsize(path)} bytes)\n")


class build_commands(build_scripts):
    """bin/rootless-python, and beside it the commands that execute it."""

    def run(self) -> None:
        super().run()
        compile_commands(self.build_dir, strict=False)


class build_with_helpers(build):
    sub_commands = [*build.sub_commands, ("build_helpers", None), ("build_bytecode", None)]


class install_shared(install_data):
    """Manual pages, made from the command tables, and shells' completions: below share/ of where it is installed."""

    def run(self) -> None:
        pages = os.path.join(self.install_dir, "share", "man", "man1")
        # A process of its own: the tables import the whole package, and what it depends on (build-system.requires).
        argv = [sys.executable, "-B", "-m", "rootless.cli.help.man", pages]
        if subprocess.run(argv, check=False).returncode:
            raise SystemExit("rootless: no manual pages: is what build-system.requires names (pyproject.toml) installed?")
        self.outfiles += [os.path.join(pages, name) for name in sorted(os.listdir(pages))]
        for name, place in COMPLETIONS.items():
            directory = os.path.join(self.install_dir, place)
            self.mkpath(directory)
            path, _ = self.copy_file(os.path.join("packaging", "completions", name), directory)
            self.outfiles.append(path)


class platform_package(Distribution):
    """Installed among what belongs to one machine (platlib), with data made by install_shared."""

    def has_data_files(self) -> bool:
        return True

    def has_ext_modules(self) -> bool:
        return True


class platform_wheel(bdist_wheel):
    """py3-none-linux_ARCH: no extension module, but programs for one machine. $ROOTLESS_WHEEL_PLATFORM is another tag for it:
    packaging/wheels.py knows for which machine it has had the programs compiled."""

    def get_tag(self) -> tuple[str, str, str]:
        return "py3", "none", os.environ.get("ROOTLESS_WHEEL_PLATFORM") or super().get_tag()[2]


setup(
    distclass=platform_package,
    cmdclass={
        "build": build_with_helpers,
        "build_scripts": build_commands,
        "build_helpers": build_helpers,
        "build_bytecode": build_bytecode,
        "install_data": install_shared,
        "bdist_wheel": platform_wheel,
    },
)
