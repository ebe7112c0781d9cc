"""What `version`, `info` and `events` show, as moby 28 and the docker command declare it (API v1.51).

Held against the schema of Docker's API by tests/engine/test_docker_types.py.
"""

from __future__ import annotations

from rootless.engine.views.types import gotypes

_CLIENT_VERSION = """
        Platform *command.platformInfo omitempty
        Version string omitempty
        APIVersion:ApiVersion string omitempty
        DefaultAPIVersion string omitempty
        GitCommit string omitempty
        GoVersion string omitempty
        Os string omitempty
        Arch string omitempty
        BuildTime string omitempty
        Context string omitempty
"""

TYPES = gotypes.table(
    system__versionInfo="""
        Client system.clientVersion
        Server *types.Version
    """,
    system__clientVersion=_CLIENT_VERSION,
    command__platformInfo="""
        Name string omitempty
    """,
    types__Version="""
        Platform types.Platform
        Components []types.ComponentVersion omitempty
        Version string
        APIVersion:ApiVersion string
        MinAPIVersion string omitempty
        GitCommit string
        GoVersion string
        Os string
        Arch string
        KernelVersion string omitempty
        Experimental bool omitempty
        BuildTime string omitempty
    """,
    types__Platform="""
        Name string
    """,
    types__ComponentVersion="""
        Name string
        Version string
        Details map[string]string omitempty
    """,
    system__dockerInfo="""
        ID string
        Containers int
        ContainersRunning int
        ContainersPaused int
        ContainersStopped int
        Images int
        Driver string
        DriverStatus [][]string
        SystemStatus [][]string omitempty
        Plugins system.PluginsInfo
        MemoryLimit bool
        SwapLimit bool
        KernelMemory bool omitempty
        KernelMemoryTCP bool omitempty
        CPUCfsPeriod:CpuCfsPeriod bool
        CPUCfsQuota:CpuCfsQuota bool
        CPUShares bool
        CPUSet bool
        PidsLimit bool
        IPv4Forwarding bool
        Debug bool
        NFd int
        OomKillDisable bool
        NGoroutines int
        SystemTime string
        LoggingDriver string
        CgroupDriver string
        CgroupVersion string omitempty
        NEventsListener int
        KernelVersion string
        OperatingSystem string
        OSVersion string
        OSType string
        Architecture string
        IndexServerAddress string
        RegistryConfig *registry.ServiceConfig
        NCPU int
        MemTotal int64
        GenericResources []any
        DockerRootDir string
        HTTPProxy:HttpProxy string
        HTTPSProxy:HttpsProxy string
        NoProxy string
        Name string
        Labels []string
        ExperimentalBuild bool
        ServerVersion string
        Runtimes map[string]system.RuntimeWithStatus
        DefaultRuntime string
        Swarm swarm.Info
        LiveRestoreEnabled bool
        Isolation string
        InitBinary string
        ContainerdCommit system.Commit
        RuncCommit system.Commit
        InitCommit system.Commit
        SecurityOptions []string
        ProductLicense string omitempty
        DefaultAddressPools []system.NetworkAddressPool omitempty
        FirewallBackend *system.FirewallInfo omitempty
        CDISpecDirs []string
        DiscoveredDevices []system.DeviceInfo omitempty
        Containerd *system.ContainerdInfo omitempty
        Warnings []string
        ServerErrors []string omitempty
        ClientInfo *system.clientInfo omitempty
        ClientErrors []string omitempty
    """,
    system__clientInfo="        Debug bool"
    + _CLIENT_VERSION
    + """
        Plugins []any
        Warnings []string
    """,
    system__PluginsInfo="""
        Volume []string
        Network []string
        Authorization []string
        Log []string
    """,
    system__RuntimeWithStatus="""
        Path:path string omitempty
        Args:runtimeArgs []string omitempty
        Type:runtimeType string omitempty
        Options:options map[string]any omitempty
        Status:status map[string]string omitempty
    """,
    system__Commit="""
        ID string
    """,
    system__NetworkAddressPool="""
        Base string
        Size int
    """,
    system__FirewallInfo="""
        Driver string
        Info [][]string omitempty
    """,
    system__DeviceInfo="""
        Source string
        ID string
    """,
    system__ContainerdInfo="""
        Address string omitempty
        Namespaces system.ContainerdNamespaces
    """,
    system__ContainerdNamespaces="""
        Containers string
        Plugins string
    """,
    registry__ServiceConfig="""
        InsecureRegistryCIDRs []string
        IndexConfigs map[string]*registry.IndexInfo
        Mirrors []string
    """,
    registry__IndexInfo="""
        Name string
        Mirrors []string
        Secure bool
        Official bool
    """,
    swarm__Info="""
        NodeID string
        NodeAddr string
        LocalNodeState string
        ControlAvailable bool
        Error string
        RemoteManagers []any
        Nodes int omitempty
        Managers int omitempty
        Cluster *any omitempty
    """,
    events__Message="""
        Status:status string omitempty
        ID:id string omitempty
        From:from string omitempty
        Type string
        Action string
        Actor events.Actor
        Scope:scope string omitempty
        Time:time int64 omitempty
        TimeNano:timeNano int64 omitempty
    """,
    events__Actor="""
        ID string
        Attributes map[string]string
    """,
)
