#include <errno.h>
#include <unistd.h>

#include "relay.h"

#define DESCRIPTORS 6         /* of a flow at most: two sockets, two pipes */

/* A container has at most so many times the flows that are still to be had, so there are always some for others: one
   alone gets four fifths, two get four ninths each. */
#define SHARE 4

static struct flow flows[RELAYS_MAX];
static struct flow *unused;
static size_t touched; /* the flows before have been in use; the pages after are not in memory */
static size_t live, limit;

/* With fewer flows than descriptors allow, no flow ever finds that it cannot have a pipe. */
static void find_limit(void)
{
    limit = RELAYS_MAX;
    size_t most = descriptors_max() / 2 / DESCRIPTORS;
    if (most < limit)
        limit = most ? most : 1;
}

struct flow *relay_new(struct container *container, struct flow **list)
{
    if (!limit)
        find_limit();
    if (live >= limit || container->flow_count >= SHARE * (limit - live) || !flow_begin(container)) {
        errno = EMFILE;
        return NULL;
    }
    struct flow *flow = unused;
    if (flow)
        unused = flow->next;
    else
        flow = &flows[touched++];
    live++;
    *flow = (struct flow){.container = container, .next = *list, .link = list};
    flow->ends[IN_HUB].source.fd = flow->ends[IN_HOST].source.fd = -1;
    if (*list)
        (*list)->link = &flow->next;
    *list = flow;
    return flow;
}

void relay_forget(struct flow *flow, void (*shut)(int fd))
{
    timer_stop(&flow->timer, flow->delay);
    for (enum side side = IN_HUB; side <= IN_HOST; side++) {
        struct end *end = &flow->ends[side];
        if (end->watched)
            source_remove(&end->source);
        if (end->source.fd >= 0)
            shut(end->source.fd);
        if (end->held)
            pipe_drop(&end->pipe);
        else
            pipe_give(&end->pipe);
    }
    *flow->link = flow->next;
    if (flow->next)
        flow->next->link = flow->link;
    flow_end(flow->container);
    flow->next = unused;
    unused = flow;
    live--;
}

/* They have been prepared so. */
static void close_reset(int fd)
{
    close(fd);
}

void relay_abort(struct flow *flow)
{
    relay_forget(flow, close_reset);
}
