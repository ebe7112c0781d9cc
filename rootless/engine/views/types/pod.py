"""A pod, as podman declares it (libpod/define/pod_inspect.go): what of its fields there is here."""

from __future__ import annotations

from rootless.engine.views.types import gotypes

TYPES = gotypes.table(
    pod__Inspect="""
        ID:Id string
        Name string
        Namespace string omitempty
        Created string
        CreateCommand []string omitempty
        ExitPolicy string
        State string
        Hostname string
        Labels map[string]string omitempty
        CreateCgroup bool
        CgroupParent string omitempty
        CgroupPath string omitempty
        CreateInfra bool
        InfraContainerID string omitempty
        InfraConfig *pod.InfraConfig omitempty
        SharedNamespaces []string omitempty
        NumContainers int
        Containers []pod.Container omitempty
        Mounts:mounts []pod.Mount omitempty
        RestartPolicy string
    """,
    pod__InfraConfig="""
        PortBindings map[string][]pod.HostPort
        HostNetwork bool
        StaticIP string
        StaticMAC string
        NoManageResolvConf bool
        DNSServer []string
        DNSSearch []string
        DNSOption []string
        NoManageHosts bool
        HostAdd []string
        Networks []string
        NetworkOptions map[string][]string
        CPUPeriod:cpu_period uint64 omitempty
        PidNS:pid_ns string omitempty
        UserNS:userns string omitempty
        UtsNS:uts_ns string omitempty
    """,
    pod__HostPort="""
        HostIP:HostIp string
        HostPort string
    """,
    pod__Container="""
        ID:Id string
        Name string
        State string
    """,
    pod__Mount="""
        Type string omitempty
        Source string
        Destination string
        RW bool
    """,
)
