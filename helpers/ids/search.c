/* What a file's bits and those of the directories above it let a user who is not root do. The kernel asks nobody: for it all
   is one user's. Where we cannot know, for what a path leads through is the kernel's own (/proc, terminals), it is let. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "lists.h"
#include "search.h"

#define PROC_SUPER_MAGIC 0x9fa0
#define DEVPTS_SUPER_MAGIC 0x1cd1
#define PIPEFS_MAGIC 0x50495045
#define SOCKFS_MAGIC 0x534f434b
#define LINKS 40

bool kernels_own(int fd)
{
    struct statfs fs;
    return fstatfs(fd, &fs) < 0 || fs.f_type == PROC_SUPER_MAGIC || fs.f_type == DEVPTS_SUPER_MAGIC || fs.f_type == PIPEFS_MAGIC ||
           fs.f_type == SOCKFS_MAGIC;
}

bool may_all(const struct stat *st, mode_t wanted)
{
    const mode_t all = wanted << 6 | wanted << 3 | wanted;
    return (st->st_mode & all) == all;
}

bool stat_lets(const struct credentials *by, int fd, const struct stat *st, mode_t wanted)
{
    if (may_all(st, wanted) && !lists_kept())
        return true;
    struct owner owner = owner_of(fd, st);
    return credentials_may(by, fd, st, &owner, wanted);
}

bool may_by_bits(const struct credentials *by, int fd, mode_t wanted)
{
    struct stat st;
    return fstat(fd, &st) < 0 || stat_lets(by, fd, &st, wanted);
}

bool kernels_file(const struct found *found)
{
    return !found->ordinary && kernels_own(found->file);
}

int64_t refused(const struct credentials *by)
{
    return credentials_over_files(by) ? CONTINUE : -EACCES;
}

static void go(struct found *found, int *at, int next)
{
    if (found->parent >= 0)
        close(found->parent);
    found->parent = *at;
    *at = next;
}

int turn(int at, int link, char *rest, size_t room)
{
    char target[PATH_SIZE];
    ssize_t size = readlinkat(link, "", target, sizeof target - 1);
    size_t length = strlen(rest);
    if (size <= 0 || (size_t)size + length + 1 > room)
        return -1;
    memmove(rest + size, rest, length + 1); /* nothing, or a slash and more */
    memcpy(rest, target, (size_t)size);
    return *target == '/' ? open_beneath(-1, "/", O_PATH | O_DIRECTORY, 0) : fcntl(at, F_DUPFD_CLOEXEC, 0);
}

static int64_t ends(int at, int64_t result)
{
    close(at);
    return result;
}

static int64_t walk(const struct place *place, const struct credentials *by, bool follows, struct found *found)
{
    char rest[2 * PATH_SIZE];
    struct stat st; /* of `at` */
    bool ordinary = false; /* the file system `device` is known to be none of the kernel's own */
    dev_t device = 0;
    memcpy(rest, place->path, strlen(place->path) + 1);
    int at = *rest == '/' ? open_beneath(-1, "/", O_PATH | O_DIRECTORY, 0) : fcntl(place->at, F_DUPFD_CLOEXEC, 0);
    bool seen = at >= 0 && fstat(at, &st) == 0;
    for (int links = 0; seen;) {
        size_t start = strspn(rest, "/"), length = strcspn(rest + start, "/");
        char name[256];
        if (!length) {
            if (start && !S_ISDIR(st.st_mode))
                return ends(at, -ENOTDIR);
            found->file = at;
            found->st = st;
            found->ordinary = ordinary && st.st_dev == device;
            return 0;
        }
        if (length >= sizeof name)
            return ends(at, S_ISDIR(st.st_mode) ? -ENAMETOOLONG : -ENOTDIR);
        if (!ordinary || st.st_dev != device) {
            ordinary = !kernels_own(at);
            device = st.st_dev;
            if (!ordinary && in_proc(at)) {
                int out = -1;
                int64_t result = process_search(at, rest, sizeof rest, by, follows, place, &out);
                go(found, &at, -1);
                close(found->parent);
                found->parent = -1;
                if (result != 0 || out < 0)
                    return result;
                at = out;
                seen = at >= 0 && fstat(at, &st) == 0;
                continue;
            }
        }
        memcpy(name, rest + start, length);
        name[length] = 0;
        memmove(rest, rest + start + length, strlen(rest + start + length) + 1);
        bool last = !*rest;
        if (!S_ISDIR(st.st_mode) || !stat_lets(by, at, &st, S_IXOTH))
            return ends(at, S_ISDIR(st.st_mode) ? -EACCES : -ENOTDIR);
        int next = open_beneath(at, name, O_PATH | O_NOFOLLOW, 0);
        memcpy(found->name, name, length + 1);
        if (next < 0 && next == -ENOENT && rest[strspn(rest, "/")] == 0) {
            found->slashed = *rest;
            go(found, &at, -1); /* the directory is there */
            return 0;
        }
        if (next < 0)
            return ends(at, next);
        struct stat below;
        seen = fstat(next, &below) == 0;
        if (seen && S_ISLNK(below.st_mode) && (!last || follows)) {
            int from = ++links > LINKS ? -1 : turn(at, next, rest, sizeof rest);
            close(next);
            if (from < 0)
                return ends(at, links > LINKS ? -ELOOP : refused(by)); /* longer than we follow: the kernel would */
            close(at);
            at = from;
            seen = at >= 0 && fstat(at, &st) == 0;
        } else {
            go(found, &at, next);
            st = below;
        }
    }
    if (at >= 0)
        close(at);
    return CONTINUE;
}

int64_t search(const struct place *place, const struct credentials *by, bool follows, struct found *found)
{
    found->parent = found->file = -1;
    found->slashed = false;
    int64_t result = walk(place, by, follows, found);
    if (result != 0)
        search_end(found);
    return result;
}

void search_end(struct found *found)
{
    if (found->parent >= 0)
        close(found->parent);
    if (found->file >= 0)
        close(found->file);
    found->parent = found->file = -1;
}

mode_t wanted_by(uint64_t flags)
{
    const int how = (int)flags & O_ACCMODE;
    return (how == O_WRONLY ? 0 : S_IROTH) | (how == O_RDONLY && !(flags & O_TRUNC) ? 0 : S_IWOTH);
}

static mode_t opened_by(uint64_t flags)
{
    return flags & O_PATH ? 0 : wanted_by(flags) | (flags & O_NOATIME ? UNTOUCHED : 0);
}

static mode_t wanted_of(const struct request *r)
{
    switch (r->nr) {
#ifdef SYS_open
    case SYS_open: return opened_by(r->args[1]);
    case SYS_readlink: return LEADS;
#endif
    case SYS_openat: return opened_by(r->args[2]);
    case SYS_readlinkat: return LEADS;
    default: return 0;
    }
}

bool strip_slashes(char *path)
{
    size_t length = strlen(path), end = length;
    while (end > 1 && path[end - 1] == '/')
        end--;
    path[end] = 0;
    return end < length;
}

int64_t search_path(const struct request *r, const struct credentials *by, int dirfd, uint64_t address, int flags, struct found *found)
{
    struct place place;
    found->parent = found->file = -1;
    int64_t result = place_of(r, dirfd, address, flags & AT_EMPTY_PATH, &place);
    if (result < 0)
        return result == -ESRCH ? CONTINUE : result;
    place.wanted = wanted_of(r);
    result = search(&place, by, !(flags & AT_SYMLINK_NOFOLLOW), found);
    place_close(&place);
    return result;
}

int64_t search_name(const struct request *r, const struct credentials *by, int dirfd, uint64_t address, struct found *found)
{
    struct place place;
    found->parent = found->file = -1;
    int64_t result = place_of(r, dirfd, address, false, &place);
    if (result < 0)
        return result == -ESRCH ? CONTINUE : result;
    const bool slashed = strip_slashes(place.path);
    result = search(&place, by, false, found);
    found->slashed = slashed;
    place_close(&place);
    return result;
}

/* What must be there already: -EACCES, -EPERM, or CONTINUE. */
int64_t opens(const struct credentials *by, const struct found *found, uint64_t flags)
{
    const mode_t wanted = wanted_by(flags);
    if (found->file < 0 || flags & O_PATH || kernels_file(found) || S_ISLNK(found->st.st_mode))
        return CONTINUE;
    if (S_ISDIR(found->st.st_mode) ? wanted & S_IWOTH || flags & O_CREAT : flags & O_DIRECTORY)
        return CONTINUE;
    if (flags & O_TRUNC && S_ISREG(found->st.st_mode) && read_only(found->file))
        return CONTINUE; /* that is said first */
    if (!(flags & O_NOATIME) && !lists_kept() && may_all(&found->st, wanted))
        return CONTINUE;
    struct owner owner = owner_of(found->file, &found->st);
    if (!credentials_may(by, found->file, &found->st, &owner, wanted))
        return -EACCES;
    return flags & O_NOATIME && !credentials_own(by, &owner) ? -EPERM : CONTINUE;
}

int64_t open_file(const struct request *r)
{
    struct found found;
    const struct credentials *by = credentials_of(r->task);
    const bool at = r->nr == SYS_openat;
    const uint64_t flags = r->args[at + 1];
    if (flags & O_CREAT && flags & O_DIRECTORY)
        return CONTINUE; /* an error of its own */
    if (flags & NEW_FILE && !(flags & O_PATH))
        return call_create(r);
    if (credentials_over_files(by))
        return CONTINUE;
    int64_t result = search_path(r, by, at ? (int)r->args[0] : AT_FDCWD, r->args[at], flags & O_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0, &found);
    if (result == 0)
        result = opens(by, &found, flags);
    search_end(&found);
    return result;
}

int64_t call_open_how(const struct request *r)
{
    struct open_how how;
    int64_t result = r->args[3] < sizeof how ? CONTINUE : request_read(r, r->args[2], &how, sizeof how);
    if (result < 0)
        return result == GONE ? GONE : CONTINUE;
    const uint64_t args[6] = {r->args[0], r->args[1], how.flags, how.mode};
    const struct request as = {r->listener, r->id, r->task, SYS_openat, args, r->form};
    /* A path that must not lead anywhere is the kernel's to walk, and so is one whose root is a directory; a program does without, as on
       an older kernel. */
    if (how.resolve & (how.flags & NEW_FILE ? ~(uint64_t)RESOLVE_NO_MAGICLINKS : RESOLVE_IN_ROOT))
        return credentials_over_files(credentials_of(r->task)) ? CONTINUE : -ENOSYS;
    result = how.resolve ? open_file(&as) : call_open(&as);
    const bool refuses = result == -EACCES || result == -EPERM || result == GONE || result == ANSWERED;
    return how.resolve && !refuses ? CONTINUE : result; /* the path may end before it is wrong */
}
