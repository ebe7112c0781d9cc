/* The calls that make a file. What root makes belongs to root, and the kernel makes it; but for another user, and in a
   directory that gives its group to what is in it, we make it in the task's place and note whose it is. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "create.h"
#include "lists.h"
#include "search.h"
#include "lib/text.h"

#define DEFAULT_UMASK 022

static bool is_directory(const struct request *r)
{
#ifdef SYS_mkdir
    if (r->nr == SYS_mkdir)
        return true;
#endif
    return r->nr == SYS_mkdirat;
}

static mode_t umask_of(const struct request *r)
{
    long found = request_status(r->task, "\nUmask:\t", 8);
    return found < 0 ? DEFAULT_UMASK : (mode_t)found & 0777;
}

/* Whether it may open, as it asks to, what is there already; the kernel would let it, for all is one user's. */
static bool may_open(const struct credentials *by, const struct making *making)
{
    struct stat st;
    uint64_t flags = making->flags;
    int fd = open_beneath(making->parent, making->name, O_PATH | (flags & O_NOFOLLOW), 0);
    if (fd < 0)
        return true;
    bool may = true;
    if (fstat(fd, &st) == 0) {
        struct owner owner = owner_of(fd, &st);
        may = S_ISDIR(st.st_mode) || credentials_may(by, fd, &st, &owner, wanted_by(flags));
    }
    close(fd);
    return may;
}

/* Whether the directory has a list for what is made in it, which stands for the umask then (acl(5)). */
static bool has_default_list(int fd)
{
    char name[24];
    put_number(name, (uint64_t)fd);
    return getxattr(name, "system.posix_acl_default", NULL, 0) >= 0;
}

/* At a glance: whether it is root's to make, in a directory that gives its group to nobody. The kernel does that. */
static bool is_roots(const struct credentials *by, const struct place *place, bool in_directory, bool follows)
{
    struct stat st;
    char target[2];
    const char *name = ".";
    if (by->fsuid || by->fsgid || !credentials_over_files(by))
        return false;
    const int parent = in_directory ? place_open(place, true) : place_parent(place, &name);
    const bool kept = parent < 0 ? !leads_elsewhere(place, parent)
                                 : fstat(parent, &st) < 0 || (!(st.st_mode & S_ISGID) && !list_for_new(parent) && !(follows && readlinkat(parent, name, target, 1) >= 0));
    if (parent >= 0)
        close(parent);
    return kept;
}

int64_t making_begin(const struct request *r, struct place *place, bool in_directory, bool follows, struct making *making)
{
    struct stat st;
    struct found found;
    const struct credentials *by = credentials_of(r->task);
    const bool slashed = !in_directory && strip_slashes(place->path) && !is_directory(r);
    if (making->opens)
        place->wanted = wanted_by(making->flags);
    int64_t result = is_roots(by, place, in_directory, follows) ? CONTINUE : search(place, by, follows, &found);
    place_close(place);
    if (result != 0)
        return result == -ENOENT ? CONTINUE : result; /* in /proc it has another error */
    if (slashed || (found.file >= 0 && !in_directory)) {
        result = !slashed && making->opens && !credentials_over_files(by) ? opens(by, &found, making->flags) : CONTINUE;
        search_end(&found);
        return result;
    }
    making->parent = in_directory ? found.file : found.parent;
    put_text(making->name, in_directory ? "." : found.name);
    *(in_directory ? &found.file : &found.parent) = -1;
    search_end(&found);
    if (making->parent < 0 || found.slashed || fstat(making->parent, &st) < 0 || !S_ISDIR(st.st_mode)) {
        if (making->parent >= 0)
            close(making->parent);
        return CONTINUE;
    }
    struct owner directory = owner_of(making->parent, &st);
    making->owner = (struct owner){by->fsuid, st.st_mode & S_ISGID ? directory.gid : by->fsgid, true};
    making->listed = list_for_new(making->parent);
    if (!making->owner.uid && !making->owner.gid && !making->listed && credentials_over_files(by))
        result = CONTINUE;
    else if (!credentials_may(by, making->parent, &st, &directory, S_IWOTH | S_IXOTH))
        result = read_only(making->parent) ? CONTINUE : -EACCES;
    else if (!acts_as_owner(r, &st, CAP_DAC_OVERRIDE))
        result = CONTINUE;
    if (result != 0)
        close(making->parent);
    else
        making->umask = making->listed || has_default_list(making->parent) ? 0 : umask_of(r);
    return result;
}

void making_end(struct making *making)
{
    close(making->parent);
}

int making_note(int fd, const struct owner *owner)
{
    struct stat st;
    return fstat(fd, &st) < 0 ? -errno : owner_set(fd, &st, owner->uid, owner->gid);
}

static int64_t begin(const struct request *r, int dirfd, uint64_t address, bool in_directory, bool follows, struct making *making)
{
    struct place place;
    int64_t result = place_of(r, dirfd, address, false, &place);
    if (result < 0)
        return result == GONE ? GONE : CONTINUE;
    return making_begin(r, &place, in_directory, follows, making);
}

int64_t hand_over(const struct request *r, int fd, uint64_t flags)
{
    struct seccomp_notif_addfd give = {.id = r->id, .flags = SECCOMP_ADDFD_FLAG_SEND, .srcfd = (uint32_t)fd, .newfd_flags = flags & O_CLOEXEC};
    if (ioctl(r->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &give) >= 0)
        return ANSWERED;
    return errno == ENOENT ? GONE : -errno;
}

int64_t call_create(const struct request *r)
{
    struct making making;
    bool at = r->nr == SYS_openat;
#ifdef SYS_creat
    bool creat = r->nr == SYS_creat;
#else
    bool creat = false;
#endif
    const uint64_t *a = r->args + at;
    uint64_t flags = creat ? O_CREAT | O_WRONLY | O_TRUNC : (uint32_t)a[1];
    mode_t mode = (mode_t)a[creat ? 1 : 2] & 07777;
    bool temporary = (flags & O_TMPFILE) == O_TMPFILE;
    making.flags = flags;
    making.opens = !temporary && !(flags & O_EXCL);
    int64_t result = begin(r, at ? (int)r->args[0] : AT_FDCWD, a[0], temporary, !(flags & O_NOFOLLOW) && (temporary || !(flags & O_EXCL)), &making);
    if (result != 0)
        return result;
    mode &= ~making.umask;
    if (making.listed)
        mode = list_mode_of_new(making.parent, mode);
    if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && !credentials_have(credentials_of(r->task), CAP_FSETID) &&
        !credentials_in_group(credentials_of(r->task), making.owner.gid))
        mode &= ~(mode_t)S_ISGID; /* the directory's group is none of his */
    /* With O_EXCL it is a new file that is opened, and never one that lets us wait. */
    uint64_t ours = flags & (O_ACCMODE | O_APPEND | O_TRUNC | O_SYNC | O_DSYNC | O_DIRECT | O_NOATIME | O_LARGEFILE | O_NONBLOCK | O_NOFOLLOW);
    int fd = temporary ? open_beneath(making.parent, ".", ours | O_TMPFILE | (flags & O_EXCL), mode)
                       : open_beneath(making.parent, making.name, ours | O_CREAT | O_EXCL, mode);
    if (fd < 0) {
        /* It is there, and opening it makes nothing; or the error is the kernel's to tell. */
        bool refused = fd == -EEXIST && making.opens && !may_open(credentials_of(r->task), &making);
        result = refused ? -EACCES : CONTINUE;
    }
    else {
        int noted = making_note(fd, &making.owner);
        if (noted == 0 && making.listed)
            noted = list_give(making.parent, fd, S_IFREG | mode);
        result = noted < 0 ? noted : hand_over(r, fd, flags);
        if (result != ANSWERED && !temporary)
            unlinkat(making.parent, making.name, 0);
        close(fd);
    }
    making_end(&making);
    return result;
}

int64_t call_make(const struct request *r)
{
    struct making making;
    char target[PATH_SIZE];
    const uint64_t *a = r->args;
    int dirfd = AT_FDCWD;
    int64_t result;
    bool link = r->nr == SYS_symlinkat;
    making.opens = false;
    switch (r->nr) {
#ifdef SYS_mkdir
    case SYS_symlink: link = true; break;
    case SYS_mkdir: case SYS_mknod: break;
#endif
    case SYS_symlinkat: dirfd = (int)a[1]; a++; break;
    default: dirfd = (int)a[0]; a++; break;
    }
    bool directory = is_directory(r);
    mode_t mode = (mode_t)a[1];
    mode_t type = mode & S_IFMT;
    bool device = !link && !directory && type && type != S_IFREG && type != S_IFIFO && type != S_IFSOCK;
    result = begin(r, dirfd, a[link], false, false, &making);
    if (result != 0)
        return result;
    if (device) { /* what the kernel says of it, where the task may write */
        making_end(&making);
        return CONTINUE;
    }
    mode &= 07777 & ~making.umask;
    if (making.listed && !link)
        mode = list_mode_of_new(making.parent, mode);
    int made;
    if (link) {
        result = request_text(r, r->args[0], target, sizeof target);
        made = result < 0 ? -1 : symlinkat(target, making.parent, making.name);
    } else
        made = directory ? mkdirat(making.parent, making.name, mode & 01777) : mknodat(making.parent, making.name, (type ? type : S_IFREG) | mode, 0);
    if (result >= 0)
        result = made < 0 ? -errno : 0;
    if (result == 0) {
        int fd = open_beneath(making.parent, making.name, O_PATH | O_NOFOLLOW, 0);
        int noted = fd < 0 ? fd : making_note(fd, &making.owner);
        if (noted == 0 && making.listed && !link)
            noted = list_give(making.parent, fd, (directory ? S_IFDIR : type ? type : S_IFREG) | mode);
        if (fd >= 0)
            close(fd);
        result = noted;
    }
    making_end(&making);
    return result;
}
