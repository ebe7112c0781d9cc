"""A cache as a document: which keys have which results. Pure, and hostile where it comes from elsewhere.

It is the configuration of an OCI image whose layers are the results, so that every registry takes it:

    {"version": 1, "epoch": null,
     "records": [{"key", "step", "diff_id", "created"}],     step "": it changed nothing; diff_id "": no layer goes with it
     "digests": {question: digest},                           what copies from stages and images take (cache/digests.py)
     "diff_ids": [of each layer of the manifest]}

Inside an image it stands in the configuration under INLINE, without "diff_ids": there the image's own are meant.
A step has the name that it had where it was done, because the keys of what stands on it depend on that.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from rootless.errors import Corrupt
from rootless.image import manifest
from rootless.storage import shape

MEDIA_TYPE = "application/vnd.rootless.build.cache.v1+json"
INLINE = "rootless.build.cache.v1"
_RECORDS_LIMIT = 10_000
_KEY = re.compile(r"[0-9a-f]{64}\Z")
_STEP = re.compile(r"(step:[0-9a-f]{32})?\Z")
_DIFF_ID = re.compile(r"(sha256:[0-9a-f]{64})?\Z")
_SHAPE = {
    "version": int,
    "epoch": (int, type(None)),
    "records": [{"key": str, "step": str, "diff_id": str, "created": "time"}],
    "digests": {str: str},
}


class Entry(NamedTuple):
    """The result of the step with `key`."""

    key: str
    step: str
    diff_id: str
    created: str


class Document(NamedTuple):
    """`epoch` is that of the files in the layers, where they are not the steps' own."""

    records: list[Entry]
    digests: dict[str, str]
    diff_ids: list[str] = []
    epoch: int | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "version": 1,
            "epoch": self.epoch,
            "records": [entry._asdict() for entry in self.records],
            "digests": self.digests,
            "diff_ids": self.diff_ids,
        }

    def to_bytes(self) -> bytes:
        return json.dumps(self.to_json(), separators=(",", ":"), sort_keys=True).encode()


def parse(data: bytes, what: str) -> Document:
    """Raises Corrupt, which names `what`."""
    return check(manifest.load_json(data, what), what)


def check(found: Any, what: str) -> Document:
    """The parsed document as a record; Corrupt for what is none, or is larger than any cache of ours."""
    if not shape.fits(found, _SHAPE) or found["version"] != 1:
        raise Corrupt(f"{what} is no build cache that is known here")
    diff_ids = found.get("diff_ids", [])
    if not shape.fits(diff_ids, [str]) or max(len(found["records"]), len(found["digests"]), len(diff_ids)) > _RECORDS_LIMIT:
        raise Corrupt(f"{what} is no build cache that is known here")
    entries = [Entry(one["key"], one["step"], one["diff_id"], one["created"]) for one in found["records"]]
    sound = (
        all(_KEY.match(e.key) and _STEP.match(e.step) and _DIFF_ID.match(e.diff_id) and e.created for e in entries)
        and all(_KEY.match(key) and _KEY.match(value) for key, value in found["digests"].items())
        and all(diff_id and _DIFF_ID.match(diff_id) for diff_id in diff_ids)
    )
    if not sound:
        raise Corrupt(f"{what} has names that no build cache has")
    return Document(entries, found["digests"], diff_ids, found["epoch"])
