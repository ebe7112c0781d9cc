"""`rootless completion bash|zsh|fish`."""

from __future__ import annotations

import sys

from rootless.cli.grammar.command import Args, Command


def generate(args: Args) -> int:
    """The script, on stdout."""
    from rootless.cli.help.completion import script

    sys.stdout.write(script(args.positional[0]))
    return 0


COMMAND = Command(
    name="completion",
    summary="Generate the completion script for bash, zsh or fish",
    usage="bash|zsh|fish",
    options=(),
    handler=generate,
    min_args=1,
    max_args=1,
    description="pip puts the three scripts below share/ of its environment, too: there bash-completion finds its own from 2.12 on.\n"
    "An alias docker or podman has the same words if it is there before; for `rootless system shims docker` add "
    "a line to ~/.bashrc: complete -o nosort -F _rootless_completion docker",
    examples=(
        ("rootless completion bash > ~/.local/share/bash-completion/completions/rootless", ""),
        ("rootless completion zsh > ~/.zfunc/_rootless", "where fpath has ~/.zfunc"),
        ("rootless completion fish > ~/.config/fish/completions/rootless.fish", ""),
    ),
    complete="bash|zsh|fish",
)
