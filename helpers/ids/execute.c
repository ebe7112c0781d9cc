/* execve(2): a program may change who its process is. */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
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

/* Whether the kernel would take the file's set-user-id and set-group-id bits, and its capabilities. */
static bool takes_bits(int fd)
{
    struct statvfs fs;
    return fstatvfs(fd, &fs) == 0 && !(fs.f_flag & ST_NOSUID);
}

/* What a process has begun to execute. Whom that makes it is told at its next call, when it is known that the kernel has done it: who was
   another already would stay it where the kernel refuses (E2BIG, EFAULT, ETXTBSY). A child that it makes before any call is who it was. */
#define PENDING 64u
struct execution {
    pid_t process, thread;
    bool set_uid, set_gid, gains_nothing; /* PR_SET_NO_NEW_PRIVS */
    struct owner owner;
    struct file_capabilities capabilities; /* `permitted`: what it gets of the file's */
    char memory[96];
};
static struct execution pending[PENDING];
static atomic_size_t pending_count;
static pthread_mutex_t awaiting = PTHREAD_MUTEX_INITIALIZER;

/* What tells the program in a process from the one before: when the process began (a word), and where its memory lies. */
static bool memory_of(pid_t process, char memory[96])
{
    char path[64], text[1024];
    put_text(put_number(path, (uint64_t)process), "/stat");
    int fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[size > 0 ? size : 0] = 0;
    char *field = strrchr(text, ')');
    for (int at = 2; field && at < 28; at++) {
        field = strchr(field + 1, ' ');
        size_t length = field ? strcspn(field + 1, " \n") + 1 : 0;
        if (field && (at == 21 || at > 24) && length < 24) { /* starttime; startcode, endcode, startstack */
            memcpy(memory, field, length);
            memory += length;
        }
    }
    *memory = 0;
    return field;
}

/* Takes what the process is known to have begun to execute out of the table; whether there is any. */
static bool take(pid_t process, struct execution *taken)
{
    bool found = false;
    pthread_mutex_lock(&awaiting);
    for (size_t i = 0; i < pending_count && !found; i++)
        if (pending[i].process == process) {
            *taken = pending[i];
            pending[i] = pending[--pending_count];
            found = true;
        }
    pthread_mutex_unlock(&awaiting);
    return found;
}

static void await(const struct execution *one)
{
    pthread_mutex_lock(&awaiting);
    if (pending_count == PENDING)
        pending[0] = pending[--pending_count]; /* it has waited longest, or nearly */
    pending[pending_count++] = *one;
    pthread_mutex_unlock(&awaiting);
}

/* The credentials that are left to who executes it (cap_bprm_creds_from_file() of security/commoncap.c). */
static struct credentials after(const struct credentials *old, const struct execution *of)
{
    struct credentials changed = *old;
    const struct file_capabilities *file = &of->capabilities;
    bool effective = file->effective;
    if (of->set_uid)
        changed.euid = of->owner.uid;
    if (of->set_gid)
        changed.egid = of->owner.gid;
    changed.permitted = file->permitted;
    /* A program that is root's and says which capabilities it wants gets these, unless root executes it. */
    if (!file->found || !changed.ruid || changed.euid) {
        if (!changed.ruid || !changed.euid)
            changed.permitted = UINT64_MAX;
        effective = effective || !changed.euid;
    }
    const bool another = changed.euid != old->euid || !credentials_in_group(old, changed.egid);
    if (of->gains_nothing && (another || changed.permitted & ~old->permitted)) {
        changed.euid = changed.ruid;
        changed.egid = changed.rgid;
        changed.permitted &= old->permitted;
    }
    changed.keep = 0;
    if (file->found || another)
        changed.ambient = 0;
    changed.permitted |= changed.ambient;
    changed.effective = effective ? changed.permitted : changed.ambient;
    changed.suid = changed.fsuid = changed.euid;
    changed.sgid = changed.fsgid = changed.egid;
    return changed;
}

void executions_settle(const struct request *r)
{
    struct execution one;
    char memory[96];
    if (!pending_count || !take((pid_t)request_status(r->task, "\nTgid:\t", 10), &one) || !memory_of(one.process, memory))
        return;
    const size_t begun = 1 + strcspn(memory + 1, " ");
    if (strncmp(memory, one.memory, begun + 1) != 0)
        return; /* another process of its number */
    if (strcmp(memory, one.memory) != 0) {
        struct credentials changed = after(credentials_of(r->task), &one);
        credentials_set(r, &changed, NULL);
    } else if (one.thread != r->task)
        await(&one); /* it is at it still */
}

int64_t call_execute(const struct request *r)
{
    struct stat st;
    const struct credentials *old = credentials_of(r->task);
    bool at = r->nr == SYS_execveat;
    int64_t fd = file_of(r, at ? (int)r->args[0] : AT_FDCWD, r->args[at], at ? (int)r->args[4] : 0);
    struct execution one = {.process = (pid_t)request_status(r->task, "\nTgid:\t", 10), .thread = r->task}, former;
    if (pending_count)
        take(one.process, &former); /* of a thread that has ended since */
    if (fd < 0)
        return fd == GONE || fd == -EACCES ? fd : CONTINUE;
    if (fstat((int)fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_mode & 0111) {
        one.set_uid = st.st_mode & S_ISUID;
        one.set_gid = (st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP);
        const bool sets = one.set_uid || one.set_gid;
        if (sets || !credentials_over_files(old))
            one.owner = owner_of((int)fd, &st);
        if (!credentials_may(old, (int)fd, &st, &one.owner, S_IXOTH)) {
            close((int)fd);
            return -EACCES;
        }
        /* To root a file's capabilities give nothing that it has not. */
        if (old->ruid || old->ambient || !credentials_over_files(old))
            one.capabilities = capabilities_of_file((int)fd);
        enum kind kind = sets || one.capabilities.found ? kind_of((int)fd) : NOTHING;
        if (kind != PROGRAM || !takes_bits((int)fd)) {
            one.set_uid = one.set_gid = false;
            one.capabilities = (struct file_capabilities){false, false, 0, 0};
        }
        one.capabilities.permitted = capabilities_gained(r, &one.capabilities);
        if (sets || one.capabilities.found || ~old->permitted || old->egid != old->fsgid)
            one.gains_nothing = request_status(r->task, "\nNoNewPrivs:\t", 10) == 1;
        if (one.gains_nothing)
            one.set_uid = one.set_gid = false;
        /* Of most programs nobody becomes another, and nobody asks what they are. */
        const struct credentials changed = after(old, &one);
        if (memcmp(&changed, old, sizeof changed) != 0 && (kind != NOTHING || kind_of((int)fd) != NOTHING) && memory_of(one.process, one.memory))
            await(&one);
    }
    close((int)fd);
    return request_valid(r) ? CONTINUE : GONE;
}
