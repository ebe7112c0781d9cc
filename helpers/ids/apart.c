/* The owners of what can have no attribute: links, sockets and pipes, and files of file systems without attributes. A
   table in memory, and of what outlives the container a file beside the container's others, which no container sees: one
   record each, written in place, with a check, so that whoever is killed in the midst of it leaves the others whole.
   rootless/runtime/owner_record.py reads it. */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "apart.h"
#include "lib/text.h"

#define TMPFS_MAGIC 0x01021994
#define FUSE_MAGIC 0x65735546
#define ANY_BIRTH (-1)
#define BUCKETS 1024u
#define NO_SLOT UINT32_MAX

/* An inode's number is used again; with the time of its birth it is one file's, whatever the file system's number is at the
   next mount. */
struct apart {
    uint64_t dev; /* 0: the file's, which knows no device */
    uint64_t ino;
    int64_t birth;
    uint32_t uid, gid, next, slot;
    uint32_t same; /* number + 1 of the same file's by its other number */
};
static struct apart apart[APART];
static uint32_t bucket[BUCKETS]; /* number + 1 */
static atomic_uint apart_count; /* read without the lock, too */
static uint32_t slot_count;
static pthread_mutex_t reading = PTHREAD_MUTEX_INITIALIZER;

int owners_fd = -1, upper_fd = -1;

struct kept {
    char magic[8];
    uint64_t ino; /* in the upper directory, if it is there */
    int64_t birth; /* nanoseconds */
    uint32_t uid, gid;
    uint64_t shown; /* until the next mount, 0: the same */
    uint8_t spare[20];
    uint32_t check;
};
_Static_assert(sizeof(struct kept) == 64, "a record lies in one sector");
static const char magic[8] = "owner 1";

static uint32_t check_of(const struct kept *kept)
{
    uint32_t hash = 2166136261u;
    for (const uint8_t *p = (const uint8_t *)kept; p < (const uint8_t *)&kept->check; p++)
        hash = (hash ^ *p) * 16777619u;
    return hash;
}

static struct apart *find(const struct apart *key)
{
    for (uint32_t at = bucket[key->ino % BUCKETS]; at; at = apart[at - 1].next) {
        struct apart *each = &apart[at - 1];
        if (each->ino == key->ino && (each->dev == key->dev || !each->dev) && (each->birth == key->birth || (key->birth == ANY_BIRTH && !each->dev)))
            return each;
    }
    return NULL;
}

/* The record of this file, which is made unless it is there; NULL: there is no room. */
static struct apart *take(const struct apart *key)
{
    struct apart *found = find(key);
    if (found || apart_count == APART)
        return found;
    found = &apart[apart_count++];
    *found = *key;
    found->slot = NO_SLOT;
    found->same = 0;
    found->next = bucket[key->ino % BUCKETS];
    bucket[key->ino % BUCKETS] = apart_count;
    return found;
}

void owners_begin(void)
{
    struct kept kept;
    for (; owners_fd >= 0 && slot_count < APART && pread(owners_fd, &kept, sizeof kept, (off_t)(slot_count * sizeof kept)) == sizeof kept; slot_count++) {
        if (memcmp(kept.magic, magic, sizeof magic) != 0 || kept.check != check_of(&kept))
            continue; /* the machine stopped while it was written */
        struct apart *found = take(&(struct apart){.ino = kept.ino, .birth = kept.birth});
        found->uid = kept.uid;
        found->gid = kept.gid;
        found->slot = slot_count;
    }
}

bool owners_apart(void)
{
    return apart_count != 0;
}

static bool birth_of(int fd, int64_t *birth)
{
    struct statx_buffer now;
    if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_BIRTH, &now) < 0)
        return false;
    *birth = now.mask & STATX_BIRTH ? now.btime.seconds * 1000000000 + now.btime.nanoseconds : 0;
    return true;
}

/* What the upper directory has at the file's path, O_PATH, ours to close; -1: nothing. */
static int open_in_upper(int fd)
{
    char name[24], path[PATH_SIZE];
    struct open_how how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    put_number(name, (uint64_t)fd);
    ssize_t size = upper_fd < 0 ? -1 : readlink(name, path, sizeof path - 1);
    if (size < 1 || *path != '/')
        return -1;
    path[size] = 0;
    return (int)syscall(SYS_openat2, upper_fd, size > 1 ? path + 1 : ".", &how, sizeof how);
}

/* Whether what the upper directory has at the file's path, `copy`, is that file. A copy of an image's file keeps that one's number until the
   next mount. The kernel keeps the time of the last writing for itself for a while: so who has another number and another time
   has to be a copy at least, which fuse-overlayfs notes in an attribute that nobody in the container can set. */
static bool is_its_copy(int copy, const struct stat *above, const struct stat *st)
{
    char name[24];
    if (above->st_mode != st->st_mode)
        return false;
    if (above->st_ino == st->st_ino)
        return true;
    bool same_time = above->st_mtim.tv_sec == st->st_mtim.tv_sec && above->st_mtim.tv_nsec == st->st_mtim.tv_nsec;
    put_number(name, (uint64_t)copy);
    return above->st_size == st->st_size && (same_time || getxattr(name, "user.fuseoverlayfs.origin", NULL, 0) >= 0);
}

int open_copy(int fd, const struct stat *st, struct stat *above)
{
    int copy = open_in_upper(fd);
    if (copy < 0)
        return NOTHING_THERE;
    if (fstat(copy, above) == 0 && is_its_copy(copy, above, st))
        return copy;
    close(copy);
    return ANOTHER;
}

/* fuse-overlayfs knows no births: what is in the upper directory has that file's, and a link of the image's is known by its number, which
   is nobody's else as long as the image is there. */
static void key_below_fuse(int fd, const struct stat *st, struct apart *key)
{
    struct statfs fs;
    struct stat top, above;
    int64_t birth;
    if (fstatfs(fd, &fs) < 0 || fs.f_type != FUSE_MAGIC || fstatat(AT_FDCWD, "/", &top, 0) < 0 || top.st_dev != st->st_dev)
        return;
    int copy = open_copy(fd, st, &above);
    if (copy == NOTHING_THERE)
        key->birth = upper_fd < 0 ? 0 : ANY_BIRTH;
    if (copy < 0)
        return;
    if (birth_of(copy, &birth)) {
        key->ino = above.st_ino;
        key->birth = birth;
    }
    close(copy);
}

static bool key_of(int fd, const struct stat *st, struct apart *key)
{
    *key = (struct apart){.dev = st->st_dev, .ino = st->st_ino};
    if (!birth_of(fd, &key->birth))
        return false;
    if (!key->birth)
        key_below_fuse(fd, st, key);
    return true;
}

/* A link of the image's keeps its number when it is copied up, until the next mount: that is the copy's. */
static uint64_t number_in_upper(int fd, const struct stat *st, const struct apart *key)
{
    struct stat above;
    struct apart found;
    int copy = open_in_upper(fd);
    if (copy < 0)
        return key->ino;
    bool same = fstat(copy, &above) == 0 && (above.st_mode & S_IFMT) == (st->st_mode & S_IFMT) &&
                key_of(copy, &above, &found) && found.birth == key->birth;
    close(copy);
    return same ? above.st_ino : key->ino;
}

bool apart_owner(int fd, const struct stat *st, struct owner *owner)
{
    struct apart key;
    if (!owners_apart() || !key_of(fd, st, &key))
        return false;
    pthread_mutex_lock(&reading);
    const struct apart *found = find(&key);
    if (found)
        *owner = (struct owner){found->uid, found->gid, true};
    pthread_mutex_unlock(&reading);
    return found;
}

static int keep(struct apart *record, uint64_t ino, uint64_t seen, uint32_t uid, uint32_t gid)
{
    uint64_t shown = seen != ino ? seen : record->same ? apart[record->same - 1].ino : 0;
    struct kept kept = {.ino = ino, .birth = record->birth, .uid = uid, .gid = gid, .shown = shown};
    uint32_t slot = record->slot == NO_SLOT ? slot_count : record->slot;
    memcpy(kept.magic, magic, sizeof magic);
    kept.check = check_of(&kept);
    if (slot == APART)
        return -ENOSPC;
    ssize_t size = pwrite(owners_fd, &kept, sizeof kept, (off_t)(slot * sizeof kept));
    if (size != sizeof kept)
        return size < 0 ? -errno : -ENOSPC;
    slot_count += record->slot == NO_SLOT;
    record->slot = slot;
    return 0;
}

/* A link of the image's that has been copied up keeps its number until the next mount, but a second name of it that is made has
   the copy's at once. */
static void join_numbers(struct apart *one, uint64_t ino)
{
    struct apart *other = ino == one->ino || one->same ? NULL : take(&(struct apart){.dev = one->dev, .ino = ino, .birth = one->birth});
    if (!other)
        return;
    one->same = (uint32_t)(other - apart) + 1;
    other->same = (uint32_t)(one - apart) + 1;
    if (one->slot == NO_SLOT)
        one->slot = other->slot;
}

int apart_set(int fd, const struct stat *st, uint32_t uid, uint32_t gid)
{
    struct apart key;
    struct statfs fs;
    if (!key_of(fd, st, &key))
        return -EIO;
    bool ends = owners_fd < 0 || key.birth <= 0 || fstatfs(fd, &fs) < 0 || fs.f_type == TMPFS_MAGIC;
    uint64_t ino = ends ? 0 : number_in_upper(fd, st, &key);
    int result = 0;
    pthread_mutex_lock(&reading);
    struct apart *found = find(&key);
    if (found || uid != st->st_uid || gid != st->st_gid) {
        found = take(&key);
        if (found && !ends)
            join_numbers(found, ino);
        result = !found ? -ENOSPC : ends ? 0 : keep(found, ino, st->st_ino, uid, gid);
        if (found) { /* on an error, too: nobody must take an owner for another's */
            found->uid = result < 0 ? st->st_uid : uid;
            found->gid = result < 0 ? st->st_gid : gid;
            if (found->same) {
                struct apart *other = &apart[found->same - 1];
                other->uid = found->uid;
                other->gid = found->gid;
                other->slot = found->slot;
            }
        }
    }
    pthread_mutex_unlock(&reading);
    return result;
}
