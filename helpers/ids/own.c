/* Links in /proc of the task's and of other processes of its container (cwd, root, exe, fd/N): they lead on from where they are written. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "search.h"
#include "lib/text.h"

bool read_stat(int at, const char *path, long *number, char start[24])
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

void own_numbers(pid_t task, int at, long *process, long *thread)
{
    struct stat st, host;
    const bool is_host = fstat(at, &st) == 0 && fstat(proc_fd, &host) == 0 && st.st_dev == host.st_dev;
    *process = is_host ? request_status(task, "\nTgid:\t", 10) : inner_pid(task);
    *thread = is_host ? task : inner_tid(task);
}

int link_target(const struct request *r, int at, const char *name, bool fds)
{
    char host[64], here[24], there[24];
    long number, known;
    if (!fds && strcmp(name, "cwd") != 0 && strcmp(name, "root") != 0 && strcmp(name, "exe") != 0)
        return -1;
    if (!read_stat(at, fds ? "../stat" : "stat", &number, there))
        return -1;
    long process, thread;
    own_numbers(r->task, at, &process, &thread);
    const long task = number == process ? request_status(r->task, "\nTgid:\t", 10)
                      : number == thread ? (long)r->task : (long)thread_numbered(r, (uint64_t)number);
    int to = task < 0 ? -1 : place_of_task((pid_t)task, fds ? "fd/" : name, fds ? (int)strtol(name, NULL, 10) : -1, 0);
    if (to < 0 || place_taken(r, &to) < 0)
        return -1;
    /* That it is the same process, and was when its link was opened. */
    put_text(put_number(host, (uint64_t)task), "/stat");
    if (read_stat(proc_fd, host, &known, here) && !strcmp(here, there))
        return to;
    close(to);
    return -1;
}
