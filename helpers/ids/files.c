/* The calls that show owners, set them, and ask whose a file is. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "search.h"
#include "lib/text.h"

#define NAME_SIZE 256

/* Whether the task's descriptor only names a file (O_PATH): then the kernel changes nothing by it. */
static bool names_only(const struct request *r, int fd)
{
    struct stat st;
    char path[64], text[256], *task = put_number(path, (uint64_t)r->task);
    if (fd < 0)
        return true;
    put_number(put_text(task, "/fd/"), (uint64_t)fd);
    if (fstatat(proc_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_mode & (S_IRUSR | S_IWUSR))
        return false; /* open for reading or writing, as the link's bits say; without, it may be of the third kind (ioctl(2) alone) */
    put_number(put_text(task, "/fdinfo/"), (uint64_t)fd);
    int info = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
    ssize_t size = info < 0 ? -1 : read(info, text, sizeof text - 1);
    if (info >= 0)
        close(info);
    text[size > 0 ? size : 0] = 0;
    const char *flags = strstr(text, "flags:\t");
    return !flags || strtol(flags + 7, NULL, 8) & O_PATH;
}

/* Certainly of the task, and of no other that has its number since. */
int64_t changed_file(const struct request *r, int fd)
{
    int64_t found = names_only(r, fd) ? -EBADF : descriptor_of(r, fd);
    if (request_valid(r))
        return found;
    if (found >= 0)
        close((int)found);
    return GONE;
}

/* Whether the kernel's answer is right at a glance: the file that the task's descriptor is, or has as `name` in it, has no record
   there, and no file has one elsewhere. A name alone (or ""), and not followed: no link leads away, and the path to it, up from our working
   directory into the host's /proc, is ours. */
static bool unrecorded(const struct request *r, int dirfd, const char *name)
{
    char path[64 + NAME_SIZE], *end = path;
    if (owners_apart() || (dirfd < 0 && dirfd != AT_FDCWD) || strlen(name) >= NAME_SIZE || !strcmp(name, ".."))
        return false;
    end = put_text(put_number(put_text(end, "../../"), (uint64_t)r->task), dirfd == AT_FDCWD ? "/cwd" : "/fd/");
    if (dirfd != AT_FDCWD)
        end = put_number(end, (uint64_t)dirfd);
    if (*name)
        put_text(put_text(end, "/"), name);
    ssize_t size = *name ? lgetxattr(path, OWNER_ATTRIBUTE, NULL, 0) : getxattr(path, OWNER_ATTRIBUTE, NULL, 0);
    return size < 0 && (errno == ENODATA || (*name && errno == ENOENT));
}

/* The file of a stat(2) with its flags, or CONTINUE where the kernel's answer is right. */
static int64_t file_to_show(const struct request *r, int dirfd, uint64_t address, int flags)
{
    struct place place;
    int64_t result = place_read(r, address, flags & AT_EMPTY_PATH, &place);
    if (result < 0)
        return result;
    const bool is_name = flags & AT_SYMLINK_NOFOLLOW && !strchr(place.path, '/');
    if ((!place.path[0] || (is_name && credentials_over_files(credentials_of(r->task)))) && unrecorded(r, dirfd, place.path))
        return CONTINUE;
    return file_at(r, dirfd, flags, &place);
}

/* The file of a chown, chmod or stat, whichever it is: a descriptor of ours, or an error. */
static int64_t file_of_call(const struct request *r)
{
    const uint64_t *a = r->args;
    switch (r->nr) {
#ifdef SYS_chown
    case SYS_chown: case SYS_chmod: case SYS_stat: return file_of(r, AT_FDCWD, a[0], 0);
    case SYS_lchown: return file_of(r, AT_FDCWD, a[0], AT_SYMLINK_NOFOLLOW);
    case SYS_lstat: return file_to_show(r, AT_FDCWD, a[0], AT_SYMLINK_NOFOLLOW);
#endif
    case SYS_fchown: case SYS_fchmod: return changed_file(r, (int)a[0]);
    case SYS_fstat: return unrecorded(r, (int)a[0] < 0 ? -1 : (int)a[0], "") ? CONTINUE : descriptor_of(r, (int)a[0]);
    case SYS_fchmodat: return file_of(r, (int)a[0], a[1], 0);
    case SYS_fchmodat2: return file_of(r, (int)a[0], a[1], (int)a[3]);
    case SYS_newfstatat: return file_to_show(r, (int)a[0], a[1], (int)a[3]);
    case SYS_statx: return file_to_show(r, (int)a[0], a[1], (int)a[2]);
    default: return file_of(r, (int)a[0], a[1], (int)a[4]); /* fchownat */
    }
}

static bool same_id(uint32_t wanted, uint32_t is)
{
    return wanted == NO_ID || wanted == is;
}

/* Whether a change of owner takes its set-id bits, which is a change itself. */
static bool loses_bits(const struct stat *st)
{
    return !S_ISDIR(st->st_mode) && (st->st_mode & S_ISUID || (st->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP));
}

static int64_t chown_file(const struct request *r, int fd, uint32_t uid, uint32_t gid)
{
    struct stat st;
    const struct credentials *by = credentials_of(r->task);
    if (fstat(fd, &st) < 0)
        return -errno;
    struct owner was = owner_of(fd, &st);
    /* What is root's for the kernel and stays it is the kernel's to do: most of what is unpacked. */
    if (credentials_over_files(by) && !was.emulated && !owners_apart() && same_id(uid, st.st_uid) && same_id(gid, st.st_gid))
        return CONTINUE;
    if (in_proc(fd))
        return uid == NO_ID && gid == NO_ID ? CONTINUE : -EPERM; /* it is its process's */
    bool ours = by->fsuid == was.uid;
    if (!acts_as_owner(r, &st, CAP_CHOWN))
        return -EPERM;
    if (!has_in_force(r, by, CAP_CHOWN) &&
        ((uid != NO_ID && (!ours || uid != was.uid)) ||
         (gid != NO_ID && (!ours || (gid != was.gid && !credentials_in_group(by, gid)))) || (!credentials_own(by, &was) && loses_bits(&st)))) {
        struct statvfs fs;
        return fstatvfs(fd, &fs) == 0 && fs.f_flag & ST_RDONLY ? -EROFS : -EPERM;
    }
    /* The kernel refuses what it would refuse, copies the file up, and takes the bits that a change of owner takes. */
    if (fchownat(fd, "", uid == NO_ID ? NO_ID : st.st_uid, gid == NO_ID ? NO_ID : st.st_gid, AT_EMPTY_PATH) < 0 || fstat(fd, &st) < 0)
        return errno == EINVAL ? -EPERM : -errno; /* it belongs to somebody who has no id here */
    return owner_set(fd, &st, uid == NO_ID ? was.uid : uid, gid == NO_ID ? was.gid : gid);
}

int64_t call_chown(const struct request *r)
{
    bool with_path = r->nr == SYS_fchownat;
    if (with_path && r->args[4] & ~(uint64_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    int64_t fd = file_of_call(r);
    if (fd < 0)
        return fd;
    int64_t result = chown_file(r, (int)fd, (uint32_t)r->args[with_path ? 2 : 1], (uint32_t)r->args[with_path ? 3 : 2]);
    close((int)fd);
    return result;
}

int64_t call_chmod(const struct request *r)
{
    struct stat st;
    const struct credentials *by = credentials_of(r->task);
    bool over = credentials_over_files(by);
    if (over && !owners_apart())
        return CONTINUE;
    int64_t fd = file_of_call(r);
    if (over) {
        if (fd >= 0) {
            owner_carry((int)fd);
            close((int)fd);
        }
        return CONTINUE;
    }
    if (fd < 0)
        return fd == GONE || fd == -EACCES ? fd : CONTINUE;
    int64_t result = fstat((int)fd, &st) < 0 ? -errno : 0;
    if (result == 0) {
        struct owner owner = owner_of((int)fd, &st);
        mode_t mode = (mode_t)r->args[r->nr == SYS_fchmodat || r->nr == SYS_fchmodat2 ? 2 : 1];
        struct statvfs fs;
        if (S_ISLNK(st.st_mode))
            result = CONTINUE; /* it has an error of its own */
        else if (!credentials_own(by, &owner))
            result = fstatvfs((int)fd, &fs) == 0 && fs.f_flag & ST_RDONLY ? -EROFS : -EPERM;
        else if (mode & S_ISGID && !credentials_have(by, CAP_FSETID) && !credentials_in_group(by, owner.gid) && acts_as_owner(r, &st, CAP_FOWNER)) {
            char name[24]; /* a group's bit is not for who is not in the group */
            put_number(name, (uint64_t)fd);
            result = chmod(name, mode & 07777 & ~(mode_t)S_ISGID) < 0 ? -errno : 0;
        } else
            result = CONTINUE;
    }
    close((int)fd);
    return result;
}

/* A process's directory in /proc belongs to whom the process is. */
static bool owner_of_process(int fd, const struct stat *st, struct owner *owner)
{
    const struct credentials *of = S_ISDIR(st->st_mode) ? process_of_directory(fd) : NULL;
    if (of)
        *owner = (struct owner){of->euid, of->egid, of->euid || of->egid};
    return of && owner->emulated;
}

/* The owner to show; CONTINUE where the kernel shows the right one. */
static int64_t shown_owner(int fd, struct stat *st, struct owner *owner)
{
    char name[24];
    put_number(name, (uint64_t)fd);
    if (!owners_apart() && getxattr(name, OWNER_ATTRIBUTE, NULL, 0) < 0 && errno == ENODATA)
        return CONTINUE;
    if (fstat(fd, st) < 0)
        return CONTINUE;
    *owner = owner_of(fd, st);
    return owner->emulated || owner_of_process(fd, st, owner) ? 0 : CONTINUE;
}

int64_t call_stat(const struct request *r)
{
    struct stat st;
    struct owner owner;
    int64_t fd = file_of_call(r);
    if (fd < 0)
        return fd == GONE || fd == -EACCES ? fd : CONTINUE;
    int64_t result = shown_owner((int)fd, &st, &owner);
    close((int)fd);
    if (result < 0)
        return result;
    st.st_uid = owner.uid;
    st.st_gid = owner.gid;
    const uint64_t address = r->args[r->nr == SYS_newfstatat ? 2 : 1];
    return r->form == WIDE ? request_write(r, address, &st, sizeof st) : compat_write_stat(r, address, &st);
}

int64_t call_statx(const struct request *r)
{
    struct stat st;
    struct owner owner;
    struct statx_buffer buffer;
    int64_t fd = file_of_call(r);
    if (fd < 0)
        return fd == GONE || fd == -EACCES ? fd : CONTINUE;
    int64_t result = shown_owner((int)fd, &st, &owner);
    memset(&buffer, 0, sizeof buffer);
    if (result == 0 &&
        syscall(SYS_statx, (int)fd, "", AT_EMPTY_PATH | (r->args[2] & AT_STATX_SYNC_TYPE), (unsigned)r->args[3], &buffer) < 0)
        result = CONTINUE;
    close((int)fd);
    if (result < 0)
        return result;
    buffer.uid = owner.uid;
    buffer.gid = owner.gid;
    return request_write(r, r->args[4], &buffer, sizeof buffer);
}
