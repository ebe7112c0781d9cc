/* Who owns a file: an attribute of files and directories, in the form that fuse-overlayfs and Podman read,
   UID:GID:0MODE; apart (apart.c) of what can have no such attribute. Without a record a file belongs to whom the kernel
   says. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "apart.h"
#include "lib/text.h"

static const char attribute[] = OWNER_ATTRIBUTE;

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
    apart_owner(fd, st, &owner);
    return owner;
}

/* fuse-overlayfs shows this attribute and refuses to set it: it is set below it, and then seen by the file. Not of the top itself, for which
   it would be a sign to show all files as whose they say they are, at its next start. */
static bool below_fuse(int fd, const struct stat *st, const char *text, size_t size)
{
    struct stat above, top;
    char name[24], seen[64];
    int copy = open_copy(fd, st, &above);
    if (copy < 0)
        return false;
    put_number(name, (uint64_t)copy);
    bool set = fstat(upper_fd, &top) == 0 && (above.st_ino != top.st_ino || above.st_dev != top.st_dev) &&
               setxattr(name, attribute, text, size, 0) == 0;
    close(copy);
    put_number(name, (uint64_t)fd);
    return set && getxattr(name, attribute, seen, sizeof seen) == (ssize_t)size && !memcmp(seen, text, size);
}

int owner_set(int fd, const struct stat *st, uint32_t uid, uint32_t gid)
{
    if (!has_attribute(st))
        return apart_set(fd, st, uid, gid);
    char name[24], text[64], *p = text;
    put_number(name, (uint64_t)fd);
    /* A record that is there is written over, never taken away: where the image has another owner for the file, a commit would
       have that again (owners.json). */
    if (uid == st->st_uid && gid == st->st_gid && getxattr(name, attribute, NULL, 0) < 0) {
        if (errno != ENODATA && errno != EOPNOTSUPP)
            return -errno;
        return owners_apart() ? apart_set(fd, st, uid, gid) : 0;
    }
    p = put_text(put_number(put_text(put_number(p, uid), ":"), gid), ":0");
    for (int shift = 9; shift >= 0; shift -= 3)
        *p++ = (char)('0' + (st->st_mode >> shift & 7));
    const size_t size = (size_t)(p - text);
    if (setxattr(name, attribute, text, size, 0) == 0)
        return 0;
    if (errno != EOPNOTSUPP && errno != EPERM)
        return -errno;
    return below_fuse(fd, st, text, size) ? 0 : getxattr(name, attribute, NULL, 0) < 0 ? apart_set(fd, st, uid, gid) : -EPERM;
}

void owner_carry(int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || has_attribute(&st))
        return;
    struct owner owner = {0};
    if (apart_owner(fd, &st, &owner) && fchownat(fd, "", st.st_uid, st.st_gid, AT_EMPTY_PATH) == 0 && fstat(fd, &st) == 0)
        apart_set(fd, &st, owner.uid, owner.gid);
}
