/* Access control lists that name users or groups: kept in an attribute of the file's, for the kernel has not these ids. */
#ifndef ROOTLESS_IDS_LISTS_H
#define ROOTLESS_IDS_LISTS_H

#include "ids.h"

#define KEPT "user.rootless." /* before the name that the list has: as unpacking keeps what the kernel refuses */
#define ACCESS_LIST "system.posix_acl_access"
#define DEFAULT_LIST "system.posix_acl_default"

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

/* Whether any has been kept or found: it may refuse to one what the bits let all do. */
bool lists_kept(void);
/* Whether the kernel would take it (posix_acl_valid() of fs/posix_acl.c), where it has all ids. */
bool list_valid(const struct list *list, size_t count, bool *named);
/* The bits of a file that has it. */
mode_t list_mode(const struct list *list, size_t count);
/* The list that is kept with the file, with its bits as they are now; how many entries, 0: none. */
size_t list_read(int fd, const struct stat *st, bool access, struct list *list);
/* Keeps it, or (count 0) none: 0 or -errno. */
int list_keep(int fd, bool access, const struct list *list, size_t count);
/* Whether who is not the file's owner may do what is wanted; -1: the bits say it, for no list is kept. */
int list_lets(int fd, const struct credentials *by, const struct stat *st, const struct owner *owner, mode_t wanted);
/* Whether a directory has a list for what is made in it. */
bool list_for_new(int directory);
/* Gives what was made in the directory, with this mode, its lists (posix_acl_create()): the mode that it has by them; before it is made, and
   after that. */
mode_t list_mode_of_new(int directory, mode_t mode);
int list_give(int directory, int fd, mode_t mode);

#endif
