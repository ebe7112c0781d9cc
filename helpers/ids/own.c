/* A task's own links in /proc (cwd, root, fd/N), by whatever name they have: they lead on from where they are written. For us /proc/self
   would be us, or nobody. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "search.h"
#include "lib/text.h"

#define AT_ROOT (AT_FDCWD - 1)

/* The number and the beginning of the process, or thread, of which `path` is the file "stat": what tells it from others of its number. */
static bool read_stat(int at, const char *path, long *number, char start[24])
{
    char text[1024];
    int fd = at == proc_fd ? openat(at, path, O_RDONLY | O_CLOEXEC) : open_beneath(at, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[size > 0 ? size : 0] = 0;
    const char *field = strrchr(text, ')');
    for (int at_field = 2; field && at_field < 22; at_field++)
        field = strchr(field + 1, ' ');
    size_t length = field ? strcspn(field + 1, " \n") : 0;
    if (!length || length >= 24)
        return false;
    memcpy(start, field + 1, length);
    start[length] = 0;
    *number = strtol(text, NULL, 10);
    return true;
}

/* Whether it is the task's process in the task's own /proc, or the task itself. */
static bool is_own(const struct request *r, int at, const char *path)
{
    char host[64], here[24], there[24];
    long number, known;
    if (!read_stat(at, path, &number, there))
        return false;
    long task = number == inner_pid(r->task) ? request_status(r->task, "\nTgid:\t", 10) : number == inner_tid(r->task) ? (long)r->task : -1;
    if (task < 0)
        return false;
    put_text(put_number(host, (uint64_t)task), "/stat");
    return read_stat(proc_fd, host, &known, here) && !strcmp(here, there);
}

static bool own_number(const struct request *r, long number)
{
    char path[64];
    put_text(put_number(put_text(path, "/proc/"), (uint64_t)number), "/stat");
    return number > 0 && is_own(r, -1, path);
}

int own_target(const struct request *r, int at, const char *name, bool fds)
{
    if (!is_own(r, at, fds ? "../stat" : "stat"))
        return -1;
    if (!fds && !strcmp(name, "root"))
        return open_beneath(-1, "/", O_PATH | O_DIRECTORY, 0);
    int to = fds ? descriptor_of(r, (int)strtol(name, NULL, 10)) : !strcmp(name, "cwd") || !strcmp(name, "exe") ? place_of_task(r->task, name, -1, 0) : -1;
    return place_taken(r, &to) < 0 ? -1 : to;
}

/* How much of the path in /proc is the task's own directory there, by whichever name; 0: none. */
static size_t own_directory(const struct request *r, const char *path)
{
    char *end;
    if (!strncmp(path, "/proc/self/", 11))
        end = (char *)path + 10;
    else if (!strncmp(path, "/proc/thread-self/", 18))
        return 17;
    else if (!strncmp(path, "/proc/", 6) && path[6] >= '1' && path[6] <= '9') {
        const long number = strtol(path + 6, &end, 10);
        if (*end != '/' || !own_number(r, number))
            return 0;
    } else
        return 0;
    if (!strncmp(end, "/task/", 6) && end[6] >= '0' && end[6] <= '9') {
        char *after;
        const long thread = strtol(end + 6, &after, 10);
        if (*after == '/' && thread == inner_tid(r->task))
            end = after;
    }
    return (size_t)(end - path);
}

/* What link of the task's own in /proc the path begins with: its length, and the descriptor that it names; 0: with none. */
static size_t own_link(const struct request *r, const char *path, int *fd)
{
    static const struct {
        const char *name;
        int fd;
    } names[] = {{"/dev/stdin", 0}, {"/dev/stdout", 1}, {"/dev/stderr", 2}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strncmp(path, names[i].name, strlen(names[i].name))) {
            *fd = names[i].fd;
            return strlen(names[i].name);
        }
    size_t length = !strncmp(path, "/dev/fd/", 8) ? 4 : own_directory(r, path);
    const char *name = path + length;
    *fd = AT_FDCWD;
    if (length && !strncmp(name, "/cwd", 4))
        return length + 4;
    *fd = AT_ROOT;
    if (length && !strncmp(name, "/root", 5))
        return length + 5;
    if (!length || strncmp(name, "/fd/", 4) != 0 || name[4] < '0' || name[4] > '9')
        return 0;
    for (*fd = 0, name += 4; *name >= '0' && *name <= '9' && *fd < 1 << 24; name++)
        *fd = *fd * 10 + (*name - '0');
    return (size_t)(name - path);
}

/* Below /proc/self: in the container's own /proc, by the number that the task has there. For us it is us, or nobody. */
static void own_process(const struct request *r, char *path, size_t room)
{
    static const char prefix[] = "/proc/self/";
    char number[32];
    size_t length = strlen(path), skip = sizeof prefix - 2;
    if (strncmp(path, prefix, sizeof prefix - 1) != 0)
        return;
    long pid = inner_pid(r->task);
    char *end = pid < 0 ? NULL : put_number(put_text(number, "/proc/"), (uint64_t)pid);
    if (!end || length - skip + (size_t)(end - number) >= room)
        return;
    memmove(path + (end - number), path + skip, length - skip + 1);
    memcpy(path, number, (size_t)(end - number));
}

int64_t own_place(const struct request *r, char *path, size_t room, bool follows, int *at)
{
    int fd;
    size_t length = own_link(r, path, &fd);
    *at = -1;
    if (!length || (path[length] && path[length] != '/') || (!path[length] && !follows)) {
        own_process(r, path, room);
        return 0; /* of the task's it has only what was read, and the root */
    }
    const bool ends = !path[length];
    if (fd == AT_ROOT) {
        if (ends)
            path[--length] = '/';
        memmove(path, path + length, strlen(path + length) + 1);
        return 0;
    }
    length += strspn(path + length, "/");
    memmove(path, path + length, strlen(path + length) + 1);
    if (!*path && !ends)
        put_text(path, ".");
    *at = fd == AT_FDCWD ? place_of_task(r->task, "cwd", -1, 0) : descriptor_of(r, fd);
    return place_taken(r, at);
}
