/* What musl has no headers for: of <linux/seccomp.h>, <linux/filter.h>, <linux/audit.h>, <linux/openat2.h>, <linux/stat.h>. */
#ifndef ROOTLESS_IDS_KERNEL_H
#define ROOTLESS_IDS_KERNEL_H

#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

struct seccomp_data {
    int nr;
    uint32_t arch;
    uint64_t instruction_pointer;
    uint64_t args[6];
};

struct seccomp_notif {
    uint64_t id;
    uint32_t pid;
    uint32_t flags;
    struct seccomp_data data;
};

struct seccomp_notif_resp {
    uint64_t id;
    int64_t val;
    int32_t error;
    uint32_t flags;
};

struct seccomp_notif_addfd {
    uint64_t id;
    uint32_t flags, srcfd, newfd, newfd_flags;
};

#define SECCOMP_USER_NOTIF_FLAG_CONTINUE 1u
#define SECCOMP_ADDFD_FLAG_SEND 2u
#define SECCOMP_IOCTL_NOTIF_RECV _IOWR('!', 0, struct seccomp_notif)
#define SECCOMP_IOCTL_NOTIF_SEND _IOWR('!', 1, struct seccomp_notif_resp)
#define SECCOMP_IOCTL_NOTIF_ID_VALID _IOW('!', 2, uint64_t)
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS _IOW('!', 4, uint64_t)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP 1u
#define SECCOMP_IOCTL_NOTIF_ADDFD _IOW('!', 3, struct seccomp_notif_addfd)

#define SECCOMP_RET_ERRNO 0x00050000u
#define SECCOMP_RET_USER_NOTIF 0x7fc00000u
#define SECCOMP_RET_ALLOW 0x7fff0000u

struct sock_filter {
    uint16_t code;
    uint8_t jt, jf;
    uint32_t k;
};

#define BPF_LOAD 0x20u   /* a word of struct seccomp_data */
#define BPF_EQUAL 0x15u
#define BPF_AT_LEAST 0x35u
#define BPF_ANY_BIT 0x45u
#define BPF_GO 0x05u
#define BPF_RETURN 0x06u

#if defined __x86_64__
#define AUDIT_ARCH_NATIVE 0xc000003eu
#elif defined __aarch64__
#define AUDIT_ARCH_NATIVE 0xc00000b7u
#elif defined __riscv
#define AUDIT_ARCH_NATIVE 0xc00000f3u
#else
#define AUDIT_ARCH_NATIVE 0u /* not known: no filter is made */
#endif

struct open_how {
    uint64_t flags, mode, resolve;
};
#define RESOLVE_NO_XDEV 1u
#define RESOLVE_NO_MAGICLINKS 2u
#define RESOLVE_NO_SYMLINKS 4u
#define RESOLVE_BENEATH 8u
#define RESOLVE_IN_ROOT 16u

#ifndef SYS_openat2
#define SYS_openat2 437 /* these have one number on every architecture */
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
/* <linux/nsfs.h>: numbers of processes, from a pid namespace to ours and from ours to it; Linux 6.11 */
#define NS_GET_PID_FROM_PIDNS _IOR(0xb7, 6, int)
#define NS_GET_PID_IN_PIDNS _IOR(0xb7, 8, int)
#ifndef SYS_faccessat2
#define SYS_faccessat2 439
#endif
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

/* statx(2): 256 bytes, of which these are ours to know. */
struct statx_buffer {
    uint32_t mask, blksize;
    uint64_t attributes;
    uint32_t nlink, uid, gid;
    uint16_t mode, spare;
    uint64_t ino, size, blocks, attributes_mask;
    struct {
        int64_t seconds;
        uint32_t nanoseconds, spare;
    } atime, btime, ctime, mtime;
    uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
    uint64_t mount;
    uint8_t rest[104];
};
#ifndef STATX_UID
#define STATX_UID 0x8u
#define STATX_GID 0x10u
#endif
#define STATX_BIRTH 0x800u
#define STATX_MOUNT 0x1000u
#ifndef AT_STATX_SYNC_TYPE
#define AT_STATX_SYNC_TYPE 0x6000
#endif

#endif
