/* Of linux/netlink.h, linux/rtnetlink.h and linux/if_addr.h what route.c needs: the C library does not bring them. */
#ifndef ROOTLESS_NETD_RTNETLINK_H
#define ROOTLESS_NETD_RTNETLINK_H

#include <stdint.h>

#define NETLINK_ROUTE 0
#define NLM_F_REQUEST 1
#define NLM_F_DUMP 0x300

enum { NLMSG_ERROR = 2, RTM_NEWADDR = 20, RTM_GETADDR = 22, RTM_NEWROUTE = 24, RTM_GETROUTE = 26 };
enum { RTN_UNICAST = 1, RTN_LOCAL, RTN_BROADCAST, RTN_ANYCAST, RTN_MULTICAST };
enum { RTA_DST = 1, RTA_OIF = 4, RTA_GATEWAY = 5, RTA_VIA = 18 };
enum { IFA_ADDRESS = 1, IFA_LOCAL };

struct nlmsghdr {
    uint32_t nlmsg_len;
    uint16_t nlmsg_type, nlmsg_flags;
    uint32_t nlmsg_seq, nlmsg_pid;
};

struct rtmsg {
    uint8_t rtm_family, rtm_dst_len, rtm_src_len, rtm_tos, rtm_table, rtm_protocol, rtm_scope, rtm_type;
    uint32_t rtm_flags;
};

struct ifaddrmsg {
    uint8_t ifa_family, ifa_prefixlen, ifa_flags, ifa_scope;
    uint32_t ifa_index;
};

struct rtattr {
    uint16_t rta_len, rta_type;
};

/* Everything in a message begins at a multiple of four. */
#define NLMSG_ALIGN(size) (((size) + 3) & ~(size_t)3)

#endif
