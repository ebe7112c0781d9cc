"""What `image inspect` and `volume inspect` show, as moby 28 declares it (API v1.51).

Held against the schema of Docker's API by tests/engine/test_docker_types.py.
"""

from __future__ import annotations

from rootless.engine.views.types import container, gotypes

TYPES = {
    name: container.TYPES[name]
    for name in ("container.HealthConfig", "ocispec.Descriptor", "ocispec.Platform", "storage.DriverData")
} | gotypes.table(
    image__InspectResponse="""
        ID:Id string
        RepoTags []string
        RepoDigests []string
        Parent string
        Comment string
        Created string omitempty
        DockerVersion string
        Author string
        Config *image.Config
        Architecture string
        Variant string omitempty
        Os string
        OsVersion string omitempty
        Size int64
        VirtualSize int64 omitempty
        GraphDriver storage.DriverData
        RootFS image.RootFS
        Metadata image.Metadata
        Descriptor *ocispec.Descriptor omitempty
        Manifests []any omitempty
    """,
    image__Config="""
        User string omitempty
        ExposedPorts map[string]struct{} omitempty
        Env []string omitempty
        Entrypoint []string omitempty
        Cmd []string omitempty
        Volumes map[string]struct{} omitempty
        WorkingDir string omitempty
        Labels map[string]string omitempty
        StopSignal string omitempty
        ArgsEscaped bool omitempty
        Healthcheck *container.HealthConfig omitempty
        OnBuild []string omitempty
        Shell []string omitempty
    """,
    image__RootFS="""
        Type string omitempty
        Layers []string omitempty
    """,
    image__Metadata="""
        LastTagTime string omitempty
    """,
    volume__Volume="""
        ClusterVolume *any omitempty
        CreatedAt string omitempty
        Driver string
        Labels map[string]string
        Mountpoint string
        Name string
        Options map[string]string
        Scope string
        Status map[string]any omitempty
        UsageData *volume.UsageData omitempty
    """,
    volume__UsageData="""
        RefCount int64
        Size int64
    """,
)
