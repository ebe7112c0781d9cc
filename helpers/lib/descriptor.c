#include "descriptor.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OVERFLOW_UID 65534 /* /proc/sys/kernel/overflowuid as everybody leaves it */

#ifndef SYS_close_range
#define SYS_close_range 436 /* the same number on every architecture; Linux 5.9 */
#endif

static void close_between(unsigned first, unsigned last)
{
    if (first > last || syscall(SYS_close_range, first, last, 0) == 0)
        return;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && last >= limit.rlim_cur)
        last = (unsigned)limit.rlim_cur;
    if (last > 1u << 20)
        last = 1u << 20;
    for (unsigned fd = first; fd <= last; fd++)
        close((int)fd);
}

/* Closes what lies between next and the run, and marks that; the number after it. */
static unsigned keep_run(unsigned next, struct run run)
{
    if (run.last < 3 || (unsigned)run.last < next)
        return next;
    unsigned first = (unsigned)run.first > next ? (unsigned)run.first : next;
    if (first > next)
        close_between(next, first - 1);
    for (int fd = (int)first; fd <= run.last; fd++)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    return (unsigned)run.last + 1;
}

void keep_runs(struct run *keep, size_t count)
{
    unsigned next = 3;
    for (size_t i = 1; i < count; i++)
        for (size_t j = i; j > 0 && keep[j - 1].first > keep[j].first; j--) {
            struct run moved = keep[j];
            keep[j] = keep[j - 1];
            keep[j - 1] = moved;
        }
    for (size_t i = 0; i < count; i++)
        next = keep_run(next, keep[i]);
    close_between(next, UINT_MAX);
}

void keep_only(int *keep, size_t count)
{
    unsigned next = 3;
    for (size_t i = 1; i < count; i++)
        for (size_t j = i; j > 0 && keep[j - 1] > keep[j]; j--) {
            int moved = keep[j];
            keep[j] = keep[j - 1];
            keep[j - 1] = moved;
        }
    for (size_t i = 0; i < count; i++)
        next = keep_run(next, (struct run){keep[i], keep[i]});
    close_between(next, UINT_MAX);
}

void detach_stdio(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3; fd++) {
        if (null < 0)
            close(fd);
        else if (fd == null)
            fcntl(fd, F_SETFD, 0);
        else
            dup2(null, fd);
    }
    if (null > 2)
        close(null);
}

static void say(const char *text)
{
    if (write(2, text, strlen(text)) < 0)
        return; /* no stderr to write to */
}

void usage_error(const char *program, const char *message)
{
    say(program);
    say(": ");
    say(message);
    say("\n");
    exit(2);
}

void set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0)
        fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

bool same_user(int connection)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    return getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == geteuid() &&
           peer.uid != OVERFLOW_UID;
}
