"""What becomes of the times of files in an archive that is to come out the same whenever it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tarfile import TarInfo


class FileTimes(NamedTuple):
    """No file is younger than `latest` (seconds since the epoch); with `all_alike` each is exactly that old."""

    latest: int
    all_alike: bool = False

    def apply(self, info: TarInfo) -> None:
        """Set the time of one entry. A fraction of a second stands in its extended header."""
        if info.name.rpartition("/")[2].startswith(".wh."):
            return  # a whiteout has none on disk, so it would have another when the layer is written again
        fraction = "mtime" in info.pax_headers
        if self.all_alike or info.mtime > self.latest or (info.mtime == self.latest and fraction):
            info.mtime = self.latest
            info.pax_headers = {name: value for name, value in info.pax_headers.items() if name != "mtime"}
