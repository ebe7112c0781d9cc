"""Go templates against what docker 28 printed for the same object and template."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootless.cli.output.format import inspected
from rootless.cli.output.template.template import Template, WrongTemplate
from rootless.cli.output.template.template_functions import FUNCTIONS
from rootless.engine.views.types import container, gotypes
from rootless.errors import InvalidInput

CONTAINER = {
    "Id": "abc123",
    "Name": "/web",
    "State": {"Status": "running", "Running": True, "Pid": 42, "ExitCode": 0},
    "Config": {
        "Env": ["A=1", "B=2"],
        "Cmd": ["nginx", "-g", "daemon off;"],
        "Labels": {"b": "2", "a": "1", "com.x": "<y>"},
        "Entrypoint": None,
        "Tty": False,
    },
    "HostConfig": {"Memory": 0, "CpuShares": 0, "Binds": [], "PortBindings": {}},
    "NetworkSettings": {
        "IPAddress": "10.0.2.100",
        "Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}], "443/tcp": None},
        "Networks": {"bridge": {"IPAddress": "1.2.3.4"}},
    },
    "Mounts": [{"Type": "bind", "Source": "/s", "Destination": "/d", "RW": True}],
    "RestartCount": 0,
}

DOCKER_SAYS = [
    ("{{.State.Status}}", "running"),
    ("{{json .Config.Env}}", '["A=1","B=2"]'),
    ("{{.Config.Env}}", "[A=1 B=2]"),
    ("{{.Config.Labels}}", "map[a:1 b:2 com.x:<y>]"),
    ("{{range .Config.Env}}[{{.}}]{{end}}", "[A=1][B=2]"),
    ("{{range $i,$e := .Config.Env}}{{$i}}={{$e}};{{end}}", "0=A=1;1=B=2;"),
    (
        "{{range $p, $c := .NetworkSettings.Ports}}{{$p}} -> {{if $c}}{{(index $c 0).HostPort}}{{else}}-{{end}} {{end}}",
        "443/tcp -> - 80/tcp -> 8080 ",
    ),
    ('{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}', "8080"),
    ("{{if .State.Running}}up{{else}}down{{end}}", "up"),
    ("{{if and .State.Running (eq .State.Pid 42)}}y{{end}}", "y"),
    ("{{len .Config.Env}}", "2"),
    ('{{index .Config.Labels "com.x"}}', "<y>"),
    ('{{index .Config.Labels "nope"}}|', "|"),
    ('{{join .Config.Cmd "," }}', "nginx,-g,daemon off;"),
    ('{{upper .Id}} {{lower "ABC"}} {{title "hello world"}}', "ABC123 abc Hello World"),
    ('{{split "a,b,c" ","}}', "[a b c]"),
    ('{{range split "a,b" ","}}<{{.}}>{{end}}', "<a><b>"),
    ("{{println .Id}}x", "abc123\nx"),
    ('{{.Id | printf "%s-%s" "p" | upper}}', "P-ABC123"),
    ("a {{- .Id -}} b", "aabc123b"),
    ("{{- /* c */ -}} x", "x"),
    ('{{"q\\t\\"x\\""}}', 'q\t"x"'),
    ("{{`raw\\n`}}", "raw\\n"),
    ("{{with .State}}{{.Pid}}{{end}}", "42"),
    ("{{with .Config.Entrypoint}}a{{else}}none{{end}}", "none"),
    ("{{$x := .State}}{{$x.Pid}} {{$.Id}}", "42 abc123"),
    ("{{range .Mounts}}{{.Source}}:{{.Destination}} {{.RW}}{{end}}", "/s:/d true"),
    ("{{not .State.Running}}", "false"),
    ('{{or "" "b"}} {{and "a" "b"}}', "b b"),
    ('{{eq .State.Status "exited" "running"}} {{ne 1 2}} {{lt 1 2}} {{ge 2 2}}', "true true true true"),
    ("{{range .HostConfig.Binds}}a{{else}}empty{{end}}", "empty"),
    ("{{slice .Id 1 3}}", "bc"),
    ('{{print 1 2 "a" 3}}', "1 2a3"),
    ("{{.HostConfig.PortBindings}}", "map[]"),
    ("{{json .HostConfig.Binds}}", "[]"),
    ("{{if eq .State.Pid 1}}a{{else if eq .State.Pid 42}}b{{else}}c{{end}}", "b"),
    ("{{truncate .Id 3}}{{pad .Id 1 2}}", "abc abc123  "),
    ("{{len .NetworkSettings.Networks}}", "1"),
    ("{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", "1.2.3.4"),
    ('{{printf "%s"}}', "%!s(MISSING)"),
    ('{{printf "%d" "x"}}', "%!d(string=x)"),
    ("\\t{{.Id}}\\n", "\\tabc123\\n"),
    ("{{range 3}}{{.}}{{end}}", "012"),
    ('{{printf "%05d|%x|%t|%.2f" 42 "hi" true 1.5}}', "00042|6869|true|1.50"),
    ('{{.State.Pid | print "pid "}}', "pid 42"),
    ('{{len "é"}}', "2"),
    ("{{ .RestartCount }}{{/* c */}}", "0"),
    ("{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}", "2"),
    ("{{$x := 1}}{{if true}}{{$x := 2}}{{$x}}{{end}}{{$x}}", "21"),
    ("{{$x := 0}}{{range .Config.Env}}{{$x = .}}{{end}}{{$x}}", "B=2"),
    ('{{range .Config.Cmd}}{{if eq . "-g"}}{{break}}{{end}}{{.}}{{end}}', "nginx"),
    ('{{range .Config.Cmd}}{{if eq . "-g"}}{{continue}}{{end}}{{.}}|{{end}}', "nginx|daemon off;|"),
    ('{{define "x"}}<{{.}}>{{end}}{{template "x" .Id}}{{template "x"}}', "<abc123><<no value>>"),
    ('{{block "x" .Id}}[{{.}}{{$}}]{{end}}', "[abc123abc123]"),
    ("{{with .Config.Entrypoint}}a{{else with .Id}}{{.}}{{else}}none{{end}}", "abc123"),
    ("{{with $x := .Id}}{{$x}}{{end}}", "abc123"),
    ("{{range $i, $e := .HostConfig.Binds}}{{else}}none{{end}}", "none"),
    ("{{html \"<a href='x'>&\"}}", "&lt;a href=&#39;x&#39;&gt;&amp;"),
    ('{{js "it\'s <b>="}}', "it\\'s \\u003Cb\\u003E\\u003D"),
    ('{{urlquery "a b&c/d"}}', "a+b%26c%2Fd"),
    (
        '{{printf "%q %v %-5s| %5s|%t %T %x" "a" .Config.Env "b" "c" true "s" 255}}',
        '"a" [A=1 B=2] b    |     c|true string ff',
    ),
    ('{{printf "%v %d" 1 2 3}}', "1 2%!(EXTRA int=3)"),
    ("{{.Config.Labels.zz}}{{.Config.Labels.zz.deeper}}", "<no value><no value>"),
    ("{{json .NetworkSettings.Ports}}", '{"443/tcp":null,"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"}]}'),
    ("{{.NetworkSettings.Ports}}", "map[443/tcp:<nil> 80/tcp:[map[HostIp:0.0.0.0 HostPort:8080]]]"),
    ("{{and 0 .Id.x}}{{or 1 .Id.x}}", "01"),
    ("{{true}} {{false}} {{1.5}} {{'a'}}", "true false 1.5 97"),
]


@pytest.mark.parametrize(("template", "text"), DOCKER_SAYS)
def test_as_docker_prints_it(template: str, text: str) -> None:
    assert Template(template).execute(CONTAINER) == text


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{.Id", "1: unclosed action"),
        ("{{nofunc .Id}}", '1: function "nofunc" not defined'),
        ("a\n  {{end}}", "2: unexpected {{end}}"),
        ("{{if .Id}}x", "1: unexpected EOF"),
        ("{{}}", "1: missing value for command"),
        ("{{.Id ? }}", "1: unrecognized character in action: U+003F '?'"),
        ("{{$x}}", '1: undefined variable "$x"'),
        ("{{$x = 1}}", '1: undefined variable "$x"'),
        ("{{if 1}}{{$x := 1}}{{end}}{{$x}}", '1: undefined variable "$x"'),
        ("{{break}}", "1: {{break}} outside {{range}}"),
        ('{{range .Mounts}}{{define "x"}}{{end}}{{end}}', "1: unexpected <define> in command"),
        ('{{define "x"}}', "1: unexpected EOF"),
        ("{{template x}}", "1: unexpected <x> in template clause"),
        ('{{"a}}', "1: unterminated quoted string"),
        ("{{09}}", '1: bad number syntax: "09"'),
        ("{{nil}}", "1: nil is not a command"),
    ],
)
def test_what_is_no_template(template: str, message: str) -> None:
    with pytest.raises(WrongTemplate) as caught:
        Template(template)
    assert caught.value.message == f"template parsing error: template: :{message}"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{index .Config.Env 5}}", "1:2: executing \"\" at <index .Config.Env 5>: error calling index: index out of range: 5"),
        ('{{eq "a" 1}}', '1:2: executing "" at <eq "a" 1>: error calling eq: incompatible types for comparison'),
        ("{{.Id.x}}", "1:5: executing \"\" at <.Id.x>: can't evaluate field x in type string"),
        ("a\n{{ .Id.x}}", "2:6: executing \"\" at <.Id.x>: can't evaluate field x in type string"),
        ('{{(index (index .NetworkSettings.Ports "22/tcp") 0).HostPort}}',
         '1:3: executing "" at <index (index .NetworkSettings.Ports "22/tcp") 0>: error calling index: index of untyped nil'),
        ('{{template "x"}}', '1:11: executing "" at <{{template "x"}}>: template "x" not defined'),
        ('{{define "x"}}{{template "x"}}{{end}}{{template "x"}}', "exceeded maximum template depth"),
        ("{{range true}}{{end}}", "1:8: executing \"\" at <true>: range can't iterate over true"),
        ("{{call .Id}}", '1:2: executing "" at <call .Id>: error calling call: non-function abc123 of type string'),
        ("{{len}}", '1:2: executing "" at <len>: wrong number of args for len: got 0'),
        ('{{.Id "x"}}', '1:2: executing "" at <.Id>: Id has arguments but cannot be invoked as function'),
    ],
)  # fmt: skip
def test_errors_name_the_place(template: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Template(template).execute(CONTAINER)
    assert message in caught.value.message
    assert caught.value.message.startswith("template: :")


DOCKER_SAYS_OF_TYPED = [
    ("{{.State.Health}}", "<nil>"),
    ("{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}", "none"),
    ("{{.Config.Labels.nolabel}}|{{if .Config.Labels.nolabel}}a{{end}}", "<no value>|"),
    ('{{index .Config.Labels "nolabel"}}|', "|"),
    ("{{.ID}} {{.Id}}", "abc abc"),
    ("{{.HostConfig.NanoCPUs}} {{.HostConfig.NanoCpus}} {{.HostConfig.CPUShares}}", "5 5 0"),
    ("{{.HostConfig.RestartPolicy}}", "{on-failure 2}"),
    ("{{json .HostConfig.RestartPolicy}}", '{"Name":"on-failure","MaximumRetryCount":2}'),
    ("{{.HostConfig.LogConfig}}", "{json-file map[]}"),
    ("{{.HostConfig.CapAdd}} {{json .HostConfig.CapAdd}} {{len .HostConfig.CapAdd}}", "[] null 0"),
    ("{{.HostConfig.Sysctls}} {{.HostConfig.PidsLimit}} {{.HostConfig.ConsoleSize}}", "map[] <nil> [0 0]"),
    ("{{range .HostConfig.Links}}a{{else}}b{{end}}", "b"),
    ("{{range .Mounts}}{{.Name}}:{{.Source}};{{end}}", ":/s;v:;"),
    ("{{with .HostConfig.LogConfig}}{{.Type}}{{end}}", "json-file"),
    ("{{.State.Status}}{{.OursAlone}}", "running1"),
    ("{{.SizeRw}} {{.NetworkSettings.Networks.bridge.IPAddress}}", "<nil> 1.2.3.4"),
    ("{{json .NetworkSettings.Ports}}", '{"80/tcp":null}'),
    ('{{range $p, $c := .NetworkSettings.Ports}}{{$p}}={{$c}}{{end}}', "80/tcp=[]"),
    ('{{printf "%+v" .HostConfig.RestartPolicy}}', "{Name:on-failure MaximumRetryCount:2}"),
    ('{{printf "%T" .HostConfig.RestartPolicy}}', "*container.RestartPolicy"),
    ("{{if eq .State.Health nil}}nil{{end}}", "nil"),
    ("{{.NetworkSettings.Networks.web.IPAddress}}", "<no value>"),
]  # fmt: skip
TYPED = gotypes.build(
    container.TYPES,
    "container.InspectResponse",
    {
        "Id": "abc",
        "State": {"Status": "running"},
        "Config": {"Labels": {"a": "1"}},
        "HostConfig": {
            "NanoCpus": 5,
            "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2},
            "LogConfig": {"Type": "json-file", "Config": {}},
        },
        "Mounts": [{"Type": "bind", "Source": "/s"}, {"Type": "volume", "Name": "v"}],
        "NetworkSettings": {"Ports": {"80/tcp": None}, "Networks": {"bridge": {"IPAddress": "1.2.3.4"}}},
        "OursAlone": 1,
    },
)


@pytest.mark.parametrize(("template", "text"), DOCKER_SAYS_OF_TYPED)
def test_a_field_that_is_not_set_is_its_zero_value(template: str, text: str) -> None:
    assert Template(template).execute(TYPED) == text
    assert inspected(TYPED, Template(template)) == text


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{.Nope}}", '1:2: executing "" at <.Nope>: map has no entry for key "Nope"'),
        ("{{.State.Health.Status}}", '1:8: executing "" at <.State.Health.Status>: map has no entry for key "Health"'),
        ("{{.HostConfig.CapAdd.x}}",
         '1:13: executing "" at <.HostConfig.CapAdd.x>: nil pointer evaluating interface {}.x'),
    ],
)  # fmt: skip
def test_what_no_type_knows_is_dockers_error(template: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        inspected(TYPED, Template(template))
    assert caught.value.message == f"template parsing error: template: :{message}"


PIECES = ["{{", "}}", "{{-", "-}}", ".Id", ".", "$", "$x", ":=", "|", "(", ")", "if ", "range ", "end", "else ", '"', "`",
          "json", "printf", "index", " ",
          "define ", "template ", "block ", "break", "continue", "with ", "=", "\"x\"",
          "\n", "1", "é", "eq", "len", "split", "join", ".Config.Env"]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_any_text_is_a_template_or_an_error(source: str) -> None:
    try:
        text = Template(source).execute(CONTAINER)
    except InvalidInput:
        return
    assert isinstance(text, str)


CONSTANTS = ['"a"', "1", "-1", "1.5", "true", "nil", ".", ".Config.Env", ".Config.Labels", ".Config.Entrypoint", "9" * 30,
             '"%d%s%*d%c%x%.3f"', '"%-99999999d"', ".State.Health", ".HostConfig", "'x'", "(len .Config.Env)"]  # fmt: skip


@given(st.sampled_from(sorted(FUNCTIONS)), st.lists(st.sampled_from(CONSTANTS), max_size=4), st.booleans())
def test_any_arguments_of_a_function_are_text_or_an_error(
    name: str, arguments: list[str], typed: bool
) -> None:
    try:
        source = f"{{{{{name} {' '.join(arguments)}}}}}"
        text = Template(source).execute(TYPED if typed else CONTAINER)
    except InvalidInput:
        return
    assert len(text) < 200_000


@given(st.text(max_size=30).filter(lambda text: "{{" not in text))
def test_text_without_actions_stays(text: str) -> None:
    assert Template(text).execute({}) == text
