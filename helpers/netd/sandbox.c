#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hub.h"

/* The C library brings none of the kernel's headers: what follows is of linux/landlock.h, linux/seccomp.h,
   linux/filter.h and linux/capability.h. System calls since 424 have the same number on every architecture. */
#define SYS_LANDLOCK_CREATE_RULESET 444
#define SYS_LANDLOCK_ADD_RULE 445
#define SYS_LANDLOCK_RESTRICT_SELF 446
#define LANDLOCK_CREATE_RULESET_VERSION 1
#define LANDLOCK_RULE_PATH_BENEATH 1
#define LANDLOCK_ACCESS_FS_WRITE_FILE (1ull << 1)
#define LANDLOCK_ACCESS_FS_READ_FILE (1ull << 2)
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ull << 15)
#define LANDLOCK_SCOPES 3ull /* no abstract Unix socket and no signal to anybody outside */

struct landlock_ruleset {
    uint64_t fs, net, scoped;
};

struct landlock_path_beneath {
    uint64_t allowed_access;
    int32_t parent_fd;
} __attribute__((packed));

#define SECCOMP_SET_MODE_FILTER 1
#define SECCOMP_FILTER_FLAG_TSYNC 1
#define SECCOMP_RET_ERRNO 0x00050000u
#define SECCOMP_RET_ALLOW 0x7fff0000u

struct instruction {
    uint16_t code;
    uint8_t jump_true, jump_false;
    uint32_t operand;
};

struct program {
    uint16_t length;
    const struct instruction *instructions;
};

enum { LOAD = 0x20, JUMP_IF_EQUAL = 0x15, RETURN = 0x06 };
enum { DATA_NUMBER = 0, DATA_ARCHITECTURE = 4, DATA_FIRST_ARGUMENT = 16 }; /* in struct seccomp_data */

#if defined(__x86_64__)
#define ARCHITECTURE 0xc000003eu
#elif defined(__aarch64__)
#define ARCHITECTURE 0xc00000b7u
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCHITECTURE 0xc00000f3u
#endif

#ifdef ARCHITECTURE
/* What the loop, the resolver, the relays and the gate call; nothing that starts a program, enters a namespace, looks
   into a process, or makes a file. */
static const int allowed[] = {
    SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_close, SYS_fcntl, SYS_ioctl, SYS_openat, SYS_fstat,
    SYS_bind, SYS_listen, SYS_accept4, SYS_connect, SYS_getsockname, SYS_getpeername, SYS_getsockopt,
    SYS_setsockopt, SYS_shutdown, SYS_sendto, SYS_sendmsg, SYS_recvfrom, SYS_recvmsg, SYS_splice, SYS_pipe2,
    SYS_epoll_ctl, SYS_epoll_pwait, SYS_ppoll, SYS_futex, SYS_clock_gettime, SYS_getrandom, SYS_newfstatat,
    SYS_mmap, SYS_munmap, SYS_mprotect, SYS_mremap, SYS_madvise, SYS_brk, SYS_getpid, SYS_gettid, SYS_geteuid,
    SYS_prlimit64, SYS_exit, SYS_exit_group, SYS_rt_sigreturn, SYS_rt_sigprocmask, SYS_restart_syscall,
#ifdef SYS_open
    SYS_open, SYS_stat, SYS_epoll_wait, SYS_poll, SYS_getrlimit, /* the older half of x86-64 */
#endif
#ifdef SYS_statx
    SYS_statx,
#endif
};
enum { ALLOWED = sizeof allowed / sizeof *allowed };

/* What socket(2) may make. No AF_UNIX: behind such sockets of the user's are programs that do whatever they are told, of his
   session and ours, and Landlock lets everybody connect to those that have a path. */
static const int families[] = {AF_INET, AF_INET6, AF_NETLINK};
enum { FAMILIES = sizeof families / sizeof *families };
#endif

/* Without it the kernel takes neither of the two from a process that is not its administrator. */
static int give_up_privileges(void *unused)
{
    (void)unused;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* Of the capabilities in the session, those that sockets in the hub need. */
static int keep_capabilities(void *unused)
{
    enum { NET_BIND_SERVICE = 10, NET_ADMIN = 12, NET_RAW = 13 };
    static const uint32_t kept = 1u << NET_BIND_SERVICE | 1u << NET_ADMIN | 1u << NET_RAW;
    struct {
        uint32_t version;
        int pid;
    } header = {.version = 0x20080522, .pid = 0};
    struct {
        uint32_t effective, permitted, inheritable;
    } data[2] = {{kept, kept, 0}, {0, 0, 0}};
    (void)unused;
    return (int)syscall(SYS_capset, &header, data);
}

static void allow(int ruleset, const char *path, uint64_t access)
{
    struct landlock_path_beneath rule = {.allowed_access = access, .parent_fd = open(path, O_PATH | O_CLOEXEC)};
    if (rule.parent_fd < 0)
        return;
    syscall(SYS_LANDLOCK_ADD_RULE, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    close(rule.parent_fd);
}

static void allow_directory_of(int ruleset, const char *path)
{
    char directory[PATH_MAX];
    const char *slash = path ? strrchr(path, '/') : NULL;
    size_t length = slash ? (size_t)(slash - path) : 0;
    if (!length || length >= sizeof directory)
        return;
    memcpy(directory, path, length);
    directory[length] = 0;
    allow(ruleset, directory, LANDLOCK_ACCESS_FS_READ_FILE);
}

/* Files: where resolv.conf is, and what it may become a link to while we run; and the device of the gate. */
static int make_ruleset(const char *resolv_conf)
{
    static const char *const readable[] = {"/etc", "/run", "/usr/lib", "/var/run"};
    long version = syscall(SYS_LANDLOCK_CREATE_RULESET, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1)
        return -1;
    /* Each version knows more kinds of access; those that we name are all that it knows. */
    const int bits = version >= 5 ? 16 : version >= 3 ? 15 : version == 2 ? 14 : 13;
    struct landlock_ruleset attributes = {.fs = (1ull << bits) - 1, .scoped = version >= 6 ? LANDLOCK_SCOPES : 0};
    size_t size = version >= 6 ? sizeof attributes : version >= 4 ? 16 : 8;
    int ruleset = (int)syscall(SYS_LANDLOCK_CREATE_RULESET, &attributes, size, 0);
    if (ruleset < 0)
        return -1;
    for (size_t i = 0; i < sizeof readable / sizeof *readable; i++)
        allow(ruleset, readable[i], LANDLOCK_ACCESS_FS_READ_FILE);
    allow_directory_of(ruleset, resolv_conf);
    allow_directory_of(ruleset, realpath(resolv_conf, NULL));
    uint64_t device = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE;
    allow(ruleset, "/dev/net/tun", device | (version >= 5 ? LANDLOCK_ACCESS_FS_IOCTL_DEV : 0));
    return ruleset;
}

static int restrict_files(void *ruleset)
{
    return (int)syscall(SYS_LANDLOCK_RESTRICT_SELF, *(int *)ruleset, 0);
}

static void restrict_calls(void)
{
#ifdef ARCHITECTURE
    struct instruction filter[ALLOWED + FAMILIES + 9];
    size_t n = 0;
    filter[n++] = (struct instruction){LOAD, 0, 0, DATA_ARCHITECTURE};
    filter[n++] = (struct instruction){JUMP_IF_EQUAL, 1, 0, ARCHITECTURE};
    filter[n++] = (struct instruction){RETURN, 0, 0, SECCOMP_RET_ERRNO | ENOSYS};
    filter[n++] = (struct instruction){LOAD, 0, 0, DATA_NUMBER};
    filter[n++] = (struct instruction){JUMP_IF_EQUAL, 0, FAMILIES + 2, SYS_socket};
    filter[n++] = (struct instruction){LOAD, 0, 0, DATA_FIRST_ARGUMENT};
    for (size_t i = 0; i < FAMILIES; i++)
        filter[n++] = (struct instruction){JUMP_IF_EQUAL, (uint8_t)(FAMILIES - i + ALLOWED + 1), 0, (uint32_t)families[i]};
    filter[n++] = (struct instruction){RETURN, 0, 0, SECCOMP_RET_ERRNO | EAFNOSUPPORT};
    for (size_t i = 0; i < ALLOWED; i++)
        filter[n++] = (struct instruction){JUMP_IF_EQUAL, (uint8_t)(ALLOWED - i), 0, (uint32_t)allowed[i]};
    filter[n++] = (struct instruction){RETURN, 0, 0, SECCOMP_RET_ERRNO | ENOSYS};
    filter[n++] = (struct instruction){RETURN, 0, 0, SECCOMP_RET_ALLOW};
    struct program program = {.length = (uint16_t)n, .instructions = filter};
    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
#endif
}

/* Capabilities and files are each thread's own; the filter goes to both at once. */
void sandbox_enter(const char *resolv_conf)
{
    int ruleset = make_ruleset(resolv_conf);
    give_up_privileges(NULL);
    hub_call(give_up_privileges, NULL);
    if (ruleset >= 0) {
        restrict_files(&ruleset);
        hub_call(restrict_files, &ruleset);
        close(ruleset);
    }
    keep_capabilities(NULL);
    hub_call(keep_capabilities, NULL);
    restrict_calls();
}
