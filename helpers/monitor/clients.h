/* The attached clients: each is offered every packet of output, each may type. */
#ifndef ROOTLESS_CLIENTS_H
#define ROOTLESS_CLIENTS_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "input.h"
#include "message.h"

struct client {
    int fd;
    bool pending;    /* has not taken the current packet */
    bool waiting;    /* its next message is stdin, and ours is full */
    bool deaf;       /* closed its end: nothing more to send, something perhaps to read */
    bool owns_stdin; /* the container's stdin ends with it, unless it is to be kept */
    bool will_clean; /* has promised to clean up after the container */
    bool only_end;   /* wants nothing but how the container ends */
};

/* Places in polls[] before those of the clients. */
enum { POLL_SIGNALS, POLL_CHILD, POLL_SOCKET, POLL_OUTPUT, POLL_ERROR, POLL_STDIN, POLL_MEMORY, POLL_NETD, FIXED_POLLS };

struct clients {
    int socket;  /* listens for more; -1: no client can attach */
    bool paused; /* no room for another client until one goes */
    struct client *list;
    struct pollfd *polls; /* FIXED_POLLS, and one for each client */
    size_t count, capacity;

    size_t packet_size;
    size_t pending; /* clients that have not taken the packet */
    bool last;      /* the packet is the last of all: a client that comes later gets it, too */

    bool ended;   /* the container has ended: a client may say that it has cleaned up */
    bool cleaned; /* one has said so */
    struct input *input;
    uint8_t packet[1 + PAYLOAD_SIZE]; /* the one that is under way */
};

/* Makes room for the polls; false where there is no memory. */
bool clients_open(struct clients *clients);

void client_add(struct clients *clients, int fd, bool owns_stdin);
void clients_accept(struct clients *clients); /* may move polls */
void clients_poll(struct clients *clients);   /* fills polls[FIXED_POLLS...] */
void clients_serve(struct clients *clients);  /* acts on them; clients may be gone afterwards */

/* Offers a packet to all: of this type, with the `size` bytes that stand at packet + 1. */
void clients_send(struct clients *clients, enum message type, size_t size);

/* Whether one of them has promised to clean up. */
bool clients_will_clean(const struct clients *clients);

#endif
