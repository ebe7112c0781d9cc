#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/xattr.h>

#include "lists.h"
#include "lib/text.h"

static atomic_bool any;

bool lists_kept(void)
{
    return any;
}

static const char *kept_name(bool access)
{
    return access ? KEPT ACCESS_LIST : KEPT DEFAULT_LIST;
}

bool list_valid(const struct list *list, size_t count, bool *named)
{
    uint16_t next = USER_OBJ;
    *named = false;
    for (size_t i = 0; i < count; i++) {
        const struct entry *each = &list->entries[i];
        const uint16_t tag = each->tag;
        if (each->bits & ~7u || ((tag == USER || tag == GROUP) && each->id == NO_ID))
            return false;
        if (tag == USER_OBJ && next == USER_OBJ)
            next = USER;
        else if ((tag == USER && next == USER) || (tag == GROUP && next == GROUP))
            *named = true;
        else if (tag == GROUP_OBJ && next == USER)
            next = GROUP;
        else if (tag == MASK && next == GROUP)
            next = OTHER;
        else if (tag == OTHER && (next == OTHER || (next == GROUP && !*named)))
            next = 0;
        else
            return false;
    }
    return list->version == 2 && count && !next;
}

/* Where the bits of this one of the three are kept: MASK's are the group's, if there is one. */
static struct entry *entry_of(struct list *list, size_t count, uint16_t tag)
{
    struct entry *found = NULL;
    for (size_t i = 0; i < count; i++)
        if (list->entries[i].tag == tag || (tag == GROUP_OBJ && list->entries[i].tag == MASK))
            found = &list->entries[i];
    return found;
}

mode_t list_mode(const struct list *list, size_t count)
{
    struct list *here = (struct list *)list;
    const mode_t user = entry_of(here, count, USER_OBJ)->bits, group = entry_of(here, count, GROUP_OBJ)->bits, other = entry_of(here, count, OTHER)->bits;
    return user << 6 | group << 3 | other;
}

static size_t read_kept(int fd, bool access, struct list *list)
{
    char number[24];
    bool named;
    put_number(number, (uint64_t)fd);
    const ssize_t size = getxattr(number, kept_name(access), list, sizeof *list);
    if (size < 4 || size % (ssize_t)sizeof(struct entry) != 4)
        return 0;
    const size_t count = (size_t)size / sizeof(struct entry);
    any = true;
    return list_valid(list, count, &named) ? count : 0;
}

size_t list_read(int fd, const struct stat *st, bool access, struct list *list)
{
    const size_t count = S_ISREG(st->st_mode) || S_ISDIR(st->st_mode) ? read_kept(fd, access, list) : 0;
    if (count && access) { /* chmod(2) is the kernel's to do, and changes the list */
        entry_of(list, count, USER_OBJ)->bits = st->st_mode >> 6 & 7;
        entry_of(list, count, GROUP_OBJ)->bits = st->st_mode >> 3 & 7;
        entry_of(list, count, OTHER)->bits = st->st_mode & 7;
    }
    return count;
}

int list_keep(int fd, bool access, const struct list *list, size_t count)
{
    char number[24];
    put_number(number, (uint64_t)fd);
    any = any || count;
    if (count)
        return setxattr(number, kept_name(access), list, 4 + count * sizeof(struct entry), 0) < 0 ? -errno : 0;
    if (getxattr(number, kept_name(access), NULL, 0) < 0)
        return 0;
    return removexattr(number, kept_name(access)) < 0 ? -errno : 0;
}

/* posix_acl_permission() */
int list_lets(int fd, const struct credentials *by, const struct stat *st, const struct owner *owner, mode_t wanted)
{
    struct list list;
    const size_t count = fd < 0 || !(st->st_mode & S_IRWXG) ? 0 : list_read(fd, st, true, &list);
    const mode_t mask = st->st_mode >> 3 & 7;
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        const struct entry *each = &list.entries[i];
        const bool group = each->tag == GROUP_OBJ || each->tag == GROUP;
        if (each->tag == USER && each->id == by->fsuid)
            return (each->bits & mask & wanted) == wanted;
        if (each->tag == OTHER)
            return !found && (each->bits & wanted) == wanted;
        if (!group || !credentials_in_group(by, each->tag == GROUP ? each->id : owner->gid))
            continue;
        found = true;
        if ((each->bits & wanted) == wanted)
            return (mask & wanted) == wanted;
    }
    return -1;
}

bool list_for_new(int directory)
{
    char number[24];
    put_number(number, (uint64_t)directory);
    return getxattr(number, KEPT DEFAULT_LIST, NULL, 0) > 0;
}

/* posix_acl_create_masq(): the list of what is made with this mode, which changes both. */
static mode_t narrow(struct list *list, size_t count, mode_t mode)
{
    static const struct { uint16_t tag; int shift; } three[] = {{USER_OBJ, 6}, {GROUP_OBJ, 3}, {OTHER, 0}};
    for (int i = 0; i < 3; i++) {
        struct entry *entry = entry_of(list, count, three[i].tag);
        entry->bits &= (uint16_t)(mode >> three[i].shift & 7);
        mode = (mode & ~((mode_t)7 << three[i].shift)) | (mode_t)entry->bits << three[i].shift;
    }
    return mode;
}

mode_t list_mode_of_new(int directory, mode_t mode)
{
    struct list list;
    const size_t count = read_kept(directory, false, &list);
    return count ? narrow(&list, count, mode) : mode;
}

int list_give(int directory, int fd, mode_t mode)
{
    struct list list;
    const size_t count = read_kept(directory, false, &list);
    int result = 0;
    if (S_ISDIR(mode) && count)
        result = list_keep(fd, false, &list, count);
    if (result == 0 && count && (S_ISDIR(mode) || S_ISREG(mode))) {
        narrow(&list, count, mode);
        result = list_keep(fd, true, &list, count);
    }
    return result == -EOPNOTSUPP || result == -EPERM ? 0 : result;
}
