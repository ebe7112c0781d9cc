/* Times and attributes of files: who may change them (fs/attr.c, fs/xattr.c of Linux). For the kernel all is one user's. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lists.h"
#include "search.h"

/* How the times are given, by call. */
struct times {
    bool touch, nothing;
};

/* 0; CONTINUE where they are wrong. */
static int64_t read_times(const struct request *r, uint64_t address, struct times *times)
{
    struct timespec given[2];
    *times = (struct times){!address, false};
#ifdef SYS_utime
    if (r->nr != SYS_utimensat)
        return 0;
#endif
    int32_t narrow[4];
    const bool wide = r->form == WIDE;
    int64_t result = !address ? 0 : request_read(r, address, wide ? (void *)given : narrow, wide ? sizeof given : sizeof narrow);
    for (int i = 0; i < 2 && address && !wide && result == 0; i++)
        given[i] = (struct timespec){narrow[2 * i], narrow[2 * i + 1]};
    if (result < 0 || !address)
        return result == -EFAULT ? CONTINUE : result;
    for (int i = 0; i < 2; i++)
        if (given[i].tv_nsec != UTIME_NOW && given[i].tv_nsec != UTIME_OMIT && (given[i].tv_nsec < 0 || given[i].tv_nsec > 999999999))
            return CONTINUE;
    times->touch = given[0].tv_nsec == UTIME_NOW && given[1].tv_nsec == UTIME_NOW;
    times->nothing = given[0].tv_nsec == UTIME_OMIT && given[1].tv_nsec == UTIME_OMIT;
    return 0;
}

/* The same of the task's descriptor: the times of a pipe are set by it, too. */
static int64_t carry_descriptor(const struct request *r, int number)
{
    if (!owners_apart() || number < 0)
        return 0;
    int64_t fd = changed_file(r, number);
    if (fd >= 0) {
        owner_carry((int)fd);
        close((int)fd);
    }
    return fd == GONE ? GONE : 0;
}

int64_t call_times(const struct request *r)
{
    const struct credentials *by = credentials_of(r->task);
    const uint64_t *a = r->args;
    bool at = true;
#ifdef SYS_utime
    at = r->nr == SYS_utimensat || r->nr == SYS_futimesat;
#endif
    const int flags = r->nr == SYS_utimensat ? (int)a[3] : 0;
    struct times times;
    struct stat st;
    if (r->nr == SYS_utimensat && a[1])
        carry(r, (int)a[0], a[1], flags & AT_SYMLINK_NOFOLLOW);
    else if (r->nr == SYS_utimensat && carry_descriptor(r, (int)a[0]) == GONE)
        return GONE;
    if (credentials_over_files(by) || flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return CONTINUE;
    int64_t result = read_times(r, a[at ? 2 : 1], &times);
    if (result != 0 || times.nothing)
        return result ? result : CONTINUE;
    if (at && !a[1] && (int)a[0] != AT_FDCWD && flags)
        return CONTINUE;
    int64_t fd = at && !a[1] && (int)a[0] != AT_FDCWD ? changed_file(r, (int)a[0]) : file_of(r, at ? (int)a[0] : AT_FDCWD, a[at], flags);
    if (fd < 0)
        return fd == GONE || fd == -EACCES ? fd : CONTINUE;
    result = CONTINUE;
    if (fstat((int)fd, &st) == 0 && !read_only((int)fd) && !kernels_own((int)fd)) {
        struct owner owner = owner_of((int)fd, &st);
        if (!credentials_own(by, &owner) && !(times.touch && credentials_may(by, (int)fd, &st, &owner, S_IWOTH)))
            result = times.touch ? -EACCES : -EPERM;
    }
    close((int)fd);
    return result;
}

/* Whether it may set or remove this attribute: CONTINUE, or an error. */
int64_t may_set_attribute(const struct credentials *by, int fd, const char *name)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || read_only(fd) || kernels_own(fd))
        return CONTINUE;
    struct owner owner = owner_of(fd, &st);
    if ((!strcmp(name, OWNER_ATTRIBUTE) || !strncmp(name, KEPT "system.", sizeof KEPT "system." - 1)) && !credentials_over_files(by))
        return -EPERM; /* who may not chown(2) does not by this: a set-user-id program of his would be root's */
    if (!strncmp(name, "security.", 9) || !strncmp(name, "trusted.", 8))
        return credentials_have(by, !strcmp(name, "security.capability") ? CAP_SETFCAP : CAP_SYS_ADMIN) ? CONTINUE : -EPERM;
    if (credentials_over_files(by))
        return CONTINUE;
    if (strncmp(name, "user.", 5) != 0 || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
        return CONTINUE;
    if (S_ISDIR(st.st_mode) && st.st_mode & S_ISVTX && !credentials_own(by, &owner))
        return -EPERM;
    return credentials_may(by, fd, &st, &owner, S_IWOTH) ? CONTINUE : -EACCES;
}

int64_t call_remove_attribute(const struct request *r)
{
    char name[256];
    struct stat st;
    const struct credentials *by = credentials_of(r->task);
    int64_t result = request_text(r, r->args[1], name, sizeof name);
    if (result <= 0)
        return result == GONE ? GONE : CONTINUE;
    const bool access = !strcmp(name, ACCESS_LIST), listed = access || !strcmp(name, DEFAULT_LIST);
    if (credentials_over_files(by) && !listed)
        return CONTINUE;
    int64_t fd = r->nr == SYS_fremovexattr ? changed_file(r, (int)r->args[0])
                                           : file_of(r, AT_FDCWD, r->args[0], r->nr == SYS_lremovexattr ? AT_SYMLINK_NOFOLLOW : 0);
    if (fd < 0)
        return fd == GONE || fd == -EACCES ? fd : CONTINUE;
    result = credentials_over_files(by) ? CONTINUE : may_set_attribute(by, (int)fd, name);
    if (result == CONTINUE && listed && fstat((int)fd, &st) == 0 && !S_ISLNK(st.st_mode) && (S_ISDIR(st.st_mode) || access) && !read_only((int)fd)) {
        struct owner owner = owner_of((int)fd, &st);
        const int removed = !credentials_own(by, &owner) ? -EPERM : acts_as_owner(r, &st, CAP_FOWNER) ? list_keep((int)fd, access, NULL, 0) : 0;
        result = removed < 0 ? removed : CONTINUE;
    }
    close((int)fd);
    return result;
}
