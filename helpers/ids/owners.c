/* Who owns a file: an attribute of files and directories, in the form that fuse-overlayfs and Podman read,
   UID:GID:0MODE; a table, which ends with the container, of what can have no such attribute. Without a record a file
   belongs to whom the kernel says. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "ids.h"
#include "lib/text.h"

static const char attribute[] = "user.containers.override_stat";

/* Links, sockets and pipes, and files where the file system has no such attributes. An inode's number is used again;
   with the time of its birth it is one file's. */
#define APART 16384u
#define BUCKETS 1024u
struct apart {
    uint64_t dev, ino;
    int64_t birth;
    uint32_t uid, gid, next;
};
static struct apart apart[APART];
static uint32_t bucket[BUCKETS]; /* number + 1 */
static uint32_t apart_count;

bool owners_apart(void)
{
    return apart_count != 0;
}

static bool key_of(int fd, const struct stat *st, struct apart *key)
{
    struct statx_buffer now;
    if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_BIRTH, &now) < 0)
        return false;
    int64_t birth = now.mask & STATX_BIRTH ? now.btime.seconds * 1000000000 + now.btime.nanoseconds : 0;
    *key = (struct apart){.dev = st->st_dev, .ino = st->st_ino, .birth = birth};
    return true;
}

static struct apart *find_apart(const struct apart *key)
{
    for (uint32_t at = bucket[key->ino % BUCKETS]; at; at = apart[at - 1].next) {
        struct apart *each = &apart[at - 1];
        if (each->ino == key->ino && each->dev == key->dev && each->birth == key->birth)
            return each;
    }
    return NULL;
}

static int set_apart(int fd, const struct stat *st, uint32_t uid, uint32_t gid)
{
    struct apart key;
    if (!key_of(fd, st, &key))
        return -EIO;
    struct apart *found = find_apart(&key);
    if (!found) {
        if (uid == st->st_uid && gid == st->st_gid)
            return 0;
        if (apart_count == APART)
            return -ENOSPC;
        found = &apart[apart_count++];
        *found = key;
        found->next = bucket[key.ino % BUCKETS];
        bucket[key.ino % BUCKETS] = apart_count;
    }
    found->uid = uid;
    found->gid = gid;
    return 0;
}

static const char *parse_id(const char *text, uint32_t *id)
{
    uint64_t number = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9' && number < NO_ID; p++)
        number = number * 10 + (uint64_t)(*p - '0');
    *id = (uint32_t)number;
    return p > text && *p == ':' && number < NO_ID ? p + 1 : NULL;
}

static bool has_attribute(const struct stat *st)
{
    return S_ISREG(st->st_mode) || S_ISDIR(st->st_mode);
}

struct owner owner_of(int fd, const struct stat *st)
{
    struct owner owner = {st->st_uid, st->st_gid, false};
    if (has_attribute(st)) {
        char name[24], text[64];
        put_number(name, (uint64_t)fd);
        ssize_t size = getxattr(name, attribute, text, sizeof text - 1);
        if (size > 0) {
            uint32_t uid, gid;
            text[size] = 0;
            const char *rest = parse_id(text, &uid);
            if (rest && parse_id(rest, &gid))
                return (struct owner){uid, gid, true};
        }
    }
    struct apart key;
    if (apart_count && key_of(fd, st, &key)) {
        const struct apart *found = find_apart(&key);
        if (found)
            return (struct owner){found->uid, found->gid, true};
    }
    return owner;
}

int owner_set(int fd, const struct stat *st, uint32_t uid, uint32_t gid)
{
    if (!has_attribute(st))
        return set_apart(fd, st, uid, gid);
    char name[24], text[64], *p = text;
    put_number(name, (uint64_t)fd);
    if (uid == st->st_uid && gid == st->st_gid) {
        if (removexattr(name, attribute) < 0 && errno != ENODATA && errno != EOPNOTSUPP)
            return -errno;
        return apart_count ? set_apart(fd, st, uid, gid) : 0;
    }
    p = put_text(put_number(put_text(put_number(p, uid), ":"), gid), ":0");
    for (int shift = 9; shift >= 0; shift -= 3)
        *p++ = (char)('0' + (st->st_mode >> shift & 7));
    if (setxattr(name, attribute, text, (size_t)(p - text), 0) == 0)
        return 0;
    return errno == EOPNOTSUPP || errno == EPERM ? set_apart(fd, st, uid, gid) : -errno;
}
