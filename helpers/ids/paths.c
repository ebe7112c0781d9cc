/* Files as the task sees them: below its root, from its working directory or one of its descriptors. We are in the
   host's mount namespace and take the task's root for our own; our working directory is /proc/self/fd, from which a
   number is the path of a descriptor. No other path of ours is relative, and no link of /proc to a file is followed. */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "search.h"
#include "lib/text.h"

int proc_fd = -1;

/* Each thread has a root of its own (CLONE_FS). */
static _Thread_local struct {
    bool known;
    uint64_t mount, ino;
    uint32_t major, minor;
} root;

bool paths_begin(void)
{
    int fds = openat(proc_fd, "self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool moved = fds >= 0 && fchdir(fds) == 0;
    if (fds >= 0)
        close(fds);
    return moved;
}

int place_of_task(pid_t task, const char *name, int fd, int flags)
{
    char path[64], *end = put_text(put_text(put_number(path, (uint64_t)task), "/"), name);
    if (fd >= 0)
        put_number(end, (uint64_t)fd);
    return openat(proc_fd, path, O_PATH | O_CLOEXEC | flags);
}

int descriptor_of(const struct request *r, int fd)
{
    int found = fd < 0 ? -1 : place_of_task(r->task, "fd/", fd, 0);
    return found < 0 ? -EBADF : found;
}

/* Set before a task has another root than the first. Where a task changes it behind our back, its paths are taken for those
   of the container's root: another file of its own container. */
static atomic_bool roots_vary;

int64_t call_leave_root(const struct request *r)
{
    uint64_t flags = CLONE_NEWNS;
    if (r->nr == SYS_clone3 && request_read(r, r->args[0], &flags, sizeof flags) == GONE)
        return GONE;
    if (flags & CLONE_NEWNS)
        roots_vary = true;
    return CONTINUE;
}

static int take_root(const struct request *r)
{
    char number[24];
    struct statx_buffer now;
    if (root.known && !roots_vary)
        return 0;
    int fd = place_of_task(r->task, "root", -1, O_DIRECTORY), result = 0;
    if (fd < 0)
        return -ESRCH;
    if (!request_valid(r))
        result = -ESRCH; /* the root of who has the task's number since, be it the host's: never ours */
    else if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_MOUNT | 0x100u /* STATX_INO */, &now) < 0)
        result = -errno;
    else if (!root.known || now.mount != root.mount || now.ino != root.ino || now.dev_major != root.major || now.dev_minor != root.minor) {
        put_number(number, (uint64_t)fd);
        root.known = chroot(number) == 0;
        if (!root.known)
            result = -errno;
        root.mount = now.mount;
        root.ino = now.ino;
        root.major = now.dev_major;
        root.minor = now.dev_minor;
    }
    close(fd);
    return result;
}

int64_t place_taken(const struct request *r, int *at)
{
    if (request_valid(r))
        return *at < 0 ? -EBADF : 0;
    if (*at >= 0)
        close(*at);
    *at = -1;
    return GONE;
}

int64_t place_read(const struct request *r, uint64_t address, bool empty, struct place *place)
{
    place->at = -1;
    place->path[0] = 0;
    if (address || !empty) {
        int64_t length = request_text(r, address, place->path, sizeof place->path);
        if (length < 0)
            return length;
        if (!length && !empty)
            return -ENOENT;
    }
    return 0;
}

int64_t place_of(const struct request *r, int dirfd, uint64_t address, bool empty, struct place *place)
{
    int64_t result = place_read(r, address, empty, place);
    return result < 0 ? result : place_resolve(r, dirfd, place);
}

int64_t place_resolve(const struct request *r, int dirfd, struct place *place)
{
    place->at = -1;
    place->wanted = 0;
    place->asks = r;
    int result = place->path[0] ? take_root(r) : 0;
    if (result < 0)
        return request_valid(r) ? result : GONE;
    if (place->path[0] == '/')
        return 0; /* of the task's it has only what was read, and the root */
    place->at = dirfd == AT_FDCWD ? place_of_task(r->task, "cwd", -1, 0) : descriptor_of(r, dirfd);
    return place_taken(r, &place->at);
}

void place_close(struct place *place)
{
    if (place->at >= 0)
        close(place->at);
    place->at = -1;
}

int open_beneath(int at, const char *path, uint64_t flags, mode_t mode)
{
    struct open_how how = {.flags = flags | O_CLOEXEC, .mode = mode, .resolve = RESOLVE_NO_MAGICLINKS};
    int fd = (int)syscall(SYS_openat2, at < 0 ? AT_FDCWD : at, path, &how, sizeof how);
    return fd < 0 ? -errno : fd;
}

int place_open(const struct place *place, bool follow)
{
    if (!place->path[0]) {
        int copy = fcntl(place->at, F_DUPFD_CLOEXEC, 0);
        return copy < 0 ? -errno : copy;
    }
    return open_beneath(place->at, place->path, O_PATH | (follow ? 0 : O_NOFOLLOW), 0);
}

bool leads_elsewhere(const struct place *place, int64_t error)
{
    /* What is missing before any mount is missing: one call in the stead of a walk, for most files that are asked for are not there. */
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV};
    if (error != -ENOENT)
        return error == -ELOOP;
    const int fd = (int)syscall(SYS_openat2, place->at < 0 ? AT_FDCWD : place->at, place->path, &how, sizeof how);
    if (fd < 0)
        return errno != ENOENT;
    close(fd); /* it has just been made */
    return true;
}

int place_parent(const struct place *place, const char **name)
{
    char parent[PATH_SIZE];
    const char *slash = strrchr(place->path, '/');
    *name = slash ? slash + 1 : place->path;
    if (!**name || !strcmp(*name, ".") || !strcmp(*name, ".."))
        return -EINVAL; /* the kernel has its own words for these */
    size_t length = slash ? (size_t)(*name - place->path) : 0;
    memcpy(parent, place->path, length);
    memcpy(parent + length, ".", 2);
    return open_beneath(place->at, parent, O_PATH | O_DIRECTORY, 0);
}

int64_t file_of(const struct request *r, int dirfd, uint64_t address, int flags)
{
    struct place place;
    int64_t result = place_read(r, address, flags & AT_EMPTY_PATH, &place);
    return result < 0 ? result : file_at(r, dirfd, flags, &place);
}

int64_t file_at(const struct request *r, int dirfd, int flags, struct place *place)
{
    int64_t result = place_resolve(r, dirfd, place);
    if (result < 0)
        return result;
    if (!place->path[0])
        return place->at;
    const struct credentials *by = credentials_of(r->task);
    const bool follow = !(flags & AT_SYMLINK_NOFOLLOW), over = credentials_over_files(by);
    result = over ? place_open(place, follow) : CONTINUE;
    if (!over || leads_elsewhere(place, result)) {
        struct found found;
        result = search(place, by, follow, &found);
        if (result == 0) {
            result = found.file < 0 ? -ENOENT : found.file;
            found.file = -1;
            search_end(&found);
        }
    }
    if (result == CONTINUE)
        result = place_open(place, follow);
    place_close(place);
    return result;
}
