/* Of ids_paths: what is asked of files, each by a directory's descriptor, a path and flags. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "ids_paths.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif
#ifndef SYS_faccessat2
#define SYS_faccessat2 439
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif

static void say_descriptor(const char *op, long fd)
{
    struct stat st;
    if (fd < 0 || CALL(SYS_fstat, fd, &st) < 0)
        return say(op, -1);
    printf("%s %u:%u %o %o\n", op, st.st_uid, st.st_gid, st.st_mode, (unsigned)fcntl((int)fd, F_GETFL) & ~0100000u);
}

static long open_how(int at, const char *path, long flags, long mode, long resolve)
{
    const uint64_t how[3] = {(uint64_t)flags | (flags & O_PATH ? 0 : O_NONBLOCK), (uint64_t)mode, (uint64_t)resolve};
    const long fd = CALL(SYS_openat2, at, path, how, sizeof how);
    /* Which of a path's faults is found first is not the same: that it leads too far, or what it leads through. */
    if (fd < 0 && resolve && (errno == EACCES || errno == EPERM || errno == ELOOP || errno == EXDEV))
        errno = EXDEV;
    return fd;
}

/* The descriptor is kept as one of the script's. */
static void keep(long number, long fd)
{
    say_descriptor("slot", fd);
    if (fd < 0)
        return;
    dup2((int)fd, SLOT((int)number));
    close((int)fd);
}

/* What is in /proc is its process's for the kernel, which knows one user. */
static bool in_proc(int at, const char *path, long flags)
{
    struct statfs fs;
    const int fd = (int)syscall(SYS_openat, at, path, O_PATH | (flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0), 0);
    const bool found = fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_type == 0x9fa0;
    close(fd);
    return found;
}

static void times(int at, const char *path, long kind, int flags)
{
    static const struct timespec given[][2] = {
        {{1, 2}, {3, 4}}, {{0, UTIME_NOW}, {0, UTIME_NOW}}, {{0, UTIME_OMIT}, {0, UTIME_OMIT}}, {{0, UTIME_NOW}, {0, UTIME_OMIT}},
        {{0, UTIME_OMIT}, {3, 4}},
    };
    say("times", CALL(SYS_utimensat, at, path, kind < 0 ? NULL : given[kind], flags));
}

/* A list that names nobody; `mask` < 0: without one. */
static size_t list_of(unsigned char to[64], long bits, long mask)
{
    static const uint16_t tags[] = {1, 4, 16, 32};
    const uint16_t values[] = {(uint16_t)(bits >> 6 & 7), (uint16_t)(bits >> 3 & 7), (uint16_t)mask, (uint16_t)(bits & 7)};
    const uint32_t version = 2, nobody = UINT32_MAX;
    unsigned char *end = to;
    memcpy(end, &version, 4), end += 4;
    for (int i = 0; i < 4; i++) {
        if (i == 2 && mask < 0)
            continue;
        memcpy(end, &tags[i], 2), memcpy(end + 2, &values[i], 2), memcpy(end + 4, &nobody, 4), end += 8;
    }
    return (size_t)(end - to);
}

/* One that names a user and a group. */
static size_t named_list(unsigned char to[64], long bits, long mask, long user, long users, long group, long groups)
{
    const struct { uint16_t tag, bits; uint32_t id; } entries[] = {
        {1, (uint16_t)(bits >> 6 & 7), ~0u}, {2, (uint16_t)users, (uint32_t)user}, {4, (uint16_t)(bits >> 3 & 7), ~0u},
        {8, (uint16_t)groups, (uint32_t)group}, {16, (uint16_t)mask, ~0u}, {32, (uint16_t)(bits & 7), ~0u},
    };
    memcpy(to, &(uint32_t){2}, 4);
    memcpy(to + 4, entries, sizeof entries);
    return 4 + sizeof entries;
}

static void show_list(const char *op, long size, const unsigned char *list)
{
    printf("%s %ld %d", op, size < 0 ? -1 : size, size < 0 ? errno : 0);
    for (long i = 4; i + 8 <= size; i += 8)
        printf(" %d:%d:%d", list[i], (int)(list[i + 4] | list[i + 5] << 8), list[i + 2]);
    putchar('\n');
}

static void mount_one(const char *kind, const char *on)
{
    if (CALL(SYS_geteuid) != 0)
        return; /* for the kernel all are root */
    if (unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
        say("mount", *kind == 't' ? mount("tmpfs", on, "tmpfs", 0, "mode=1777") : *kind == 'p' ? mount("proc", on, "proc", 0, NULL)
                     : *kind == 'r' ? (mount("d", on, NULL, MS_BIND, NULL), mount(NULL, on, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL))
                                    : mount("d", on, NULL, MS_BIND, NULL));
}

/* Names, and what they lead to. */
static int step_of_names(const struct words *w)
{
    char part[512];
    struct stat st;
    static uint32_t seen[64]; /* struct statx, which not every C library has */
    const char *op = w->path[0], *p = w->path[2], *q = w->path[4];
    const long *a = w->number;
    const int at = w->at[1], to = w->at[3];
    if (!strcmp(op, "stat"))
        say_file(op, CALL(SYS_newfstatat, at, p, &st, a[3]), &st);
    else if (!strcmp(op, "statx")) {
        const long result = CALL(SYS_statx, at, p, (int)a[3], 0x7ff, seen);
        st.st_uid = seen[5], st.st_gid = seen[6], st.st_mode = seen[7] & 0xffff, st.st_dev = makedev(seen[34], seen[35]);
        say_file(op, result, &st);
    } else if (!strcmp(op, "access"))
        in_proc(at, p, a[4]) ? (void)0 : say(op, CALL(SYS_faccessat2, at, p, a[3], (int)a[4]));
    else if (!strcmp(op, "readlink")) {
        const long size = CALL(SYS_readlinkat, at, p, part, sizeof part);
        say(op, size < 0 ? size : 0);
    } else if (!strcmp(op, "link"))
        say(op, CALL(SYS_linkat, at, p, to, q, (int)a[5]));
    else if (!strcmp(op, "rename"))
        say(op, CALL(SYS_renameat2, at, p, to, q, (unsigned)a[5]));
    else if (!strcmp(op, "unlink"))
        say(op, CALL(SYS_unlinkat, at, p, (int)a[3]));
    else if (!strcmp(op, "mkdir"))
        say(op, CALL(SYS_mkdirat, at, p, a[3]));
    else if (!strcmp(op, "mknod"))
        say(op, CALL(SYS_mknodat, at, p, a[3], a[3] & S_IFMT & ~S_IFIFO & ~S_IFREG ? 0x103 : 0));
    else if (!strcmp(op, "symlink"))
        say(op, CALL(SYS_symlinkat, w->path[3], at, p));
    else if (!strcmp(op, "chdir"))
        say(op, CALL(SYS_chdir, w->path[1]));
    else if (!strcmp(op, "fchdir"))
        say(op, CALL(SYS_fchdir, at));
    else if (!strcmp(op, "chroot"))
        CALL(SYS_geteuid) == 0 ? say(op, CALL(SYS_chroot, w->path[1])) : (void)0;
    else if (!strcmp(op, "mount"))
        mount_one(w->path[1], w->path[2]);
    else
        return 0;
    return 1;
}

static int step_of_attributes(const struct words *w)
{
    unsigned char list[64];
    char names[1024];
    const char *op = w->path[0], *p = w->path[1], *name = w->path[2];
    const long *a = w->number;
    if (!strcmp(op, "acl")) {
        const size_t size = list_of(list, a[3], a[4]);
        say(op, CALL(SYS_setxattr, p, a[2] ? "system.posix_acl_default" : "system.posix_acl_access", list, size, 0));
    } else if (!strcmp(op, "facl")) {
        const size_t size = list_of(list, a[3], a[4]);
        say(op, CALL(SYS_fsetxattr, w->at[1], a[2] ? "system.posix_acl_default" : "system.posix_acl_access", list, size, 0));
    } else if (!strcmp(op, "named") || !strcmp(op, "fnamed")) {
        const char *which = a[2] ? "system.posix_acl_default" : "system.posix_acl_access";
        const size_t size = named_list(list, a[3], a[4], strtol(w->path[5], NULL, 0), a[6], strtol(w->path[7], NULL, 0), a[6] ^ 2);
        say(op, *op == 'f' ? CALL(SYS_fsetxattr, w->at[1], which, list, size, 0) : CALL(SYS_setxattr, p, which, list, size, 0));
    } else if (!strcmp(op, "getacl")) {
        show_list(op, CALL(SYS_getxattr, p, a[2] ? "system.posix_acl_default" : "system.posix_acl_access", list, sizeof list), list);
        const long size = CALL(SYS_listxattr, p, names, sizeof names);
        int found = 0;
        for (long i = 0; i < size; i += (long)strlen(names + i) + 1)
            found += !strncmp(names + i, "system.posix_acl", 16);
        printf("lists %d\n", size < 0 ? -errno : found);
    } else if (!strcmp(op, "setx"))
        say(op, CALL(a[3] ? SYS_lsetxattr : SYS_setxattr, p, name, "v", 1, 0));
    else if (!strcmp(op, "fsetx"))
        say(op, CALL(SYS_fsetxattr, w->at[1], name, "v", 1, 0));
    else if (!strcmp(op, "removex"))
        say(op, CALL(a[3] ? SYS_lremovexattr : SYS_removexattr, p, name));
    else if (!strcmp(op, "fremovex"))
        say(op, CALL(SYS_fremovexattr, w->at[1], name));
    else if (!strcmp(op, "setcap")) { /* of version 2, unless said otherwise CAP_NET_RAW: permitted, inheritable, in force */
        const bool given = w->count > 2;
        const uint32_t data[5] = {0x02000000 | (given ? (uint32_t)a[4] : 1), given ? (uint32_t)a[2] : 1u << 13, given ? (uint32_t)a[3] : 0, 0, 0};
        say(op, CALL(SYS_setxattr, p, "security.capability", data, sizeof data, 0));
    } else if (!strcmp(op, "getcap")) {
        uint32_t data[6] = {0}; /* by descriptor: a path's bits are not asked for */
        const int fd = (int)CALL(SYS_openat, AT_FDCWD, p, O_RDONLY | O_NONBLOCK, 0);
        const long size = fd < 0 ? fd : CALL(SYS_fgetxattr, fd, "security.capability", data, sizeof data);
        close(fd);
        printf("getcap %ld %d %x %x %x\n", size, size < 0 ? errno : 0, data[0], data[1], data[2]);
    } else
        return 0;
    return 1;
}

int step_of_files(const struct words *w)
{
    const char *op = w->path[0], *p = w->path[2];
    const long *a = w->number;
    const int at = w->at[1];
    struct stat st;
    struct statfs fs;
    if (!strcmp(op, "slot"))
        keep(a[1], CALL(SYS_openat, w->at[2], w->path[3], a[4] | O_NONBLOCK | O_CLOEXEC, a[5]));
    else if (!strcmp(op, "open") || !strcmp(op, "open2")) {
        const long fd = op[4] ? open_how(at, p, a[3], a[4], a[5]) : CALL(SYS_openat, at, p, a[3] | O_NONBLOCK, a[4]);
        say_descriptor(op, fd);
        if (fd >= 0)
            close((int)fd);
    } else if (!strcmp(op, "chown"))
        in_proc(at, p, a[5]) ? (void)0 : say(op, CALL(SYS_fchownat, at, p, a[3], a[4], (int)a[5]));
    else if (!strcmp(op, "fchown"))
        say(op, CALL(SYS_fchown, at, a[2], a[3]));
    else if (!strcmp(op, "chmod"))
        in_proc(at, p, 0) ? (void)0 : say(op, CALL(SYS_fchmodat, at, p, a[3]));
    else if (!strcmp(op, "chmod2"))
        in_proc(at, p, a[4]) ? (void)0 : say(op, CALL(SYS_fchmodat2, at, p, a[3], (int)a[4]));
    else if (!strcmp(op, "fchmod"))
        say(op, CALL(SYS_fchmod, at, a[2]));
    else if (!strcmp(op, "times"))
        in_proc(at, p, a[4]) ? (void)0 : times(at, p, a[3], (int)a[4]);
    else if (!strcmp(op, "ftimes"))
        times(at, NULL, a[2], 0);
    else if (!strcmp(op, "write")) {
        say(op, write(at, "x", 1));
        say_file("then", CALL(SYS_fstat, at, &st), &st);
    } else if (!strcmp(op, "ftruncate")) {
        say(op, CALL(SYS_ftruncate, at, 2));
        say_file("then", CALL(SYS_fstat, at, &st), &st);
    } else if (!strcmp(op, "truncate"))
        say(op, CALL(SYS_truncate, w->path[1], 1));
    else if (!strcmp(op, "statfs"))
        say(op, CALL(SYS_statfs, w->path[1], &fs));
    else if (!strcmp(op, "watch")) {
        const int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        say(op, CALL(SYS_inotify_add_watch, fd, w->path[1], IN_ALL_EVENTS | (a[2] ? IN_DONT_FOLLOW : 0)));
        close(fd);
    } else
        return step_of_names(w) || step_of_attributes(w);
    return 1;
}
