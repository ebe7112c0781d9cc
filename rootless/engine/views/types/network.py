"""NetworkSettings, a container's ports and networks, and Network, as moby 28 declares them (API v1.51).

Held against the schema of Docker's API by tests/engine/test_docker_types.py.
"""

from __future__ import annotations

from rootless.engine.views.types import gotypes

TYPES = gotypes.table(
    nat__PortBinding="""
        HostIP:HostIp string
        HostPort string
    """,
    container__NetworkSettings="""
        Bridge string
        SandboxID string
        SandboxKey string
        Ports map[string][]nat.PortBinding
        HairpinMode bool
        LinkLocalIPv6Address string
        LinkLocalIPv6PrefixLen int
        SecondaryIPAddresses []network.Address
        SecondaryIPv6Addresses []network.Address
        EndpointID string
        Gateway string
        GlobalIPv6Address string
        GlobalIPv6PrefixLen int
        IPAddress string
        IPPrefixLen int
        IPv6Gateway string
        MacAddress string
        Networks map[string]*network.EndpointSettings
    """,
    network__Address="""
        Addr string
        PrefixLen int
    """,
    network__EndpointSettings="""
        IPAMConfig *network.EndpointIPAMConfig
        Links []string
        Aliases []string
        MacAddress string
        DriverOpts map[string]string
        GwPriority int
        NetworkID string
        EndpointID string
        Gateway string
        IPAddress string
        IPPrefixLen int
        IPv6Gateway string
        GlobalIPv6Address string
        GlobalIPv6PrefixLen int
        DNSNames []string
    """,
    network__EndpointIPAMConfig="""
        IPv4Address string omitempty
        IPv6Address string omitempty
        LinkLocalIPs []string omitempty
    """,
    network__Inspect="""
        Name string
        ID:Id string
        Created string
        Scope string
        Driver string
        EnableIPv4 bool
        EnableIPv6 bool
        IPAM network.IPAM
        Internal bool
        Attachable bool
        Ingress bool
        ConfigFrom network.ConfigReference
        ConfigOnly bool
        Containers map[string]network.EndpointResource
        Options map[string]string
        Labels map[string]string
    """,
    network__IPAM="""
        Driver string
        Options map[string]string
        Config []network.IPAMConfig
    """,
    network__IPAMConfig="""
        Subnet string omitempty
        IPRange string omitempty
        Gateway string omitempty
        AuxAddress:AuxiliaryAddresses map[string]string omitempty
    """,
    network__ConfigReference="""
        Network string
    """,
    network__EndpointResource="""
        Name string
        EndpointID string
        MacAddress string
        IPv4Address string
        IPv6Address string
    """,
)
