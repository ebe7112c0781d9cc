#include "pending.h"

#include <string.h>

#define BUCKETS 4096

static struct pending pendings[PENDINGS_MAX];
static struct pending *buckets[BUCKETS], *unused;
static size_t touched;

/* A container chooses its ports and thereby buckets, but all it can have in one are its own pending connections. */
static struct pending **bucket(const struct syn *syn)
{
    uint32_t sum = (uint32_t)syn->from_port << 16 | syn->to_port;
    for (size_t i = 0; i < sizeof syn->to.bytes; i++)
        sum = (sum ^ syn->to.bytes[i] ^ syn->from.bytes[i]) * 16777619;
    return &buckets[(sum ^ sum >> 16) % BUCKETS];
}

static bool same(const struct syn *one, const struct syn *other)
{
    return one->from_port == other->from_port && one->to_port == other->to_port &&
           address_equal(&one->from, &other->from) && address_equal(&one->to, &other->to);
}

struct pending *pending_find(const struct syn *syn)
{
    struct pending *pending = *bucket(syn);
    while (pending && !same(&pending->syn, syn))
        pending = pending->next;
    return pending;
}

struct pending *pending_new(struct container *container, const struct syn *syn)
{
    if (container->pending_count == CONTAINER_PENDINGS_MAX || (!unused && touched == PENDINGS_MAX))
        return NULL;
    struct flow *flow = relay_new(container, &container->gate_flows);
    if (!flow)
        return NULL;
    struct pending *pending = unused;
    if (pending)
        unused = pending->next;
    else
        pending = &pendings[touched++];
    struct pending **first = bucket(syn);
    *pending = (struct pending){.next = *first, .flow = flow, .syn = *syn, .since_ms = loop_ms()};
    *first = pending;
    flow->pending = pending;
    container->pending_count++;
    return pending;
}

void pending_done(struct pending *pending)
{
    struct pending **link = bucket(&pending->syn);
    while (*link != pending)
        link = &(*link)->next;
    *link = pending->next;
    pending->flow->pending = NULL;
    pending->flow->container->pending_count--;
    pending->next = unused;
    unused = pending;
}
