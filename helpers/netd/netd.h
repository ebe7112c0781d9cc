/* The user's network helper: answers DNS questions of containers, relays their published ports, and keeps what
   belongs to a container in the hub until the container ends. docs/development/netd.md.

   The main thread lives in the host's network namespace and does all the work in one epoll loop. A second thread
   has entered the hub and makes sockets there, since a socket's network namespace is that of the thread that
   called socket(2). What the main thread does with such a socket afterwards happens in the hub. */
#ifndef ROOTLESS_NETD_H
#define ROOTLESS_NETD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a container can make us hold is bounded by these, never by what it sends. */
#define CONTAINERS_MAX 1024
#define NETWORKS_MAX 64           /* of a container */
#define NAMES_MAX 128             /* of a container on a network */
#define LINKS_MAX 256             /* aliases of --link */
#define SERVERS_MAX 3
#define GATEWAYS_MAX 2            /* one of each family */
#define PORTS_MAX 65536           /* of a container, as ranges are published: a socket each */
#define UNDO_MAX 4096             /* rtnetlink messages of a container */
#define FLOWS_MAX 4096            /* of a container: TCP, UDP and the gate's together */
#define QUERIES_MAX 1024          /* forwarded questions in flight */
#define CONTAINER_QUERIES_MAX 128
#define DNS_CONNECTIONS_MAX 8     /* TCP, of a container */
#define LINGER_MS 5000            /* without a container, before we end */

/* loop.c. One descriptor that the loop watches. It stands in the structure that it is about, whose owner closes fd. */
struct source {
    void (*ready)(struct source *source, uint32_t events); /* of epoll(7) */
    int fd;
};

bool source_add(struct source *source, uint32_t events);
bool source_change(struct source *source, uint32_t events);
/* May be called at any time, for any source, also for one whose ready() is still to be called in this turn: it is not
   called any more, so the structure may be freed or used again at once. */
void source_remove(struct source *source);

/* loop.c. Something that is due once. All timers of one delay stand in one list, in order since each is appended. */
struct timer {
    struct timer *next, *previous;
    void (*expired)(struct timer *timer);
    int64_t due_ms; /* 0: not started */
};

struct delay {
    int64_t ms;
    struct timer *first, *last;
    struct delay *next;
    bool known; /* to the loop */
};

#define DELAY(milliseconds) {.ms = (milliseconds)}

/* Starts it, or starts it anew, from this turn's time on. A timer belongs to one delay. */
void timer_start(struct timer *timer, struct delay *delay);
void timer_stop(struct timer *timer, struct delay *delay);

/* loop.c. A listener that has no descriptor for who connects is ready all the time: it is left alone for a moment. */
struct rest {
    struct timer timer;
    struct source *source;
};

void rest_begin(struct rest *rest, struct source *source);
void rest_end(struct rest *rest); /* before the source is closed */

/* loop.c. How many descriptors we may have; those who open many by a container's doing keep to a part of them. */
size_t descriptors_max(void);

/* The monotonic clock as it was when this turn of the loop began. */
int64_t loop_ms(void);

bool loop_open(void);
_Noreturn void loop_run(void);

/* The structure that `member` stands in. */
#define CONTAINER_OF(pointer, type, member) ((type *)(void *)((char *)(pointer) - offsetof(type, member)))

#endif
