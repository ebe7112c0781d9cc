"""HostConfig: what a container was asked to have of its host, as moby 28 declares it (API v1.51).

Held against the schema of Docker's API by tests/engine/test_docker_types.py.
"""

from __future__ import annotations

from rootless.engine.views.types import gotypes

TYPES = gotypes.table(
    container__HostConfig="""
        Binds []string
        ContainerIDFile string
        LogConfig container.LogConfig
        NetworkMode string
        PortBindings map[string][]nat.PortBinding
        RestartPolicy container.RestartPolicy
        AutoRemove bool
        VolumeDriver string
        VolumesFrom []string
        ConsoleSize [2]uint
        Annotations map[string]string omitempty
        CapAdd []string
        CapDrop []string
        CgroupnsMode string
        DNS:Dns []string
        DNSOptions:DnsOptions []string
        DNSSearch:DnsSearch []string
        ExtraHosts []string
        GroupAdd []string
        IpcMode string
        Cgroup string
        Links []string
        OomScoreAdj int
        PidMode string
        Privileged bool
        PublishAllPorts bool
        ReadonlyRootfs bool
        SecurityOpt []string
        StorageOpt map[string]string omitempty
        Tmpfs map[string]string omitempty
        UTSMode string
        UsernsMode string
        ShmSize int64
        Sysctls map[string]string omitempty
        Runtime string omitempty
        Isolation string
        CPUShares:CpuShares int64
        Memory int64
        NanoCPUs:NanoCpus int64
        CgroupParent string
        BlkioWeight uint16
        BlkioWeightDevice []*blkiodev.WeightDevice
        BlkioDeviceReadBps []*blkiodev.ThrottleDevice
        BlkioDeviceWriteBps []*blkiodev.ThrottleDevice
        BlkioDeviceReadIOps []*blkiodev.ThrottleDevice
        BlkioDeviceWriteIOps []*blkiodev.ThrottleDevice
        CPUPeriod:CpuPeriod int64
        CPUQuota:CpuQuota int64
        CPURealtimePeriod:CpuRealtimePeriod int64
        CPURealtimeRuntime:CpuRealtimeRuntime int64
        CpusetCpus string
        CpusetMems string
        Devices []container.DeviceMapping
        DeviceCgroupRules []string
        DeviceRequests []container.DeviceRequest
        KernelMemory int64 omitempty
        KernelMemoryTCP int64 omitempty
        MemoryReservation int64
        MemorySwap int64
        MemorySwappiness *int64
        OomKillDisable *bool
        PidsLimit *int64
        Ulimits []*container.Ulimit
        CPUCount:CpuCount int64
        CPUPercent:CpuPercent int64
        IOMaximumIOps uint64
        IOMaximumBandwidth uint64
        Mounts []mount.Mount omitempty
        MaskedPaths []string
        ReadonlyPaths []string
        Init *bool omitempty
    """,
    container__LogConfig="""
        Type string
        Config map[string]string
    """,
    container__RestartPolicy="""
        Name string
        MaximumRetryCount int
    """,
    container__DeviceMapping="""
        PathOnHost string
        PathInContainer string
        CgroupPermissions string
    """,
    container__DeviceRequest="""
        Driver string
        Count int
        DeviceIDs []string
        Capabilities [][]string
        Options map[string]string
    """,
    container__Ulimit="""
        Name string
        Hard int64
        Soft int64
    """,
    blkiodev__WeightDevice="""
        Path string
        Weight uint16
    """,
    blkiodev__ThrottleDevice="""
        Path string
        Rate uint64
    """,
    mount__Mount="""
        Type string omitempty
        Source string omitempty
        Target string omitempty
        ReadOnly bool omitempty
        Consistency string omitempty
        BindOptions *mount.BindOptions omitempty
        VolumeOptions *mount.VolumeOptions omitempty
        ImageOptions *mount.ImageOptions omitempty
        TmpfsOptions *mount.TmpfsOptions omitempty
    """,
    mount__BindOptions="""
        Propagation string omitempty
        NonRecursive bool omitempty
        CreateMountpoint bool omitempty
        ReadOnlyNonRecursive bool omitempty
        ReadOnlyForceRecursive bool omitempty
    """,
    mount__VolumeOptions="""
        NoCopy bool omitempty
        Labels map[string]string omitempty
        Subpath string omitempty
        DriverConfig *mount.Driver omitempty
    """,
    mount__ImageOptions="""
        Subpath string omitempty
    """,
    mount__TmpfsOptions="""
        SizeBytes int64 omitempty
        Mode uint32 omitempty
        Options [][]string omitempty
    """,
    mount__Driver="""
        Name string omitempty
        Options map[string]string omitempty
    """,
)
