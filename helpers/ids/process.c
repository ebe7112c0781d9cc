/* Files of /proc: those of a process are its user's (fs/proc/base.c, kernel/ptrace.c), all others root's. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "search.h"
#include "lib/text.h"

#define PROC_SUPER_MAGIC 0x9fa0
#define ROOT 1u  /* the number of /proc itself */
#define DEPTH 16 /* no directory of /proc lies deeper */
static const char limit_name[] = "Max realtime timeout";

bool in_proc(int fd)
{
    struct statfs fs;
    return fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

const struct credentials *process_of_directory(int fd)
{
    char text[2048];
    if (!in_proc(fd))
        return NULL;
    int limits = open_beneath(fd, "limits", O_RDONLY | O_NONBLOCK | O_NOCTTY, 0); /* the container may have mounted anything there */
    ssize_t size = limits < 0 ? -1 : read(limits, text, sizeof text - 1);
    if (limits >= 0)
        close(limits);
    text[size > 0 ? size : 0] = 0;
    const char *found = strstr(text, limit_name);
    return limits < 0 ? NULL : credentials_numbered(found ? strtoull(found + strlen(limit_name), NULL, 10) : 0);
}

/* Whose directory in /proc it is: nobody's (NULL), or a process's of this number there. */
struct whose {
    const struct credentials *of;
    long number;
};

static struct whose whose_directory(int at)
{
    char start[24];
    struct whose found = {process_of_directory(at), -1};
    if (found.of && !read_stat(at, "stat", &found.number, start))
        found.number = -1;
    return found;
}

/* Whether it is the task's own, in the /proc that `at` is in. */
static bool is_own(const struct request *r, const struct whose *whose, int at)
{
    long process, thread;
    if (whose->of != credentials_of(r->task))
        return false;
    own_numbers(r->task, at, &process, &thread);
    return whose->number == process || whose->number == thread;
}

/* ptrace_may_access() of the ids of files. */
static bool may_look(const struct request *r, const struct credentials *by, const struct whose *whose, int at)
{
    const struct credentials *of = whose->of;
    const bool same = by->fsuid == of->euid && by->fsuid == of->suid && by->fsuid == of->ruid && by->fsgid == of->egid &&
                      by->fsgid == of->sgid && by->fsgid == of->rgid;
    return (same && !(of->permitted & ~by->effective)) || has_in_force(r, by, CAP_SYS_PTRACE) || is_own(r, whose, at);
}

/* What only who may trace the process may open, whatever the bits say: the owner of these files is the user that it acts as, and may be
   another than it really is. */
static bool is_of_memory(const char *name)
{
    static const char *const names[] = {"maps", "smaps", "smaps_rollup", "numa_maps", "mem", "environ", "auxv", "pagemap"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(name, names[i]))
            return true;
    return false;
}

static bool may(const struct credentials *by, const struct credentials *of, const struct stat *st, mode_t wanted, bool own_fds)
{
    if (own_fds)
        return true; /* one's own, whatever setfsuid(2) has made of the user of files */
    const struct owner owner = {of ? of->euid : 0, of ? of->egid : 0, true};
    return credentials_may(by, -1, st, &owner, wanted);
}

/* A directory of /proc, ours to close; *whose: whose it is. -1: not found out. */
static int find_process(int from, struct whose *whose)
{
    struct stat st;
    int at = fcntl(from, F_DUPFD_CLOEXEC, 0);
    for (int up = 0; at >= 0 && up < DEPTH && fstat(at, &st) == 0; up++) {
        *whose = whose_directory(at);
        const int next = whose->of || st.st_ino == ROOT ? -1 : open_beneath(at, "..", O_PATH | O_DIRECTORY, 0);
        close(at);
        if (next < 0)
            return whose->of || st.st_ino == ROOT ? fcntl(from, F_DUPFD_CLOEXEC, 0) : -1;
        at = next;
    }
    if (at >= 0)
        close(at);
    return -1;
}

/* What the link `name` of /proc itself leads to for the task, in its place: for us it leads to us. */
static void own_link(pid_t task, int at, char name[256])
{
    const bool of_thread = !strcmp(name, "thread-self");
    long pid, tid;
    if (!of_thread && strcmp(name, "self") != 0)
        return;
    own_numbers(task, at, &pid, &tid);
    if (pid < 0 || tid < 0)
        return;
    char *end = put_number(name, (uint64_t)pid);
    if (of_thread)
        put_number(put_text(end, "/task/"), (uint64_t)tid);
}

/* What is opened at the end of a path in the directory of a process, or of none's: 0, -EACCES or -EPERM. */
static int64_t opened(const struct request *r, const struct credentials *by, const struct whose *whose, int file, const char *name, mode_t wanted, bool fds)
{
    struct stat st;
    if (!(wanted & S_IRWXO) || !in_proc(file) || fstat(file, &st) < 0 || (S_ISDIR(st.st_mode) && wanted & S_IWOTH))
        return 0;
    if (!may(by, whose->of, &st, wanted & S_IRWXO, fds && is_own(r, whose, file)) ||
        (whose->of && is_of_memory(name) && !may_look(r, by, whose, file)))
        return -EACCES;
    const struct owner owner = {whose->of ? whose->of->euid : 0, 0, true};
    return wanted & UNTOUCHED && !credentials_own(by, &owner) ? -EPERM : 0;
}

int64_t process_search(int from, char *rest, size_t room, const struct credentials *by, bool follows, const struct place *place, int *out)
{
    const mode_t wanted = place->wanted;
    struct whose whose = {NULL, -1};
    struct stat st;
    int at = find_process(from, &whose), links = 0;
    int64_t result = CONTINUE;
    bool fds = false; /* that is a process's directory of descriptors */
    while (at >= 0 && fstat(at, &st) == 0) {
        char name[256];
        if (!in_proc(at)) { /* by "..", or something is mounted there */
            *out = at;
            return 0;
        }
        const size_t start = strspn(rest, "/"), length = strcspn(rest + start, "/");
        if (length >= sizeof name || !S_ISDIR(st.st_mode) || (!length && wanted & S_IWOTH))
            break;
        memcpy(name, rest + start, length);
        name[length] = 0;
        memmove(rest, rest + start + length, strlen(rest + start + length) + 1);
        const bool last = !rest[strspn(rest, "/")], follow = *rest || follows;
        /* access(2) asks as another than the task is, of whom what is the task's own is its own still. */
        if (!may(by, whose.of, &st, length ? S_IXOTH : wanted & S_IRWXO, fds && is_own(place->asks, &whose, at))) {
            result = -EACCES;
            break;
        }
        if (!length) { /* the path's end */
            *out = at;
            return 0;
        }
        if (!whose.of && st.st_ino == ROOT && follow)
            own_link(place->asks->task, at, name);
        const int next = open_beneath(at, name, O_PATH | O_NOFOLLOW, 0);
        if (next < 0) {
            result = next == -ENOENT && last ? 0 : next; /* *out is none */
            break;
        }
        if (fstat(next, &st) < 0) { /* what the container has mounted there may say so */
            close(next);
            break;
        }
        if (!S_ISLNK(st.st_mode)) {
            if (!strcmp(name, "..") || (!whose.of && *name >= '0' && *name <= '9'))
                whose = whose_directory(next);
            fds = !strcmp(name, "fd");
            close(at);
            at = next;
            if (*rest)
                continue;
            if ((result = opened(place->asks, by, &whose, at, name, wanted, fds)) < 0)
                break;
            *out = at;
            return 0;
        }
        if (whose.of && (follow || wanted & LEADS) && !may_look(place->asks, by, &whose, at))
            result = -EACCES;
        const int to = result != CONTINUE || !follow ? -1 : whose.of ? link_target(place->asks, at, name, fds) : ++links < DEPTH ? turn(at, next, rest, room) : -1;
        close(next);
        if (to < 0) {
            if (!last)
                result = refused(by); /* where another's link leads we do not know */
            break;
        }
        close(at);
        if (whose.of) {
            *out = to;
            return 0;
        }
        at = to;
    }
    if (at >= 0)
        close(at);
    return result;
}
