"""What `buildx imagetools inspect --format` shows, by the names that buildx gives it."""

from __future__ import annotations

from rootless.engine.views.types import container, gotypes

TYPES = {name: container.TYPES[name] for name in ("ocispec.Descriptor", "ocispec.Platform")} | gotypes.table(
    imagetools__Inspect="""
        Name string
        Manifest imagetools.Manifest
        Image any
    """,
    imagetools__Manifest="""
        SchemaVersion:schemaVersion int
        MediaType:mediaType string
        Digest:digest string
        Size:size int64
        Manifests:manifests []ocispec.Descriptor omitempty
        Config:config *ocispec.Descriptor omitempty
        Layers:layers []ocispec.Descriptor omitempty
        Annotations:annotations map[string]string omitempty
    """,
)
