"""Root inside a container: it has capabilities in a user namespace, no subordinate ids and no cgroup to write."""

from __future__ import annotations

from tests.harness.command import Rootless
from tests.oci.bundles import Runtime


def inside(rootless: Rootless, oci: Runtime, script: str) -> str:
    """A shell script in a container that has the host's root: the same runtime, the same bundle."""
    oci.write()
    script = f"run() {{ {oci.program} --root /run/inner \"$@\"; }}\ncd {oci.bundle}\nexec 2>&1\n{script}"
    done = rootless("run", "--rm", "--privileged", "--network", "none", "--tmpfs", "/run", "--rootfs", "/", "sh", "-c", script)
    return done.stdout


def test_a_whole_life(rootless: Rootless, oci: Runtime) -> None:
    """The configuration's user namespace of one id, which is root's here."""
    oci.spec["process"]["args"] = ["sh", "-c", "cat /proc/self/uid_map; echo pid $$; exec sleep 100"]
    for kind in ("uid", "gid"):
        oci.spec["linux"][f"{kind}Mappings"][0]["hostID"] = 0
    told = inside(
        rootless,
        oci,
        """run create one </dev/null >out 2>&1 || cat out; run start one; run exec one sh -c 'echo also; exit 3' || echo $?
        run ps --format json one | grep -c ,; run kill one KILL; sleep 0.3; run state one; run delete one; cat out; run list -q""",
    )
    lines = told.splitlines()
    assert lines[:3] == ["also", "3", "0"]
    assert '"stopped"' in lines[3]
    assert [line.split() for line in lines[4:]] == [["0", "0", "1"], ["pid", "1"]]


def test_without_a_user_namespace_of_its_own(rootless: Rootless, oci: Runtime) -> None:
    """It keeps root's: no more ids and no more capabilities than the configuration says."""
    linux = oci.spec["linux"]
    linux["namespaces"].remove({"type": "user"})
    del linux["uidMappings"], linux["gidMappings"]
    oci.spec["process"]["args"] = ["sh", "-c", "readlink /proc/self/ns/user; grep CapBnd /proc/self/status; mknod /dev/k c 1 11"]
    told = inside(rootless, oci, "readlink /proc/self/ns/user; run run one || true")
    own, inner, capabilities, refused = told.splitlines()
    assert own == inner
    assert int(capabilities.split()[1], 16) == 1 << 29 | 1 << 5 | 1 << 10
    assert "Operation not permitted" in refused


def test_limits_are_refused_by_name(rootless: Rootless, oci: Runtime) -> None:
    linux = oci.spec["linux"]
    linux["namespaces"].remove({"type": "user"})
    del linux["uidMappings"], linux["gidMappings"]
    linux["resources"] = {"memory": {"limit": 1 << 27}, "pids": {"limit": 5}, "devices": [{"allow": False}]}
    told = inside(rootless, oci, "run run one; run --systemd-cgroup run one; run list -q")
    assert "linux.resources.memory.limit, linux.resources.pids.limit cannot be enforced" in told
    assert "cannot make the scope rootless-oci-one.scope" in told
    assert told.count("rootless-oci: ") == 2, "nothing ran, nothing is left"
