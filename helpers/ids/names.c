/* Names of files, taken away, moved and added by a user who is not root; and access(2). */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "create.h"
#include "search.h"

#define DONT_FOLLOW 0x02000000u /* IN_DONT_FOLLOW */
#define RENAME_NOREPLACE 1u /* of <stdio.h>, which brings much else */
#define RENAME_EXCHANGE 2u
#define RENAME_WHITEOUT 4u

bool read_only(int fd)
{
    struct statvfs fs;
    return fstatvfs(fd, &fs) == 0 && fs.f_flag & ST_RDONLY;
}

/* Whether it may take this name away (may_delete() of fs/namei.c). */
static int64_t removes(const struct credentials *by, const struct found *found)
{
    struct stat directory, file;
    if (found->file < 0 || fstat(found->parent, &directory) < 0 || fstat(found->file, &file) < 0 || read_only(found->parent))
        return CONTINUE;
    struct owner above = owner_of(found->parent, &directory), owner = owner_of(found->file, &file);
    if (!credentials_may(by, found->parent, &directory, &above, S_IWOTH | S_IXOTH))
        return -EACCES;
    return directory.st_mode & S_ISVTX && !credentials_own(by, &owner) && by->fsuid != above.uid ? -EPERM : CONTINUE;
}

static bool dots(const struct found *found)
{
    return found->parent < 0 || !strcmp(found->name, ".") || !strcmp(found->name, "..");
}

static bool removes_directory(const struct request *r)
{
#ifdef SYS_rmdir
    if (r->nr == SYS_rmdir)
        return true;
#endif
    return r->nr == SYS_unlinkat && r->args[2] & AT_REMOVEDIR;
}

int64_t call_remove(const struct request *r)
{
    struct found found;
    const struct credentials *by = credentials_of(r->task);
    const bool at = r->nr == SYS_unlinkat;
    if (credentials_over_files(by))
        return CONTINUE;
    int64_t result = search_name(r, by, at ? (int)r->args[0] : AT_FDCWD, r->args[at], &found);
    if (result == 0)
        result = dots(&found) || (found.slashed && !removes_directory(r)) ? CONTINUE : removes(by, &found);
    search_end(&found);
    return result;
}

void carry(const struct request *r, int dirfd, uint64_t address, int flags)
{
    int64_t fd = owners_apart() ? file_of(r, dirfd, address, flags) : -ENOENT;
    if (fd < 0)
        return;
    owner_carry((int)fd);
    close((int)fd);
}

/* Whether the directory may have another above it, which it is changed by. */
static bool moves_directory(const struct credentials *by, const struct found *found, const struct stat *st, const struct found *other)
{
    struct stat from, to;
    return !S_ISDIR(st->st_mode) || fstat(found->parent, &from) < 0 || fstat(other->parent, &to) < 0 || from.st_ino == to.st_ino ||
           may_by_bits(by, found->file, S_IWOTH);
}

static bool same_file(int a, int b)
{
    struct stat one, other;
    return fstat(a, &one) == 0 && fstat(b, &other) == 0 && one.st_ino == other.st_ino && one.st_dev == other.st_dev;
}

/* Whether the directory `at` is `file`, or lies in it. */
static bool holds(int file, int at)
{
    int up = fcntl(at, F_DUPFD_CLOEXEC, 0);
    bool found = false;
    for (bool top = false; up >= 0 && !top && !found;) {
        const int next = open_beneath(up, "..", O_PATH | O_DIRECTORY, 0);
        found = same_file(up, file);
        top = next >= 0 && same_file(up, next);
        close(up);
        up = next;
    }
    if (up >= 0)
        close(up);
    return found;
}

static bool same_mount(int a, int b)
{
    struct statx_buffer one, other;
    return syscall(SYS_statx, a, "", AT_EMPTY_PATH, STATX_MOUNT, &one) == 0 &&
           syscall(SYS_statx, b, "", AT_EMPTY_PATH, STATX_MOUNT, &other) == 0 && one.mount == other.mount;
}

static int64_t moves(const struct credentials *by, const struct found *from, const struct found *to, unsigned flags)
{
    struct stat a, b;
    const bool exchange = flags & RENAME_EXCHANGE;
    if (dots(from) || dots(to) || from->file < 0 || fstat(from->file, &a) < 0 || (to->file >= 0 && fstat(to->file, &b) < 0))
        return CONTINUE;
    if (to->file < 0 ? exchange : flags & RENAME_NOREPLACE || (a.st_dev == b.st_dev && a.st_ino == b.st_ino))
        return CONTINUE;
    if (!same_mount(from->parent, to->parent) || holds(from->file, to->parent) || (to->file >= 0 && holds(to->file, from->parent)))
        return CONTINUE;
    if ((from->slashed || (to->slashed && !exchange)) && !S_ISDIR(a.st_mode))
        return CONTINUE;
    if (to->slashed && exchange && !S_ISDIR(b.st_mode))
        return CONTINUE;
    int64_t result = removes(by, from);
    if (result == CONTINUE)
        result = to->file >= 0 ? removes(by, to) : read_only(to->parent) || may_by_bits(by, to->parent, S_IWOTH | S_IXOTH) ? CONTINUE : -EACCES;
    if (result == CONTINUE && to->file >= 0 && !exchange && S_ISDIR(a.st_mode) != S_ISDIR(b.st_mode))
        return CONTINUE;
    if (result == CONTINUE && !(moves_directory(by, from, &a, to) && (!exchange || moves_directory(by, to, &b, from))))
        result = -EACCES;
    return result;
}

/* Renames it in the task's place, for the device that stays where it was is his who renames; the kernel would make it root's. */
static int64_t leave_whiteout(const struct request *r, const struct credentials *by, const struct found *from, const struct found *to, unsigned flags)
{
    struct stat a, b;
    if (dots(from) || dots(to) || from->file < 0 || ((from->slashed || to->slashed) && !S_ISDIR(from->st.st_mode)) || fstat(from->parent, &a) < 0 || fstat(to->parent, &b) < 0 ||
        !acts_as_owner(r, &a, CAP_DAC_OVERRIDE) || !acts_as_owner(r, &b, CAP_DAC_OVERRIDE))
        return CONTINUE;
    const struct owner owner = {by->fsuid, a.st_mode & S_ISGID ? owner_of(from->parent, &a).gid : by->fsgid, true};
    if (!owner.uid && !owner.gid)
        return CONTINUE;
    if (!request_valid(r))
        return GONE;
    if (syscall(SYS_renameat2, from->parent, from->name, to->parent, to->name, flags) < 0)
        return CONTINUE; /* it is the kernel's to tell why */
    const int fd = open_beneath(from->parent, from->name, O_PATH | O_NOFOLLOW, 0);
    const bool left = fd >= 0 && fstat(fd, &a) == 0 && S_ISCHR(a.st_mode); /* not where both were one file */
    const int noted = left ? making_note(fd, &owner) : 0;
    if (fd >= 0)
        close(fd);
    return noted;
}

int64_t call_rename(const struct request *r)
{
    struct found from, to;
    const struct credentials *by = credentials_of(r->task);
    bool at = true;
#ifdef SYS_rename
    at = r->nr != SYS_rename;
#endif
    const uint64_t *a = r->args;
    const unsigned flags = r->nr == SYS_renameat2 ? (unsigned)a[4] : 0;
    carry(r, at ? (int)a[0] : AT_FDCWD, a[at], AT_SYMLINK_NOFOLLOW);
    if (flags & RENAME_EXCHANGE)
        carry(r, (int)a[2], a[3], AT_SYMLINK_NOFOLLOW);
    if ((credentials_over_files(by) && !(flags & RENAME_WHITEOUT)) || (flags & RENAME_EXCHANGE && flags != RENAME_EXCHANGE))
        return CONTINUE;
    int64_t result = search_name(r, by, at ? (int)a[0] : AT_FDCWD, a[at], &from);
    if (result != 0 && result != CONTINUE)
        return result;
    const int64_t other = search_name(r, by, at ? (int)a[2] : AT_FDCWD, a[at ? 3 : 1], &to);
    if (result == 0 || other != 0)
        result = other;
    if (result == 0)
        result = moves(by, &from, &to, flags);
    if (result == CONTINUE && flags & RENAME_WHITEOUT)
        result = leave_whiteout(r, by, &from, &to, flags);
    search_end(&from);
    search_end(&to);
    return result;
}

/* Whether a user may make another name for the file (protected_hardlinks of proc_sys_fs(5)). */
static bool links_to(const struct credentials *by, int fd)
{
    struct stat st;
    char on = '0';
    int file = openat(proc_fd, "sys/fs/protected_hardlinks", O_RDONLY | O_CLOEXEC);
    bool unprotected = file >= 0 && (read(file, &on, 1) != 1 || on == '0');
    if (file >= 0)
        close(file);
    if (unprotected || fstat(fd, &st) < 0)
        return true;
    struct owner owner = owner_of(fd, &st);
    bool safe = S_ISREG(st.st_mode) && !(st.st_mode & S_ISUID) && (st.st_mode & (S_ISGID | S_IXGRP)) != (S_ISGID | S_IXGRP);
    return credentials_own(by, &owner) || (safe && credentials_may(by, fd, &st, &owner, S_IROTH | S_IWOTH));
}

int64_t call_link(const struct request *r)
{
    struct found from, to;
    const struct credentials *by = credentials_of(r->task);
    const bool at = r->nr == SYS_linkat;
    const uint64_t *a = r->args;
    carry(r, at ? (int)a[0] : AT_FDCWD, a[at], at && a[4] & AT_SYMLINK_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW);
    if (credentials_over_files(by))
        return CONTINUE;
    const int flags = at ? (int)a[4] : 0, seen = (flags & AT_EMPTY_PATH) | (flags & AT_SYMLINK_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW);
    int64_t result = search_path(r, by, at ? (int)a[0] : AT_FDCWD, a[at], seen, &from);
    if ((result != 0 && result != CONTINUE) || (result == 0 && from.file < 0)) {
        search_end(&from);
        return result ? result : CONTINUE;
    }
    const int64_t other = search_name(r, by, at ? (int)a[2] : AT_FDCWD, a[at ? 3 : 1], &to);
    if (result == 0 || other != 0)
        result = other;
    if (result == 0) {
        if (dots(&to) || to.file >= 0 || to.slashed || read_only(to.parent) || !same_mount(from.file, to.parent))
            result = CONTINUE;
        else if (!links_to(by, from.file))
            result = -EPERM;
        else
            result = may_by_bits(by, to.parent, S_IWOTH | S_IXOTH) ? CONTINUE : -EACCES;
    }
    search_end(&from);
    search_end(&to);
    return result;
}

/* readlink(2) and statfs(2) of a path, inotify_add_watch(2), fchdir(2). */
int64_t call_look(const struct request *r)
{
    struct found found;
    const struct credentials *by = credentials_of(r->task);
    const uint64_t *a = r->args;
    if (credentials_over_files(by))
        return CONTINUE;
    if (r->nr == SYS_fchdir) {
        int fd = descriptor_of(r, (int)a[0]);
        struct stat st;
        bool let = fd < 0 || kernels_own(fd) || fstat(fd, &st) < 0 || !S_ISDIR(st.st_mode) || may_by_bits(by, fd, S_IXOTH);
        if (fd >= 0)
            close(fd);
        return let ? CONTINUE : -EACCES;
    }
    const bool watches = r->nr == SYS_inotify_add_watch, follows = r->nr == SYS_statfs || (watches && !(a[2] & DONT_FOLLOW));
    const bool at = r->nr == SYS_readlinkat;
    if (!watches && !follows && (int)a[2 + at] <= 0)
        return CONTINUE;
    int64_t result = search_path(r, by, at ? (int)a[0] : AT_FDCWD, a[at || watches], (follows ? 0 : AT_SYMLINK_NOFOLLOW) | (at ? AT_EMPTY_PATH : 0), &found);
    if (result == 0)
        result = !watches || found.file < 0 || kernels_file(&found) || stat_lets(by, found.file, &found.st, S_IROTH) ? CONTINUE : -EACCES;
    search_end(&found);
    return result;
}

/* access(2) asks for the real user, and chdir(2), truncate(2) want one bit. */
int64_t call_access(const struct request *r)
{
    struct found found;
    struct credentials by = *credentials_of(r->task);
    const bool at = r->nr == SYS_faccessat || r->nr == SYS_faccessat2;
    mode_t wanted = (mode_t)r->args[at + 1];
    const int flags = r->nr == SYS_faccessat2 ? (int)r->args[3] : 0;
    if (r->nr == SYS_chdir)
        wanted = S_IXOTH;
    else if (r->nr == SYS_truncate)
        wanted = S_IWOTH;
    else if (!(flags & AT_EACCESS)) {
        by.fsuid = by.ruid;
        by.fsgid = by.rgid;
        by.euid = by.ruid;
        by.effective = by.ruid ? 0 : by.permitted;
    }
    if (credentials_over_files(&by) || wanted > 7)
        return CONTINUE;
    int64_t result = search_path(r, &by, at ? (int)r->args[0] : AT_FDCWD, r->args[at], flags, &found);
    struct stat st;
    if (result == 0 && (r->nr == SYS_truncate || r->nr == SYS_chdir) && found.file >= 0 &&
        (fstat(found.file, &st) < 0 || !(r->nr == SYS_chdir ? S_ISDIR(st.st_mode) : S_ISREG(st.st_mode))))
        result = CONTINUE; /* an error of its own */
    if (result == 0)
        result = found.file < 0 || kernels_file(&found) || stat_lets(&by, found.file, &found.st, wanted) ? CONTINUE : -EACCES;
    search_end(&found);
    return result;
}
