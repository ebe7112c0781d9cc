"""Names of images as Docker completes them, as far as a plan has to compare them."""

from __future__ import annotations


def full_name(reference: str) -> str:
    """`debian` becomes docker.io/library/debian:latest, as vertices and metadata show it."""
    name, at, digest = reference.partition("@")
    first, slash, _ = name.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        name = f"docker.io/{name}" if slash else f"docker.io/library/{name}"
    if not at and ":" not in name.rpartition("/")[2]:
        name += ":latest"
    return name + at + digest


def familiar_name(reference: str) -> str:
    """The shortest way to write the same: by it named contexts are compared with images."""
    name = full_name(reference).removeprefix("docker.io/")
    return name.removeprefix("library/").removesuffix(":latest")


def may_be_image(reference: str) -> bool:
    """Whether a name of an image could look like that; the registry's grammar is read where it is resolved."""
    name, at, digest = reference.partition("@")
    if at and not (":" in digest and digest.replace(":", "").replace("+", "").isalnum()):
        return False
    repository, _, tag = name.rpartition(":") if ":" in name.rpartition("/")[2] else (name, "", "latest")
    parts = repository.split("/")
    if "." in parts[0] or ":" in parts[0] or parts[0] == "localhost":
        parts = parts[1:]
    letters = "abcdefghijklmnopqrstuvwxyz0123456789._-"
    return bool(parts and tag and all(tag)) and all(
        part and not set(part) - set(letters) and part[0].isalnum() and part[-1].isalnum() for part in parts
    )
