/* Access control lists. One that names users or groups names ids that the kernel has not: it says EINVAL, and package
   managers give up. Of such a list the file's bits are taken, and the names are forgotten. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "search.h"
#include "lib/text.h"

/* <linux/posix_acl_xattr.h>, little endian */
struct entry {
    uint16_t tag, bits;
    uint32_t id;
};
enum { USER_OBJ = 1, USER = 2, GROUP_OBJ = 4, GROUP = 8, MASK = 16, OTHER = 32 };
struct list {
    uint32_t version;
    struct entry entries[512];
};

/* The file's bits by the list; -1: it names nobody, and the kernel takes it. */
static int mode_of(const struct list *list, size_t count)
{
    int user = 0, group = 0, other = 0, mask = 7, named = 0;
    for (size_t i = 0; i < count; i++) {
        int bits = list->entries[i].bits & 7;
        switch (list->entries[i].tag) {
        case USER_OBJ: user = bits; break;
        case GROUP_OBJ: group = bits; break;
        case OTHER: other = bits; break;
        case MASK: mask = bits; break;
        case USER: case GROUP: named = 1; break;
        default: return -1;
        }
    }
    return named ? user << 6 | (group & mask) << 3 | other : -1;
}

static int64_t set_mode(const struct request *r, int fd, int mode)
{
    struct stat st;
    char name[24];
    const struct credentials *by = credentials_of(r->task);
    if (fstat(fd, &st) < 0)
        return -errno;
    if (S_ISLNK(st.st_mode))
        return -EOPNOTSUPP;
    if ((!credentials_over_files(by) && by->fsuid != owner_of(fd, &st).uid) || !acts_as_owner(r, &st, CAP_FOWNER))
        return -EPERM;
    put_number(name, (uint64_t)fd);
    return chmod(name, (st.st_mode & 07000) | (mode_t)mode) < 0 ? -errno : 0;
}

/* The file of a setxattr(2). */
static int64_t changed(const struct request *r)
{
    return r->nr == SYS_fsetxattr ? changed_file(r, (int)r->args[0])
                                  : file_of(r, AT_FDCWD, r->args[0], r->nr == SYS_lsetxattr ? AT_SYMLINK_NOFOLLOW : 0);
}

int64_t call_set_attribute(const struct request *r)
{
    char name[256];
    struct list list;
    static const char access_list[] = "system.posix_acl_access", default_list[] = "system.posix_acl_default";
    int64_t result = request_text(r, r->args[1], name, sizeof name);
    if (result < 0)
        return result == GONE ? GONE : CONTINUE;
    bool access = !strcmp(name, access_list);
    const size_t size = r->args[3];
    const struct credentials *by = credentials_of(r->task);
    if (!credentials_over_files(by) && result > 0 && !(r->args[4] & ~3u) && strncmp(name, "system.", 7) != 0) {
        int64_t file = changed(r);
        if (file < 0)
            return file == GONE || file == -EACCES ? file : CONTINUE;
        result = may_set_attribute(by, (int)file, name);
        close((int)file);
        return result;
    }
    if ((!access && strcmp(name, default_list) != 0) || size > sizeof list || size < sizeof list.version || size % sizeof(struct entry) != 4)
        return CONTINUE;
    if ((result = request_read(r, r->args[2], &list, size)) < 0)
        return result == GONE ? GONE : CONTINUE;
    int mode = mode_of(&list, size / sizeof(struct entry));
    if (mode < 0)
        return CONTINUE;
    int64_t fd = changed(r);
    if (fd < 0)
        return fd;
    result = access ? set_mode(r, (int)fd, mode) : 0;
    close((int)fd);
    return result;
}
