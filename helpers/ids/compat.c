/* The calls of 32-bit x86 programs, which a 64-bit one makes by `int 0x80` as well: other numbers, and other structures. The
   same functions answer them. */

#include "compat.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define OVERFLOW_ID 65534u

#ifdef __x86_64__
/* By their numbers there, ascending: the filter finds them in steps. */
const struct compat compat_calls[] = {
    {5, SYS_open, NARROW}, {8, SYS_creat, NARROW}, {9, SYS_link, NARROW}, {10, SYS_unlink, NARROW}, {11, SYS_execve, NARROW},
    {12, SYS_chdir, NARROW}, {14, SYS_mknod, NARROW}, {15, SYS_chmod, NARROW}, {16, SYS_lchown, HALF}, {18, NOT_ANSWERED, HALF},
    {23, SYS_setuid, HALF}, {24, SYS_getuid, HALF}, {26, SYS_ptrace, NARROW}, {28, NOT_ANSWERED, HALF}, {30, SYS_utime, NARROW},
    {33, SYS_access, NARROW}, {37, SYS_kill, NARROW}, {38, SYS_rename, NARROW}, {39, SYS_mkdir, NARROW}, {40, SYS_rmdir, NARROW},
    {46, SYS_setgid, HALF}, {47, SYS_getgid, HALF}, {49, SYS_geteuid, HALF}, {50, SYS_getegid, HALF}, {61, SYS_chroot, NARROW},
    {70, SYS_setreuid, HALF}, {71, SYS_setregid, HALF}, {75, SYS_setrlimit, NARROW}, {80, SYS_getgroups, HALF},
    {81, SYS_setgroups, HALF}, {83, SYS_symlink, NARROW}, {84, NOT_ANSWERED, HALF}, {85, SYS_readlink, NARROW},
    {92, SYS_truncate, NARROW}, {94, SYS_fchmod, NARROW}, {95, SYS_fchown, HALF}, {97, SYS_setpriority, NARROW}, {99, SYS_statfs, NARROW},
    {SOCKET_CALL, SOCKET_CALL_OF_ANY, NARROW}, {106, SYS_stat, HALF}, {107, SYS_lstat, HALF}, {108, SYS_fstat, HALF},
    {120, SYS_clone, NARROW}, {133, SYS_fchdir, NARROW}, {138, SYS_setfsuid, HALF}, {139, SYS_setfsgid, HALF},
    {154, SYS_sched_setparam, NARROW}, {156, SYS_sched_setscheduler, NARROW}, {164, SYS_setresuid, HALF}, {165, SYS_getresuid, HALF}, {170, SYS_setresgid, HALF}, {171, SYS_getresgid, HALF},
    {172, SYS_prctl, NARROW}, {178, SYS_rt_sigqueueinfo, NARROW}, {182, SYS_chown, HALF}, {184, SYS_capget, NARROW},
    {185, SYS_capset, NARROW}, {193, SYS_truncate, NARROW}, {195, SYS_stat, NARROW}, {196, SYS_lstat, NARROW},
    {197, SYS_fstat, NARROW}, {198, SYS_lchown, NARROW}, {199, SYS_getuid, NARROW}, {200, SYS_getgid, NARROW},
    {201, SYS_geteuid, NARROW}, {202, SYS_getegid, NARROW}, {203, SYS_setreuid, NARROW}, {204, SYS_setregid, NARROW},
    {205, SYS_getgroups, NARROW}, {206, SYS_setgroups, NARROW}, {207, SYS_fchown, NARROW}, {208, SYS_setresuid, NARROW},
    {209, SYS_getresuid, NARROW}, {210, SYS_setresgid, NARROW}, {211, SYS_getresgid, NARROW}, {212, SYS_chown, NARROW},
    {213, SYS_setuid, NARROW}, {214, SYS_setgid, NARROW}, {215, SYS_setfsuid, NARROW}, {216, SYS_setfsgid, NARROW},
    {217, SYS_pivot_root, NARROW}, {226, SYS_setxattr, NARROW}, {227, SYS_lsetxattr, NARROW}, {228, SYS_fsetxattr, NARROW},
    {229, SYS_getxattr, NARROW}, {230, SYS_lgetxattr, NARROW}, {231, SYS_fgetxattr, NARROW}, {232, SYS_listxattr, NARROW},
    {233, SYS_llistxattr, NARROW}, {234, SYS_flistxattr, NARROW}, {235, SYS_removexattr, NARROW}, {236, SYS_lremovexattr, NARROW}, {237, SYS_fremovexattr, NARROW}, {238, SYS_tkill, NARROW},
    {241, SYS_sched_setaffinity, NARROW}, {268, SYS_statfs, NARROW}, {270, SYS_tgkill, NARROW}, {271, SYS_utimes, NARROW}, {289, SYS_ioprio_set, NARROW}, {292, SYS_inotify_add_watch, NARROW},
    {295, SYS_openat, NARROW}, {296, SYS_mkdirat, NARROW}, {297, SYS_mknodat, NARROW}, {298, SYS_fchownat, NARROW},
    {299, SYS_futimesat, NARROW}, {300, SYS_newfstatat, NARROW}, {301, SYS_unlinkat, NARROW}, {302, SYS_renameat, NARROW},
    {303, SYS_linkat, NARROW}, {304, SYS_symlinkat, NARROW}, {305, SYS_readlinkat, NARROW}, {306, SYS_fchmodat, NARROW},
    {307, SYS_faccessat, NARROW}, {310, SYS_unshare, NARROW}, {320, SYS_utimensat, NARROW}, {335, SYS_rt_tgsigqueueinfo, NARROW},
    {340, SYS_prlimit64, NARROW}, {346, SYS_setns, NARROW}, {347, SYS_process_vm_readv, NARROW}, {348, SYS_process_vm_writev, NARROW},
    {351, SYS_sched_setattr, NARROW}, {353, SYS_renameat2, NARROW}, {358, SYS_execveat, NARROW}, {361, SYS_bind, NARROW}, {362, SYS_connect, NARROW},
    {365, SYS_getsockopt, NARROW}, {383, SYS_statx, NARROW}, {412, SYS_utimensat, WIDE}, {SYS_pidfd_send_signal, SYS_pidfd_send_signal, NARROW},
    {SYS_clone3, SYS_clone3, NARROW}, {SYS_openat2, SYS_openat2, NARROW}, {SYS_pidfd_getfd, SYS_pidfd_getfd, NARROW},
    {SYS_faccessat2, SYS_faccessat2, NARROW}, {SYS_fchmodat2, SYS_fchmodat2, NARROW},
};
const size_t compat_count = sizeof compat_calls / sizeof *compat_calls;
#else
const struct compat compat_calls[1];
const size_t compat_count = 0;
#endif

/* -1 of 16 bits leaves an id as it is. */
static uint32_t of_half(uint32_t id)
{
    return (id & 0xffff) == 0xffff ? NO_ID : id & 0xffff;
}

uint32_t half_of(uint32_t id)
{
    return id > 0xffff ? OVERFLOW_ID : id;
}

/* socketcall(2): which it is, and where its arguments are. CONTINUE, or GONE, or the native number. */
static int64_t unpack(const struct request *r, uint64_t args[6])
{
    const uint64_t which = args[0];
    uint32_t words[5] = {0};
    const size_t count = which == SOCKET_OPTION ? 5 : 3;
    int64_t result = request_read(r, args[1], words, count * sizeof *words);
    if (result < 0)
        return result == GONE ? GONE : CONTINUE; /* the error is the kernel's to tell */
    for (size_t i = 0; i < count; i++)
        args[i] = words[i];
    return which == SOCKET_BIND ? SYS_bind : which == SOCKET_CONNECT ? SYS_connect : which == SOCKET_OPTION ? SYS_getsockopt : CONTINUE;
}

static bool has_ids(int nr, int *from, int *to)
{
#ifdef __x86_64__
    *from = nr == SYS_chown || nr == SYS_lchown || nr == SYS_fchown;
    *to = 2;
    return *from || nr == SYS_setuid || nr == SYS_setgid || nr == SYS_setreuid || nr == SYS_setregid || nr == SYS_setresuid ||
           nr == SYS_setresgid || nr == SYS_setfsuid || nr == SYS_setfsgid;
#else
    (void)nr, (void)from, (void)to;
    return false;
#endif
}

int64_t compat_answer(const struct request *r)
{
    const struct compat *call = NULL;
    uint64_t args[6];
    int from, to;
    for (size_t i = 0; i < compat_count && !call; i++)
        if (compat_calls[i].nr == r->nr)
            call = &compat_calls[i];
    if (!call)
        return CONTINUE;
    for (int i = 0; i < 6; i++)
        args[i] = (uint32_t)r->args[i]; /* what a 64-bit program leaves above them the kernel does not look at */
    struct request as = {r->listener, r->id, r->task, call->native, args, call->form};
    if (call->native == SOCKET_CALL_OF_ANY) {
        int64_t native = unpack(r, args);
        if (native < 0)
            return native;
        as.nr = (int)native;
        if (as.nr == SYS_getsockopt && (args[1] != SOL_SOCKET || args[2] != SO_PEERCRED))
            return CONTINUE;
    }
    if (call->form == HALF && has_ids(as.nr, &from, &to))
        for (int i = from; i <= to; i++)
            args[i] = of_half((uint32_t)args[i]);
    return answer(&as);
}

/* As the kernel has them for these programs. */
struct __attribute__((packed)) stat_64 {
    uint64_t dev;
    uint32_t pad0, low_ino, mode, nlink, uid, gid;
    uint64_t rdev;
    uint32_t pad3;
    int64_t size;
    uint32_t blksize;
    int64_t blocks;
    uint32_t atime, atime_ns, mtime, mtime_ns, ctime, ctime_ns;
    uint64_t ino;
};
_Static_assert(sizeof(struct stat_64) == 96, "struct stat64 of arch/x86/include/asm/sys_ia32.h");

struct stat_32 {
    uint32_t dev, ino;
    uint16_t mode, nlink, uid, gid;
    uint32_t rdev, size, blksize, blocks, atime, atime_ns, mtime, mtime_ns, ctime, ctime_ns, unused[2];
};
_Static_assert(sizeof(struct stat_32) == 64, "struct compat_stat of arch/x86/include/asm/compat.h");

int64_t compat_write_stat(const struct request *r, uint64_t address, const struct stat *st)
{
    const uint32_t atime = (uint32_t)st->st_atim.tv_sec, mtime = (uint32_t)st->st_mtim.tv_sec, ctime = (uint32_t)st->st_ctim.tv_sec;
    const uint32_t atime_ns = (uint32_t)st->st_atim.tv_nsec, mtime_ns = (uint32_t)st->st_mtim.tv_nsec, ctime_ns = (uint32_t)st->st_ctim.tv_nsec;
    if (r->form == HALF) {
        const struct stat_32 old = {
            (uint32_t)st->st_dev, (uint32_t)st->st_ino, (uint16_t)st->st_mode, (uint16_t)st->st_nlink, (uint16_t)half_of(st->st_uid),
            (uint16_t)half_of(st->st_gid), (uint32_t)st->st_rdev, (uint32_t)st->st_size, (uint32_t)st->st_blksize,
            (uint32_t)st->st_blocks, atime, atime_ns, mtime, mtime_ns, ctime, ctime_ns, {0, 0},
        };
        if (old.ino != st->st_ino || old.nlink != st->st_nlink || (uint64_t)st->st_size > INT32_MAX)
            return -EOVERFLOW;
        return request_write(r, address, &old, sizeof old);
    }
    const struct stat_64 now = {
        st->st_dev, 0, (uint32_t)st->st_ino, st->st_mode, (uint32_t)st->st_nlink, st->st_uid, st->st_gid, st->st_rdev, 0,
        st->st_size, (uint32_t)st->st_blksize, st->st_blocks, atime, atime_ns, mtime, mtime_ns, ctime, ctime_ns, st->st_ino,
    };
    return request_write(r, address, &now, sizeof now);
}
