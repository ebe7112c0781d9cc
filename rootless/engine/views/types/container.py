"""What `container inspect` shows, as moby 28 declares it (API v1.51): types and order of every field.

Held against the schema of Docker's API by tests/engine/test_docker_types.py.
"""

from __future__ import annotations

from rootless.engine.views.types import gotypes, host_config, network

TYPES = (
    host_config.TYPES
    | network.TYPES
    | gotypes.table(
        container__InspectResponse="""
        ID:Id string
        Created string
        Path string
        Args []string
        State *container.State
        Image string
        ResolvConfPath string
        HostnamePath string
        HostsPath string
        LogPath string
        Name string
        RestartCount int
        Driver string
        Platform string
        MountLabel string
        ProcessLabel string
        AppArmorProfile string
        ExecIDs []string
        HostConfig *container.HostConfig
        GraphDriver storage.DriverData
        SizeRw *int64 omitempty
        SizeRootFs *int64 omitempty
        Mounts []container.MountPoint
        Config *container.Config
        NetworkSettings *container.NetworkSettings
        ImageManifestDescriptor *ocispec.Descriptor omitempty
    """,
        container__State="""
        Status string
        Running bool
        Paused bool
        Restarting bool
        OOMKilled bool
        Dead bool
        Pid int
        ExitCode int
        Error string
        StartedAt string
        FinishedAt string
        Health *container.Health omitempty
    """,
        container__Health="""
        Status string
        FailingStreak int
        Log []*container.HealthcheckResult
    """,
        container__HealthcheckResult="""
        Start string
        End string
        ExitCode int
        Output string
    """,
        container__Config="""
        Hostname string
        Domainname string
        User string
        AttachStdin bool
        AttachStdout bool
        AttachStderr bool
        ExposedPorts map[string]struct{} omitempty
        Tty bool
        OpenStdin bool
        StdinOnce bool
        Env []string
        Cmd []string
        Healthcheck *container.HealthConfig omitempty
        ArgsEscaped bool omitempty
        Image string
        Volumes map[string]struct{}
        WorkingDir string
        Entrypoint []string
        NetworkDisabled bool omitempty
        MacAddress string omitempty
        OnBuild []string
        Labels map[string]string
        StopSignal string omitempty
        StopTimeout *int omitempty
        Timeout int64 omitempty
        Shell []string omitempty
    """,
        container__HealthConfig="""
        Test []string omitempty
        Interval int64 omitempty
        Timeout int64 omitempty
        StartPeriod int64 omitempty
        StartInterval int64 omitempty
        Retries int omitempty
    """,
        storage__DriverData="""
        Data map[string]string
        Name string
    """,
        ocispec__Descriptor="""
        MediaType:mediaType string
        Digest:digest string
        Size:size int64
        URLs:urls []string omitempty
        Annotations:annotations map[string]string omitempty
        Data:data string omitempty
        Platform:platform *ocispec.Platform omitempty
        ArtifactType:artifactType string omitempty
    """,
        ocispec__Platform="""
        Architecture:architecture string
        OS:os string
        OSVersion:os.version string omitempty
        OSFeatures:os.features []string omitempty
        Variant:variant string omitempty
    """,
        container__MountPoint="""
        Type string omitempty
        Name string omitempty
        Source string
        Destination string
        Driver string omitempty
        Mode string
        RW bool
        Propagation string
    """,
    )
)
