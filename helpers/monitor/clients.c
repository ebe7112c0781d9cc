#include "monitor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/descriptor.h"

/* Offers the current packet to one client. */
static void offer(struct monitor *m, struct client *client)
{
    ssize_t size;
    if (client->deaf)
        return;
    bool was_pending = client->pending;
    do
        size = send(client->fd, m->packet, m->packet_size, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (size < 0 && errno == EINTR);
    client->pending = size < 0 && (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM);
    client->deaf = size < 0 && !client->pending;
    if (client->pending && !was_pending)
        m->pending++;
    else if (was_pending && !client->pending)
        m->pending--;
}

void clients_send(struct monitor *m)
{
    for (size_t i = 0; i < m->client_count; i++)
        offer(m, &m->clients[i]);
}

static bool make_room(struct monitor *m)
{
    if (m->client_count < m->client_capacity)
        return true;
    size_t capacity = m->client_capacity * 2 + 2;
    struct client *clients = realloc(m->clients, capacity * sizeof *clients);
    if (clients)
        m->clients = clients;
    struct pollfd *polls = realloc(m->polls, (FIXED_POLLS + capacity) * sizeof *polls);
    if (polls)
        m->polls = polls;
    if (!clients || !polls)
        return false;
    m->client_capacity = capacity;
    return true;
}

void client_add(struct monitor *m, int fd, bool owns_stdin)
{
    if (!make_room(m)) {
        close(fd);
        return;
    }
    struct client *client = &m->clients[m->client_count++];
    *client = (struct client){.fd = fd, .owns_stdin = owns_stdin};
    /* It gets every byte from now on: the packet under way is older than it is; but the last
       packet of all, how the container ended, is for everybody. */
    if (m->told)
        offer(m, client);
}

void clients_accept(struct monitor *m)
{
    for (;;) {
        int fd = accept4(m->socket, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
            if (errno == EINTR || errno == ECONNABORTED)
                continue;
            m->socket_paused = errno != EAGAIN && m->client_count > 0;
            return;
        }
        if (!same_user(fd))
            close(fd);
        else
            client_add(m, fd, false);
    }
}

static void drop(struct monitor *m, size_t index)
{
    struct client *client = &m->clients[index];
    bool ends_stdin = client->owns_stdin;
    if (client->pending)
        m->pending--;
    close(client->fd);
    *client = m->clients[--m->client_count];
    m->socket_paused = false;
    if (ends_stdin)
        stdin_end(m);
}

/* One message from a client. False: the client is gone, or speaks another protocol. */
static bool receive(struct monitor *m, struct client *client)
{
    uint8_t type;
    ssize_t size = recv(client->fd, &type, 1, MSG_PEEK | MSG_DONTWAIT);
    if (size < 0) {
        if (errno == ECONNRESET) /* it closed with our bytes unread; its own may still be there */
            client->deaf = true;
        return errno == EAGAIN || errno == EINTR || errno == ECONNRESET;
    }
    if (size == 0)
        return false;
    if (type == MESSAGE_STDIN) {
        if (m->input_at < m->input_end && !m->ended) {
            client->waiting = true;
            return true;
        }
        size = recv(client->fd, m->input, sizeof m->input, MSG_DONTWAIT | MSG_TRUNC);
        if (size < 1 || (size_t)size > sizeof m->input)
            return false;
        client->owns_stdin = true;
        if (m->stdin_fd >= 0 && !m->stdin_ends) {
            m->input_at = 1;
            m->input_end = (size_t)size;
            stdin_flush(m);
        }
        return true;
    }
    uint8_t message[8];
    size = recv(client->fd, message, sizeof message, MSG_DONTWAIT | MSG_TRUNC);
    uint16_t numbers[2];
    switch (type) {
    case MESSAGE_STDIN_END:
        client->owns_stdin = true;
        stdin_end(m);
        return true;
    case MESSAGE_RESIZE:
        if (size != 1 + (ssize_t)sizeof numbers)
            return false;
        memcpy(numbers, message + 1, sizeof numbers);
        terminal_resize(m, numbers[0], numbers[1]);
        return true;
    case MESSAGE_WILL_CLEAN:
        client->will_clean = true;
        return true;
    case MESSAGE_CLEANED:
        m->cleaned = m->cleaned || m->ended;
        return true;
    default:
        return false;
    }
}

void clients_poll(struct monitor *m)
{
    for (size_t i = 0; i < m->client_count; i++) {
        struct client *client = &m->clients[i];
        if (client->waiting && (m->input_at == m->input_end || m->ended))
            client->waiting = false;
        short events = client->waiting ? 0 : POLLIN;
        if (client->pending)
            events |= POLLOUT;
        /* A hung up client that has to wait is left out: poll would tell of it all the time. */
        m->polls[FIXED_POLLS + i] = (struct pollfd){.fd = events ? client->fd : -1, .events = events};
    }
}

void clients_serve(struct monitor *m)
{
    for (size_t i = m->client_count; i-- > 0;) { /* downwards: drop() moves the last one here */
        struct client *client = &m->clients[i];
        short events = m->polls[FIXED_POLLS + i].revents;
        if (client->pending && events & (POLLOUT | POLLHUP | POLLERR))
            offer(m, client);
        if (!client->waiting && events & (POLLIN | POLLHUP | POLLERR) && !receive(m, client))
            drop(m, i);
    }
}
