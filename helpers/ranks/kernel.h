/* What musl's headers lack of the kernel's (UAPI), by the kernel's names. The same numbers on every architecture. */
#ifndef ROOTLESS_RANKS_KERNEL_H
#define ROOTLESS_RANKS_KERNEL_H

#include <stdint.h>

#define SECCOMP_SET_MODE_FILTER 1 /* linux/seccomp.h */
#define KEYCTL_JOIN_SESSION_KEYRING 1 /* linux/keyctl.h */
#define CAPABILITY_VERSION_3 0x20080522u /* linux/capability.h */
#define CAPABILITY_SYS_ADMIN 21
#define RESOLVE_NO_MAGICLINKS 0x02 /* linux/openat2.h */
#define RESOLVE_IN_ROOT 0x10
#define CLOSE_RANGE_SET_CLOEXEC 4u /* linux/close_range.h */
#define MEMFD_CLOEXEC 1u /* linux/memfd.h */
#define MEMFD_ALLOW_SEALING 2u
#define MEMFD_EXEC 0x10u
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80 /* linux/sched.h */
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif

struct capability_header {
    uint32_t version;
    int pid;
};

struct capability_data {
    uint32_t effective, permitted, inheritable;
};

struct filter_program {
    unsigned short length; /* instructions, of 8 bytes */
    void *filter;
};

struct open_options {
    uint64_t flags, mode, resolve;
};

#endif
