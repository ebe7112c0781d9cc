"""Go templates against what docker 28 printed for the same object and template."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootless.cli.template import Template
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
]


@pytest.mark.parametrize(("template", "text"), DOCKER_SAYS)
def test_as_docker_prints_it(template: str, text: str) -> None:
    assert Template(template).execute(CONTAINER) == text


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{.Id", "template parsing error: 1:6: unclosed action"),
        ("{{nofunc .Id}}", 'template parsing error: 1:3: function "nofunc" not defined'),
        ("a\n  {{end}}", "template parsing error: 2:5: unexpected {{end}}"),
        ("{{if .Id}}x", "template parsing error: 1:3: {{if}} without {{end}}"),
        ("{{}}", "template parsing error: 1:3: missing value for command"),
        ("{{.Id ? }}", "template parsing error: 1:7: unexpected '?'"),
        ("{{$x}}", 'template parsing error: 1:3: undefined variable "$x"'),
        ("{{index .Config.Env 5}}", "executing template: 1:3: index out of range: 5"),
        ('{{eq "a" 1}}', "executing template: 1:3: incompatible types for comparison"),
        (
            "{{.State.Nope}}",
            'executing template: 1:3: no field "Nope"; there is Status, Running, Pid, ExitCode',
        ),
        ("{{.Id.x}}", "executing template: 1:3: can't evaluate field x in abc123"),
        ('{{define "x"}}', "template parsing error: 1:3: {{define}} is not supported"),
    ],
)
def test_errors_name_the_place(template: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Template(template).execute(CONTAINER)
    assert caught.value.message == message


PIECES = ["{{", "}}", "{{-", "-}}", ".Id", ".", "$", "$x", ":=", "|", "(", ")", "if ", "range ", "end", "else ", '"', "`",
          "json", "printf", "index", " ", "\n", "1", "é", "eq", "len", "split", "join", ".Config.Env"]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_any_text_is_a_template_or_an_error(source: str) -> None:
    try:
        text = Template(source).execute(CONTAINER)
    except InvalidInput:
        return
    assert isinstance(text, str)


@given(st.text(max_size=30).filter(lambda text: "{{" not in text))
def test_text_without_actions_stays(text: str) -> None:
    assert Template(text).execute({}) == text
