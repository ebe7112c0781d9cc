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

/* The file's bits by the list, and whether it names anybody; -1: it is none. */
static int mode_of(const struct list *list, size_t count, bool *named)
{
    int user = 0, group = 0, other = 0, mask = 7;
    *named = false;
    for (size_t i = 0; i < count; i++) {
        int bits = list->entries[i].bits & 7;
        switch (list->entries[i].tag) {
        case USER_OBJ: user = bits; break;
        case GROUP_OBJ: group = bits; break;
        case OTHER: other = bits; break;
        case MASK: mask = bits; break;
        case USER: case GROUP: *named = true; break;
        default: return -1;
        }
    }
    return user << 6 | (group & mask) << 3 | other;
}

/* Sets it as far as we do (set_posix_acl() of fs/posix_acl.c). CONTINUE: the kernel does. */
static int64_t set_list(const struct request *r, int fd, bool access, int mode, bool named)
{
    struct stat st;
    char name[24];
    const struct credentials *by = credentials_of(r->task);
    if (fstat(fd, &st) < 0)
        return -errno;
    if (S_ISLNK(st.st_mode))
        return named ? -EOPNOTSUPP : CONTINUE;
    if (!access && !S_ISDIR(st.st_mode))
        return named ? -EACCES : CONTINUE;
    struct owner owner = owner_of(fd, &st);
    if (!credentials_own(by, &owner) || !acts_as_owner(r, &st, CAP_FOWNER))
        return read_only(fd) ? CONTINUE : -EPERM;
    /* A group's bit is not for who is not in the group. */
    const bool loses = access && st.st_mode & S_ISGID && !credentials_have(by, CAP_FSETID) && !credentials_in_group(by, owner.gid);
    if (!named && !loses)
        return CONTINUE;
    if (!access)
        return 0;
    put_number(name, (uint64_t)fd);
    return chmod(name, (st.st_mode & (loses ? 05000 : 07000)) | (mode_t)mode) < 0 ? -errno : 0;
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
    const bool any = credentials_over_files(by) && credentials_have(by, CAP_SYS_ADMIN) && credentials_have(by, CAP_SETFCAP);
    if (!any && result > 0 && !(r->args[4] & ~3u) && strncmp(name, "system.", 7) != 0) {
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
    bool named;
    int mode = mode_of(&list, size / sizeof(struct entry), &named);
    if (mode < 0 || (!named && credentials_over_files(by)))
        return CONTINUE;
    int64_t fd = changed(r);
    if (fd < 0)
        return named || fd == GONE || fd == -EACCES ? fd : CONTINUE;
    result = set_list(r, (int)fd, access, mode, named);
    close((int)fd);
    return result;
}
