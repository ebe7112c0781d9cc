"""Names of containers: those that were given, checked, and for the others one in Docker's manner, adjective_surname. Hot path."""

from __future__ import annotations

import os

from rootless.errors import InvalidInput

_LEFT = (
    "able agile amber apt awake azure bold brave breezy bright brisk calm candid careful cheerful clear clever "
    "cosy crisp curious daring deft eager early earnest easy elated epic fair fancy fleet fond frank free fresh "
    "gentle glad golden good grand happy hardy hearty honest hopeful humble jolly jovial keen kind lively loyal "
    "lucid lucky mellow merry mild modest neat nimble noble open patient peaceful plucky polite proud quick quiet "
    "ready robust serene sharp silent simple sleek smart snug solid spry steady stoic strong sunny swift tidy "
    "upbeat vivid warm wise witty zealous zesty"
).split()
_RIGHT = (
    "allen babbage backus bartik bell boole borg brooks cerf chang church clarke cocke codd colossus conway cray "
    "curie dahl darwin diffie dijkstra easley einstein elion engelbart erdos euler faraday feynman floyd franklin "
    "galileo gauss goldberg hamilton hamming hellman hertz hoare hodgkin holberton hopper huffman hypatia iverson "
    "jackson johnson kahn kay keller kepler kernighan khayyam kilby kleene knuth lamarr lamport leavitt liskov "
    "lovelace lumiere maxwell mccarthy mcnulty meitner mendel milner minsky napier naur newell newton noether "
    "noyce nygaard pascal pasteur perlman planck postel raman ritchie sammet scott shannon sinoussi snyder "
    "stallman stroustrup tesla thompson torvalds turing volta wiles wilkes wing wirth wozniak wu yonath"
).split()


def random_name() -> str:
    """A name such as keen_hopper; not necessarily free."""
    first, second = os.urandom(1)[0], os.urandom(1)[0]
    return f"{_LEFT[first % len(_LEFT)]}_{_RIGHT[second % len(_RIGHT)]}"


def check(word: str) -> str:
    """The name that a container is to have, "" for any; InvalidInput."""
    name = word.removeprefix("/")
    # [a-zA-Z0-9][a-zA-Z0-9_.-]+, without a regular expression compiled for each start
    rest = name.replace("_", "a").replace(".", "a").replace("-", "a")
    if name and not (name[0].isalnum() and rest.isalnum() and name.isascii() and len(name) > 1):
        raise InvalidInput(f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
    if len(name) > 200:
        raise InvalidInput("container name is too long", hint="at most 200 characters")
    return name
