"""Where files of a build come from, by kind; strings stay as the user wrote them, for whoever resolves them."""

from __future__ import annotations

from rootless.record import Record


class Scratch(Record):
    """FROM scratch: nothing."""

    kind: str = "scratch"


class StageSource(Record):
    """The result of another stage of this Dockerfile, by its number among all stages, from 0."""

    number: int
    kind: str = "stage"


class ImageSource(Record):
    """An image by name, or in a layout (oci-layout://PATH[:TAG|@DIGEST]). `platform` is os/arch[/variant]."""

    reference: str
    platform: str
    kind: str = "image"


class ContextSource(Record):
    """The build context ("" as name), or a named one with its `--build-context` value.

    The value is a directory, or an archive's or git URL; an image or a layout has become an ImageSource.
    """

    name: str = ""
    value: str = ""
    kind: str = "context"


Source = Scratch | StageSource | ImageSource | ContextSource

CONTEXT = ContextSource()
"""The build context itself."""
