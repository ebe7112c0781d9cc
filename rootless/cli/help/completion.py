"""What the shell offers after TAB: click's engine on our command tables, names from the store.

The scripts call `rootless` again with _ROOTLESS_COMPLETE in the environment (see `respond`).
"""

from __future__ import annotations

from click.shell_completion import get_completion_class

from rootless.cli.help.click_commands import PROGRAM, OurGroup
from rootless.errors import InvalidInput, RootlessError

VARIABLE = "_ROOTLESS_COMPLETE"
SHELLS = ("bash", "zsh", "fish")


def script(shell: str) -> str:
    """The text that the shell reads at its start."""
    kind = get_completion_class(shell)
    if kind is None or shell not in SHELLS:
        raise InvalidInput(f"no completion for {shell!r}", hint="one of " + ", ".join(SHELLS))
    if shell == "bash":
        return _BASH  # click's own asks a bash of 4.4 for its version at every start of the shell
    return kind(OurGroup(""), {}, PROGRAM, VARIABLE).source() + "\n"


_BASH = f"""\
_rootless_completion() {{
    local IFS=$'\\n' response completion type value program=$1
    [[ -z ${{BASH_ALIASES[$1]-}} ]] || program=rootless
    response=$(COMP_WORDS="${{COMP_WORDS[*]}}" COMP_CWORD=$COMP_CWORD {VARIABLE}=bash_complete "$program" 2>/dev/null)
    for completion in $response; do
        type="${{completion%%,*}}"
        value="${{completion#*,}}"
        case "$type" in
            dir) COMPREPLY=(); compopt -o dirnames ;;
            file) COMPREPLY=(); compopt -o default ;;
            plain) COMPREPLY+=("$value"); [[ $value != *[=:] ]] || compopt -o nospace ;;
        esac
    done
    return 0
}}
complete -o nosort -F _rootless_completion rootless
# The same words by another name: alias docker=rootless.
for _rootless_name in docker podman; do
    [[ ${{BASH_ALIASES[$_rootless_name]-}} != *rootless ]] || complete -o nosort -F _rootless_completion "$_rootless_name"
done
unset _rootless_name
"""


def respond(instruction: str) -> int:
    """Print the candidates for the line in COMP_WORDS, as the shell's script wants them."""
    shell, _, _ = instruction.partition("_")
    kind = get_completion_class(shell)
    if kind is None:
        return 1
    try:
        print(kind(OurGroup(""), {}, PROGRAM, VARIABLE).complete())
    except (RootlessError, OSError):
        return 1  # a shell's line editor is no place for a message
    return 0
