#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/descriptor.h"
#include "netd.h"
#include "request.h"

/* A monitor keeps its connection for as long as it lives, and a command has one for a moment. */
#define CONNECTIONS_MAX (4 * CONTAINERS_MAX)
#define SMALL_REQUEST 4096

static struct source listener;
static size_t connections;
static char text[REQUEST_MAX + 1], answer[ANSWER_MAX];

static void leave(struct source *connection)
{
    source_remove(connection);
    close(connection->fd);
    free(connection);
    if (connections-- == CONNECTIONS_MAX)
        source_change(&listener, EPOLLIN);
}

/* Descriptors of a packet that was too long came in nevertheless. */
static void take_descriptors(struct msghdr *message, struct request *request)
{
    for (struct cmsghdr *each = CMSG_FIRSTHDR(message); each; each = CMSG_NXTHDR(message, each)) {
        if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (each->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(request->descriptors, CMSG_DATA(each), count * sizeof(int));
        request->descriptor_count = count;
    }
}

static void serve(struct source *connection, uint32_t events)
{
    static union {
        struct cmsghdr header;
        char room[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
    } control;
    (void)events;
    struct request request = {.text = text, .answer = answer};
    struct iovec room = {text, REQUEST_MAX};
    struct msghdr message = {
        .msg_iov = &room, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
    ssize_t size = recvmsg(connection->fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0) {
        leave(connection);
        return;
    }
    take_descriptors(&message, &request);
    text[size] = 0;
    if (message.msg_flags & MSG_TRUNC)
        strcpy(answer, "error the request is too long");
    else if (message.msg_flags & MSG_CTRUNC)
        strcpy(answer, "error there is no room for so many descriptors");
    else
        request_answer(&request);
    for (size_t i = 0; i < request.descriptor_count; i++)
        if (request.descriptors[i] >= 0)
            close(request.descriptors[i]);
    size_t length = strlen(answer);
    bool sent = send(connection->fd, answer, length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
    if (size > SMALL_REQUEST)
        madvise(text, sizeof text, MADV_DONTNEED);
    if (length > SMALL_REQUEST)
        madvise(answer, sizeof answer, MADV_DONTNEED);
    if (!sent)
        leave(connection);
}

static void accept_connections(struct source *source, uint32_t events)
{
    static struct rest rest;
    (void)events;
    while (connections < CONNECTIONS_MAX) {
        int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
            rest_begin(&rest, source);
        if (fd < 0)
            return;
        struct source *connection = same_user(fd) ? malloc(sizeof *connection) : NULL;
        if (connection)
            *connection = (struct source){.ready = serve, .fd = fd};
        if (!connection || !source_add(connection, EPOLLIN)) {
            free(connection);
            close(fd);
            continue;
        }
        connections++;
    }
    source_change(source, 0);
}

bool server_open(int listening)
{
    set_nonblocking(listening);
    listener = (struct source){.ready = accept_connections, .fd = listening};
    return source_add(&listener, EPOLLIN);
}
