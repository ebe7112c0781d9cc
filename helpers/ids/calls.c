#include "ids.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>

/* The most frequent first: the filter looks at one after the other. What is not here costs nothing, for the kernel
   keeps in mind which calls a filter always allows. */
#define EACH(number, level, function) {(number), (level), ALWAYS, 0, 0, 0, 0, (function)}
#define BITS(number, level, argument, bits, function) {(number), (level), ANY_BIT, (argument), (bits), 0, 0, (function)}
/* glibc's realpath(3) asks of each part of a path whether it is a link, with this size: most of all calls of a compiler. */
#define REALPATH_SIZE 1023u
#define NEW_MOUNTS 0x00020000u /* CLONE_NEWNS */

const struct call calls[] = {
    EACH(SYS_openat, LEVEL_FULL, call_open),
    EACH(SYS_newfstatat, LEVEL_FULL, call_stat),
    EACH(SYS_fstat, LEVEL_FULL, call_stat),
    BITS(SYS_statx, LEVEL_FULL, 3, STATX_UID | STATX_GID, call_statx),
#ifdef SYS_readlink
    {SYS_readlink, LEVEL_FULL, UNLESS, 2, REALPATH_SIZE, 0, 0, call_look},
#endif
    {SYS_readlinkat, LEVEL_FULL, UNLESS, 3, REALPATH_SIZE, 0, 0, call_look},
    EACH(SYS_execve, LEVEL_FULL, call_execute),
    EACH(SYS_execveat, LEVEL_FULL, call_execute),
    EACH(SYS_faccessat, LEVEL_FULL, call_access),
    EACH(SYS_faccessat2, LEVEL_FULL, call_access),
    EACH(SYS_unlinkat, LEVEL_FULL, call_remove),
    EACH(SYS_renameat2, LEVEL_FULL, call_rename),
#ifdef SYS_renameat
    EACH(SYS_renameat, LEVEL_FULL, call_rename),
#endif
    EACH(SYS_linkat, LEVEL_FULL, call_link),
    EACH(SYS_chdir, LEVEL_FULL, call_access),
    EACH(SYS_truncate, LEVEL_FULL, call_access),
    EACH(SYS_openat2, LEVEL_FULL, call_open_how),
    EACH(SYS_mkdirat, LEVEL_FULL, call_make),
    EACH(SYS_symlinkat, LEVEL_FULL, call_make),
    EACH(SYS_mknodat, LEVEL_FULL, call_make),
    EACH(SYS_bind, LEVEL_FULL, call_bind),
    EACH(SYS_utimensat, LEVEL_FULL, call_times),
    EACH(SYS_fchmod, LEVEL_FULL, call_chmod),
    EACH(SYS_fchmodat, LEVEL_FULL, call_chmod),
    EACH(SYS_fchmodat2, LEVEL_FULL, call_chmod),
#ifdef SYS_open
    EACH(SYS_stat, LEVEL_FULL, call_stat),
    EACH(SYS_lstat, LEVEL_FULL, call_stat),
    EACH(SYS_open, LEVEL_FULL, call_open),
    EACH(SYS_access, LEVEL_FULL, call_access),
    EACH(SYS_unlink, LEVEL_FULL, call_remove),
    EACH(SYS_rmdir, LEVEL_FULL, call_remove),
    EACH(SYS_rename, LEVEL_FULL, call_rename),
    EACH(SYS_link, LEVEL_FULL, call_link),
    EACH(SYS_creat, LEVEL_FULL, call_create),
    EACH(SYS_mkdir, LEVEL_FULL, call_make),
    EACH(SYS_symlink, LEVEL_FULL, call_make),
    EACH(SYS_mknod, LEVEL_FULL, call_make),
    EACH(SYS_chmod, LEVEL_FULL, call_chmod),
    EACH(SYS_utime, LEVEL_FULL, call_times),
    EACH(SYS_utimes, LEVEL_FULL, call_times),
    EACH(SYS_futimesat, LEVEL_FULL, call_times),
    EACH(SYS_chown, LEVEL_FAKE, call_chown),
    EACH(SYS_lchown, LEVEL_FAKE, call_chown),
#endif
    EACH(SYS_fchown, LEVEL_FAKE, call_chown),
    EACH(SYS_fchownat, LEVEL_FAKE, call_chown),
    EACH(SYS_getuid, LEVEL_IDS, call_get_id),
    EACH(SYS_geteuid, LEVEL_IDS, call_get_id),
    EACH(SYS_getgid, LEVEL_IDS, call_get_id),
    EACH(SYS_getegid, LEVEL_IDS, call_get_id),
    EACH(SYS_getresuid, LEVEL_IDS, call_get_three),
    EACH(SYS_getresgid, LEVEL_IDS, call_get_three),
    EACH(SYS_getgroups, LEVEL_IDS, call_get_groups),
    EACH(SYS_setuid, LEVEL_FAKE, call_set_ids),
    EACH(SYS_setgid, LEVEL_FAKE, call_set_ids),
    EACH(SYS_setreuid, LEVEL_FAKE, call_set_ids),
    EACH(SYS_setregid, LEVEL_FAKE, call_set_ids),
    EACH(SYS_setresuid, LEVEL_FAKE, call_set_ids),
    EACH(SYS_setresgid, LEVEL_FAKE, call_set_ids),
    EACH(SYS_setfsuid, LEVEL_FAKE, call_set_ids),
    EACH(SYS_setfsgid, LEVEL_FAKE, call_set_ids),
    EACH(SYS_setgroups, LEVEL_FAKE, call_set_groups),
    EACH(SYS_capset, LEVEL_IDS, call_set_capabilities),
    EACH(SYS_capget, LEVEL_IDS, call_get_capabilities),
    EACH(SYS_setxattr, LEVEL_IDS, call_set_attribute),
    EACH(SYS_lsetxattr, LEVEL_IDS, call_set_attribute),
    EACH(SYS_fsetxattr, LEVEL_IDS, call_set_attribute),
    {SYS_getsockopt, LEVEL_IDS, EQUAL_TWO, 1, SOL_SOCKET, 2, SO_PEERCRED, call_peer},
    EACH(SYS_getxattr, LEVEL_IDS, call_get_attribute),
    EACH(SYS_lgetxattr, LEVEL_IDS, call_get_attribute),
    EACH(SYS_fgetxattr, LEVEL_IDS, call_get_attribute),
    EACH(SYS_listxattr, LEVEL_IDS, call_list_attributes),
    EACH(SYS_llistxattr, LEVEL_IDS, call_list_attributes),
    EACH(SYS_flistxattr, LEVEL_IDS, call_list_attributes),
    EACH(SYS_removexattr, LEVEL_FULL, call_remove_attribute),
    EACH(SYS_lremovexattr, LEVEL_FULL, call_remove_attribute),
    EACH(SYS_fremovexattr, LEVEL_FULL, call_remove_attribute),
    EACH(SYS_connect, LEVEL_FULL, call_connect),
    EACH(SYS_fchdir, LEVEL_FULL, call_look),
    EACH(SYS_statfs, LEVEL_FULL, call_look),
    EACH(SYS_inotify_add_watch, LEVEL_FULL, call_look),
    EACH(SYS_kill, LEVEL_FULL, call_signal),
    EACH(SYS_tkill, LEVEL_FULL, call_signal),
    EACH(SYS_tgkill, LEVEL_FULL, call_signal),
    EACH(SYS_rt_sigqueueinfo, LEVEL_FULL, call_signal),
    EACH(SYS_rt_tgsigqueueinfo, LEVEL_FULL, call_signal),
    EACH(SYS_pidfd_send_signal, LEVEL_FULL, call_signal),
    EACH(SYS_process_vm_readv, LEVEL_FULL, call_trace),
    EACH(SYS_process_vm_writev, LEVEL_FULL, call_trace),
    EACH(SYS_pidfd_getfd, LEVEL_FULL, call_trace),
    {SYS_ptrace, LEVEL_FULL, EITHER, 0, PTRACE_ATTACH, 0, PTRACE_SEIZE, call_trace},
    EACH(SYS_setpriority, LEVEL_FULL, call_priority),
    EACH(SYS_ioprio_set, LEVEL_FULL, call_priority),
    EACH(SYS_sched_setaffinity, LEVEL_FULL, call_priority),
    EACH(SYS_sched_setscheduler, LEVEL_FULL, call_priority),
    EACH(SYS_sched_setparam, LEVEL_FULL, call_priority),
    EACH(SYS_sched_setattr, LEVEL_FULL, call_priority),
    EACH(SYS_chroot, LEVEL_FULL, call_leave_root),
    EACH(SYS_pivot_root, LEVEL_FULL, call_leave_root),
    EACH(SYS_setns, LEVEL_FULL, call_leave_root),
    EACH(SYS_clone3, LEVEL_FULL, call_leave_root),
    BITS(SYS_clone, LEVEL_FULL, 0, NEW_MOUNTS, call_leave_root),
    BITS(SYS_unshare, LEVEL_FULL, 0, NEW_MOUNTS, call_leave_root),
    {SYS_prctl, LEVEL_IDS, EITHER, 0, PR_SET_KEEPCAPS, 0, PR_CAP_AMBIENT, call_control},
    /* Programs that log users in set every limit there is, and this one is not theirs to set. */
    {SYS_prlimit64, LEVEL_IDS, LIMIT, 1, RLIMIT_RTTIME, 2, 0, call_priority},
#ifdef SYS_setrlimit
    {SYS_setrlimit, LEVEL_IDS, SILENT, 0, RLIMIT_RTTIME, 0, 0, NULL},
#endif
};
const size_t call_count = sizeof calls / sizeof *calls;

int64_t answer(const struct request *r)
{
    executions_settle(r);
    sockets_settle(r);
    for (size_t i = 0; i < call_count; i++)
        if (calls[i].nr == r->nr && calls[i].function)
            return calls[i].function(r);
    return CONTINUE;
}
