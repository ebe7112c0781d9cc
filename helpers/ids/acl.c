/* Access control lists. One that names users or groups names ids that the kernel has not: it says EINVAL. Such a list is kept with the file
   (lists.c), whose bits are made those of the list, as the kernel would make them. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lists.h"
#include "search.h"
#include "lib/text.h"

/* Sets it as far as we do (set_posix_acl() of fs/posix_acl.c). CONTINUE: the kernel does. */
static int64_t set_list(const struct request *r, int fd, bool access, const struct list *list, size_t count, bool named)
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
    put_number(name, (uint64_t)fd);
    if (named) { /* where none can be kept, the bits are all that is left of it */
        const int kept = list_keep(fd, access, list, count);
        if (kept < 0 && kept != -EOPNOTSUPP && kept != -EPERM)
            return kept;
        removexattr(name, access ? ACCESS_LIST : DEFAULT_LIST);
    } else if (!read_only(fd)) {
        const int forgotten = list_keep(fd, access, NULL, 0);
        if (forgotten < 0 || !loses)
            return forgotten < 0 ? forgotten : CONTINUE;
    }
    if (!access)
        return 0;
    return chmod(name, (st.st_mode & (loses ? 05000 : 07000)) | list_mode(list, count)) < 0 ? -errno : 0;
}

/* The file of a call that changes, reads or lists attributes. */
static int64_t file_of_attribute(const struct request *r)
{
    const bool here = r->nr == SYS_fsetxattr || r->nr == SYS_fgetxattr || r->nr == SYS_flistxattr;
    const bool stays = r->nr == SYS_lsetxattr || r->nr == SYS_lgetxattr || r->nr == SYS_llistxattr;
    return here ? changed_file(r, (int)r->args[0]) : file_of(r, AT_FDCWD, r->args[0], stays ? AT_SYMLINK_NOFOLLOW : 0);
}

/* Whether it is the name of a list, and of which. */
static bool is_list(const char *name, bool *access)
{
    *access = !strcmp(name, ACCESS_LIST);
    return *access || !strcmp(name, DEFAULT_LIST);
}

int64_t call_set_attribute(const struct request *r)
{
    char name[256];
    struct list list = {.version = 0};
    int64_t result = request_text(r, r->args[1], name, sizeof name);
    if (result < 0)
        return result == GONE ? GONE : CONTINUE;
    bool access, named = false;
    const size_t size = r->args[3], count = size / sizeof(struct entry);
    const struct credentials *by = credentials_of(r->task);
    const bool any = credentials_over_files(by) && credentials_have(by, CAP_SYS_ADMIN) && credentials_have(by, CAP_SETFCAP);
    if (!any && result > 0 && !(r->args[4] & ~3u) && strncmp(name, "system.", 7) != 0) {
        int64_t file = file_of_attribute(r);
        if (file < 0)
            return file == GONE || file == -EACCES ? file : CONTINUE;
        result = may_set_attribute(by, (int)file, name);
        close((int)file);
        return result;
    }
    if (!is_list(name, &access) || size > sizeof list || size < sizeof list.version || size % sizeof(struct entry) != 4)
        return CONTINUE;
    if ((result = request_read(r, r->args[2], &list, size)) < 0)
        return result == GONE ? GONE : CONTINUE;
    if (!list_valid(&list, count, &named))
        return CONTINUE;
    int64_t fd = file_of_attribute(r);
    if (fd < 0)
        return named || fd == GONE || fd == -EACCES ? fd : CONTINUE;
    result = set_list(r, (int)fd, access, &list, count, named);
    close((int)fd);
    return result;
}

int64_t call_get_attribute(const struct request *r)
{
    char name[256];
    struct list list;
    struct stat st;
    bool access;
    int64_t result = request_text(r, r->args[1], name, sizeof name);
    if (result <= 0 || !is_list(name, &access))
        return result == GONE ? GONE : CONTINUE;
    int64_t fd = file_of_attribute(r);
    if (fd < 0)
        return fd == GONE || fd == -EACCES ? fd : CONTINUE;
    const size_t count = fstat((int)fd, &st) < 0 ? 0 : list_read((int)fd, &st, access, &list), size = 4 + count * sizeof(struct entry);
    close((int)fd);
    if (!count)
        return CONTINUE;
    if (r->args[3] && r->args[3] < size)
        return -ERANGE;
    result = r->args[3] ? request_write(r, r->args[2], &list, size) : 0;
    return result < 0 ? result : (int64_t)size;
}

/* The names of attributes, in which that of a kept list is the list's. */
int64_t call_list_attributes(const struct request *r)
{
    enum { MOST = 65536 };
    char number[24];
    int64_t fd = file_of_attribute(r);
    if (fd < 0)
        return fd == GONE || fd == -EACCES ? fd : CONTINUE;
    put_number(number, (uint64_t)fd);
    int64_t result = CONTINUE;
    if (getxattr(number, KEPT ACCESS_LIST, NULL, 0) > 0 || getxattr(number, KEPT DEFAULT_LIST, NULL, 0) > 0) {
        char *names = malloc(MOST);
        const ssize_t all = names ? listxattr(number, names, MOST) : -1;
        size_t size = 0;
        for (ssize_t at = 0, length; at < all; at += length) {
            length = (ssize_t)strlen(names + at) + 1;
            const bool kept = !strncmp(names + at, KEPT "system.", sizeof KEPT "system." - 1);
            const size_t before = kept ? sizeof KEPT - 1 : 0, rest = (size_t)length - before;
            memmove(names + size, names + at + before, rest);
            size += rest;
        }
        if (all >= 0 && r->args[2] && r->args[2] < size)
            result = -ERANGE;
        else if (all >= 0) {
            result = r->args[2] ? request_write(r, r->args[1], names, size) : 0;
            result = result < 0 ? result : (int64_t)size;
        }
        free(names);
    }
    close((int)fd);
    return result;
}
