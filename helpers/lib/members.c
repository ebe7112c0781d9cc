#include "members.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "descriptor.h"

#define SAVES (1ull << 32) /* beside a member's descriptor, in what epoll keeps for it */

struct members {
    int listener, signals, epoll;
    unsigned count, savers;
    bool full; /* there is no descriptor for another one before one goes */
};

static bool watch(const struct members *members, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u64 = (uint64_t)fd};
    return epoll_ctl(members->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

struct members *new_members(int listener, int signals)
{
    static struct members members;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    set_nonblocking(listener);
    members.listener = listener;
    members.signals = signals;
    members.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (members.epoll < 0 || !watch(&members, listener, EPOLLIN) || !watch(&members, signals, EPOLLIN))
        return NULL;
    return &members;
}

/* Lets in all that wait. */
static void let_in(struct members *members)
{
    for (;;) {
        int fd = accept4(members->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
            continue;
        if (fd < 0) {
            if (errno != EAGAIN && !members->full) {
                members->full = true;
                epoll_ctl(members->epoll, EPOLL_CTL_DEL, members->listener, NULL);
            }
            return;
        }
        if (send(fd, "+", 1, MSG_NOSIGNAL) == 1 && watch(members, fd, EPOLLIN | EPOLLRDHUP))
            members->count++;
        else
            close(fd);
    }
}

/* "s": it is to save the container at its end. "?", of such a one: is it the last of those? The last one stays, and saves. True if it
   goes, having been told "+". */
static bool hear(struct members *members, int fd, bool saves, char word)
{
    if (word == 's' && !saves) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.u64 = (uint64_t)fd | SAVES};
        members->savers += epoll_ctl(members->epoll, EPOLL_CTL_MOD, fd, &event) == 0;
    } else if (word == '?' && saves) {
        bool last = members->savers == 1;
        return send(fd, last ? "-" : "+", 1, MSG_NOSIGNAL) == 1 && !last;
    }
    return false;
}

/* One goes, and another may come in its place: the last one is only who leaves nobody waiting. */
static void leave(struct members *members, int fd, bool saves)
{
    char byte;
    ssize_t size = recv(fd, &byte, 1, MSG_DONTWAIT);
    if (size > 0 && !hear(members, fd, saves, byte))
        return;
    members->count--;
    members->savers -= saves;
    let_in(members);
    if (size <= 0 && members->count == 0)
        send(fd, "-", 1, MSG_NOSIGNAL); /* unless it is dead */
    close(fd);
    if (members->full) {
        members->full = false;
        if (!watch(members, members->listener, EPOLLIN))
            members->full = true;
    }
}

bool wait_for_members(struct members *members)
{
    let_in(members);
    while (members->count > 0) {
        struct epoll_event event;
        if (epoll_wait(members->epoll, &event, 1, -1) < 1)
            continue;
        int fd = (int)(uint32_t)event.data.u64;
        if (fd == members->signals)
            return true;
        if (fd == members->listener)
            let_in(members);
        else
            leave(members, fd, event.data.u64 & SAVES);
    }
    return false;
}
