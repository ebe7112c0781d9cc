/* execve(2): a program may change who its process is. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "ids.h"
#include "lib/text.h"

enum kind { NOTHING, SCRIPT, PROGRAM };

/* What the regular file is for the kernel: a file that it executes not changes nobody. */
static enum kind kind_of(int fd)
{
    char start[4], name[24];
    put_number(name, (uint64_t)fd);
    int file = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* ours by its descriptor */
    ssize_t size = file < 0 ? -1 : read(file, start, sizeof start);
    if (file >= 0)
        close(file);
    if (size >= 2 && start[0] == '#' && start[1] == '!')
        return SCRIPT;
    return size == sizeof start ? PROGRAM : NOTHING;
}

/* Whether the kernel would take the file's set-user-id and set-group-id bits: not where it may gain nothing. */
static bool takes_bits(const struct request *r, int fd)
{
    struct statvfs fs;
    return fstatvfs(fd, &fs) == 0 && !(fs.f_flag & ST_NOSUID) && request_status(r->task, "\nNoNewPrivs:\t", 10) != 1;
}

/* The kernel executes it; by then the process is who it will be. */
int64_t call_execute(const struct request *r)
{
    struct stat st;
    const struct credentials *old = credentials_of(r->task);
    struct credentials changed = *old;
    bool at = r->nr == SYS_execveat;
    int64_t fd = file_of(r, at ? (int)r->args[0] : AT_FDCWD, r->args[at], at ? (int)r->args[4] : 0);
    if (fd < 0)
        return fd == GONE || fd == -EACCES ? fd : CONTINUE;
    if (fstat((int)fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_mode & 0111) {
        bool set_uid = st.st_mode & S_ISUID, set_gid = (st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP);
        struct owner owner = {0};
        if (set_uid || set_gid || !credentials_over_files(old))
            owner = owner_of((int)fd, &st);
        if (!credentials_may(old, &st, &owner, S_IXOTH)) {
            close((int)fd);
            return -EACCES;
        }
        enum kind kind = set_uid || set_gid ? kind_of((int)fd) : NOTHING;
        if (kind == PROGRAM && takes_bits(r, (int)fd)) {
            if (set_uid)
                changed.euid = owner.uid;
            if (set_gid)
                changed.egid = owner.gid;
        }
        changed.suid = changed.fsuid = changed.euid;
        changed.sgid = changed.fsgid = changed.egid;
        changed.keep = changed.no_files = 0;
        changed.permitted = !changed.ruid || !changed.euid;
        changed.effective = !changed.euid;
        /* Of most programs nobody becomes another, and nobody asks what they are. */
        if (memcmp(&changed, old, sizeof changed) != 0 && (kind != NOTHING || kind_of((int)fd) != NOTHING))
            credentials_set(r, &changed, NULL); /* the process is not told; at worst it stays who it is */
    }
    close((int)fd);
    return CONTINUE;
}
