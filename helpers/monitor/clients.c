#include "clients.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/descriptor.h"

/* Offers the current packet to one client. */
static void offer(struct clients *clients, struct client *client)
{
    ssize_t size;
    if (client->deaf || (client->only_end && clients->packet[0] != MESSAGE_EXITED))
        return;
    bool was_pending = client->pending;
    do
        size = send(client->fd, clients->packet, clients->packet_size, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (size < 0 && errno == EINTR);
    client->pending = size < 0 && (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM);
    client->deaf = size < 0 && !client->pending;
    if (client->pending && !was_pending)
        clients->pending++;
    else if (was_pending && !client->pending)
        clients->pending--;
}

void clients_send(struct clients *clients, enum message type, size_t size)
{
    clients->packet[0] = (uint8_t)type;
    clients->packet_size = 1 + size;
    for (size_t i = 0; i < clients->count; i++)
        offer(clients, &clients->list[i]);
}

bool clients_open(struct clients *clients)
{
    clients->polls = malloc(FIXED_POLLS * sizeof *clients->polls);
    return clients->polls;
}

static bool make_room(struct clients *clients)
{
    if (clients->count < clients->capacity)
        return true;
    size_t capacity = clients->capacity * 2 + 2;
    struct client *list = realloc(clients->list, capacity * sizeof *list);
    if (list)
        clients->list = list;
    struct pollfd *polls = realloc(clients->polls, (FIXED_POLLS + capacity) * sizeof *polls);
    if (polls)
        clients->polls = polls;
    if (!list || !polls)
        return false;
    clients->capacity = capacity;
    return true;
}

void client_add(struct clients *clients, int fd, bool owns_stdin)
{
    if (!make_room(clients)) {
        close(fd);
        return;
    }
    struct client *client = &clients->list[clients->count++];
    *client = (struct client){.fd = fd, .owns_stdin = owns_stdin};
    /* It gets every byte from now on: the packet under way is older than it is; but the last
       packet of all, how the container ended, is for everybody. */
    if (clients->last)
        offer(clients, client);
}

void clients_accept(struct clients *clients)
{
    for (;;) {
        int fd = accept4(clients->socket, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
            if (errno == EINTR || errno == ECONNABORTED)
                continue;
            clients->paused = errno != EAGAIN && clients->count > 0;
            return;
        }
        if (!same_user(fd))
            close(fd);
        else
            client_add(clients, fd, false);
    }
}

static void drop(struct clients *clients, const struct client *client)
{
    if (client->pending)
        clients->pending--;
    close(client->fd);
    clients->paused = false;
    if (client->owns_stdin)
        input_end(clients->input);
}

/* One message from a client. False: the client is gone, or speaks another protocol. */
static bool receive(struct clients *clients, struct client *client)
{
    struct input *input = clients->input;
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
        if (input_full(input)) {
            client->waiting = true;
            return true;
        }
        size = recv(client->fd, input->buffer, sizeof input->buffer, MSG_DONTWAIT | MSG_TRUNC);
        if (size < 1 || (size_t)size > sizeof input->buffer)
            return false;
        client->owns_stdin = true;
        if (input->fd >= 0 && !input->ends) {
            input->at = 1;
            input->end = (size_t)size;
            input_flush(input);
        }
        return true;
    }
    uint8_t message[8];
    size = recv(client->fd, message, sizeof message, MSG_DONTWAIT | MSG_TRUNC);
    uint16_t numbers[2];
    switch (type) {
    case MESSAGE_STDIN_END:
        client->owns_stdin = true;
        input_end(input);
        return true;
    case MESSAGE_RESIZE:
        if (size != 1 + (ssize_t)sizeof numbers)
            return false;
        memcpy(numbers, message + 1, sizeof numbers);
        terminal_resize(input, numbers[0], numbers[1]);
        return true;
    case MESSAGE_WILL_CLEAN:
        client->will_clean = true;
        return true;
    case MESSAGE_ONLY_END:
        client->only_end = true;
        if (client->pending && clients->packet[0] != MESSAGE_EXITED) {
            client->pending = false;
            clients->pending--;
        }
        return true;
    case MESSAGE_CLEANED:
        clients->cleaned = clients->cleaned || clients->ended;
        return true;
    default:
        return false;
    }
}

void clients_poll(struct clients *clients)
{
    for (size_t i = 0; i < clients->count; i++) {
        struct client *client = &clients->list[i];
        if (client->waiting && !input_full(clients->input))
            client->waiting = false;
        short events = client->waiting ? 0 : POLLIN;
        if (client->pending)
            events |= POLLOUT;
        /* A hung up client that has to wait is left out: poll would return for it all the time. */
        clients->polls[FIXED_POLLS + i] = (struct pollfd){.fd = events ? client->fd : -1, .events = events};
    }
}

void clients_serve(struct clients *clients)
{
    size_t kept = 0;
    /* In the order in which they came: what one typed who has left comes before what the next one types. */
    for (size_t i = 0; i < clients->count; i++) {
        struct client *client = &clients->list[i];
        short events = clients->polls[FIXED_POLLS + i].revents;
        if (client->pending && events & (POLLOUT | POLLHUP | POLLERR))
            offer(clients, client);
        if (!client->waiting && events & (POLLIN | POLLHUP | POLLERR) && !receive(clients, client))
            drop(clients, client);
        else
            clients->list[kept++] = *client;
    }
    clients->count = kept;
}

bool clients_will_clean(const struct clients *clients)
{
    for (size_t i = 0; i < clients->count; i++)
        if (clients->list[i].will_clean)
            return true;
    return false;
}
