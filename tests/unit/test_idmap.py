from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootless.session import diagnosis
from rootless.session.ids import idmap, subids
from rootless.session.ids.idmap import IdRange, SubordinateRange

granted_lists = st.lists(st.builds(SubordinateRange, st.integers(0, 3000), st.integers(1, 500)), max_size=8)


@given(st.integers(0, 3000), granted_lists)
def test_a_session_maps_every_granted_id_once_and_without_gaps(
    own: int, granted: list[SubordinateRange]
) -> None:
    ranges = idmap.session_map(own, granted)
    assert ranges[0] == IdRange(0, own, 1)
    position = 0
    outside: list[int] = []
    for inside, start, size in ranges:
        assert inside == position
        position += size
        outside += range(start, start + size)
    expected = {own}.union(*(range(start, start + size) for start, size in granted))
    assert sorted(outside) == sorted(expected)


@given(st.integers(0, 3000), granted_lists, granted_lists)
def test_ranges_added_at_the_end_keep_every_owner(
    own: int, granted: list[SubordinateRange], more: list[SubordinateRange]
) -> None:
    before, after = idmap.session_map(own, granted), idmap.session_map(own, granted + more)
    assert idmap.extends(after, before)
    if sum(r.size for r in after) > sum(r.size for r in before):
        assert not idmap.extends(before, after)


@given(st.lists(st.builds(IdRange, *[st.integers(0, 2**32 - 1)] * 3)))
def test_maps_read_back_as_written(ranges: list[IdRange]) -> None:
    assert idmap.parse_map(idmap.format_map(ranges)) == ranges


def test_only_what_this_container_has_is_granted() -> None:
    available = [IdRange(0, 5000, 1000), IdRange(2000, 9000, 10)]
    granted = [SubordinateRange(900, 200), SubordinateRange(1500, 1000), SubordinateRange(50000, 5)]
    assert idmap.within(granted, available) == [SubordinateRange(900, 100), SubordinateRange(2000, 10)]


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    (tmp_path / "subuid").write_text(
        "# comment\nalice:100000:65536\nbob:165536:65536\n1000:300000:10\nalice:broken:1\n"
        "alice:1:0\nalice:4294967290:100\nalice:400000:20\n"
    )
    (tmp_path / "subgid").write_text("1000:100000:65536\n")
    (tmp_path / "passwd").write_text("alice:x:1000:1000::/:/bin/sh\n")
    (tmp_path / "os-release").write_text('ID=ubuntu\nID_LIKE="debian"\n')
    return tmp_path


def test_entries_by_name_and_by_number_count_in_their_order(etc: Path) -> None:
    assert idmap.subordinate_ranges("alice", 1000, "uid", etc=str(etc)) == [
        (100000, 65536), (300000, 10), (400000, 20),
    ]  # fmt: skip
    assert idmap.subordinate_ranges(None, 1000, "gid", etc=str(etc)) == [(100000, 65536)]
    assert idmap.subordinate_ranges("carol", 1002, "uid", etc=str(etc)) == []


def test_missing_entries_come_with_the_exact_command(etc: Path) -> None:
    (etc / "passwd").write_text("carol:x:1002:1002::/:/bin/sh\n")
    finding = subids.ranges("carol", 1002, etc=str(etc))
    assert finding is not None
    assert finding.what == "carol has no entry in /etc/subuid and /etc/subgid"
    assert finding.fix_admin == ("sudo usermod --add-subuids 400020-465555 --add-subgids 400020-465555 carol")


def test_users_of_a_directory_service_get_a_line_for_the_file(etc: Path) -> None:
    finding = subids.ranges("ldapuser", 70000, etc=str(etc))
    assert finding is not None
    assert finding.fix_admin == "echo ldapuser:400020:65536 | sudo tee -a /etc/subuid /etc/subgid"


def test_ids_shared_with_others_and_few_ids_are_found(etc: Path) -> None:
    with (etc / "subuid").open("a") as file:
        file.write("mallory:100500:10\ndave:500000:100\n")
    shared = subids.shared_ranges("alice", 1000, etc=str(etc))
    assert [finding.what for finding in shared] == ["/etc/subuid grants ids of alice to mallory as well"]
    few = subids.few_ids("dave", 1005, etc=str(etc))
    assert few is not None
    assert "100 subordinate uids" in few.what


def test_a_helper_without_rights_is_found(etc: Path) -> None:
    program = etc / "newuidmap"
    program.touch(0o755)
    finding = subids.helper_program("newuidmap", path=str(program), etc=str(etc))
    assert finding is not None
    assert f"setcap cap_setuid+ep {program}" in finding.fix_admin
    assert subids.install_command(etc=str(etc)) == "sudo apt-get install uidmap"


@pytest.mark.parametrize(
    ("file", "text", "what"),
    [
        ("sys/user/max_user_namespaces", "0\n", "user.max_user_namespaces is 0"),
        ("sys/kernel/unprivileged_userns_clone", "0\n", "kernel.unprivileged_userns_clone is 0"),
        ("sys/kernel/apparmor_restrict_unprivileged_userns", "1\n", "apparmor_restrict_unprivileged_userns"),
        ("self/status", "Name:\tx\nSeccomp:\t2\n", "seccomp filter"),
    ],
)
def test_each_knob_against_user_namespaces_is_named(tmp_path: Path, file: str, text: str, what: str) -> None:
    for name, usual in (("self/ns/user", ""), ("sys/user/max_user_namespaces", "1000\n"), (file, text)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(usual)
    (finding,) = diagnosis.user_namespaces(error=PermissionError(1, "no"), proc=str(tmp_path))
    assert what in finding.what
    assert finding.effect == "no container can run"
    assert finding.fix_admin


def test_the_apparmor_profile_names_the_real_interpreter(tmp_path: Path) -> None:
    (tmp_path / "python").symlink_to("/usr/bin/env")
    _, text = diagnosis.apparmor_profile(str(tmp_path / "python"))
    assert 'profile rootless "/usr/bin/env" flags=(unconfined) {\n  userns,\n' in text


def test_the_apparmor_profile_names_both_commands_where_there_is_a_launcher() -> None:
    file, text = diagnosis.apparmor_profile("/opt/rootless/bin/rootless")
    assert file == "/etc/apparmor.d/opt.rootless.bin.rootless"
    assert 'profile rootless "/opt/rootless/bin/rootless{,-oci}" flags=(unconfined) {\n  userns,\n' in text
