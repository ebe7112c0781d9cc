"""A hook of mkdocs: pages of the checkout's root belong to the site, links to other files of the checkout are text, and the
navigation lists every command."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PROJECT = ("CHANGELOG.md", "CONTRIBUTING.md", "README.md", "SECURITY.md")
_LINK = re.compile(r"\[([^]\[]+)\]\(([^)\s#:]+)(#[^)\s]*)?\)")


def on_config(config: Any) -> Any:
    """Below Commands each has its page, those of a noun (network, pod) together."""
    alone: list[Any] = []
    nouns: dict[str, list[Any]] = {}
    for path in sorted((ROOT / "docs/cli").glob("*.md")):
        if path.name == "README.md":
            continue
        words = path.read_text("utf-8").partition("\n")[0].removeprefix("# rootless ").split(maxsplit=1)
        entry = {words[-1]: f"cli/{path.name}"}
        (nouns.setdefault(words[0], []) if len(words) == 2 else alone).append(entry)
    listed = sorted([*alone, *({noun: entries} for noun, entries in nouns.items())], key=lambda entry: next(iter(entry)))
    for section in config["nav"]:
        if isinstance(section, dict) and "Commands" in section:
            section["Commands"] = ["cli/README.md", *listed]
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the root's pages below project/."""
    for name in PROJECT:
        files.append(File.generated(config, f"project/{name}", content=(ROOT / name).read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Links as they are in the checkout become links of the site, or their text alone. A page's file name becomes its title."""
    here = page.file.src_uri
    if here.startswith(("development/", "project/C")):
        page.meta.setdefault("search", {"boost": 0.2})  # what users look for comes first
    at = "" if here.startswith("project/") else os.path.dirname(f"docs/{here}")

    def lead(match: re.Match[str]) -> str:
        text, target, anchor = match.groups()
        place = os.path.normpath(os.path.join(at, target))
        if place == "docs/cli" or place == "docs/development":
            place += "/README.md"
        inside = place.removeprefix("docs/") if place.startswith("docs/") else f"project/{place}"
        if not (ROOT / place).exists() or files.get_file_from_path(inside) is None:
            return text if (ROOT / place).exists() else match.group(0)
        if text.endswith(".md"):
            text = (ROOT / place).read_text("utf-8").partition("\n")[0].removeprefix("# ").removesuffix(".")
        return f"[{text}]({os.path.relpath(inside, os.path.dirname(here) or '.')}{anchor or ''})"

    return _LINK.sub(lead, markdown)
