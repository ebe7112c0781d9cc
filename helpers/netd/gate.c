#include "gate.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "destination.h"
#include "device.h"
#include "gateway.h"
#include "listener.h"
#include "pending.h"
#include "stream.h"

#define TURN 64 /* packets read before others have their turn */

/* How long a pending connection waits for the container's next SYN. It sends them at growing distances until it gives up,
   which nobody tells us. */
static struct delay young = DELAY(5000), grown = DELAY(40000), old = DELAY(140000);
#define GROWN_MS 4000
#define OLD_MS 20000

/* How long it waits for the container to take up what was answered. */
static struct delay answered = DELAY(10000);

static void end_pending(struct flow *flow)
{
    struct pending *pending = flow->pending;
    if (pending->listener)
        listener_leave(pending->listener);
    pending_done(pending);
}

static void give_up(struct flow *flow)
{
    if (flow->pending)
        end_pending(flow);
    relay_abort(flow);
}

static void expired(struct timer *timer)
{
    give_up(CONTAINER_OF(timer, struct flow, timer));
}

static void wait_for(struct flow *flow, struct delay *delay)
{
    timer_stop(&flow->timer, flow->delay);
    flow->timer.expired = expired;
    timer_start(&flow->timer, flow->delay = delay);
}

static void wait_for_next_syn(struct pending *pending)
{
    int64_t age_ms = loop_ms() - pending->since_ms;
    wait_for(pending->flow, age_ms < GROWN_MS ? &young : age_ms < OLD_MS ? &grown : &old);
}

/* Tells the container what connect(2) told us; nothing if time will tell. */
static void refuse(const struct syn *syn, int error)
{
    uint8_t packet[ICMP_SIZE];
    size_t size = error == ECONNREFUSED ? syn_refuse(syn, packet) : syn_unreachable(syn, error, packet);
    if (size)
        device_send(&syn->from, packet, size);
}

static void connected(struct flow *flow)
{
    struct pending *pending = flow->pending;
    pending->listener = listener_use(pending->syn.to.family, pending->syn.to_port);
    if (!pending->listener) {
        give_up(flow); /* the next SYN tries again */
        return;
    }
    wait_for(flow, &answered);
    device_write(pending->syn.bytes, pending->syn.size);
}

static void failed(struct flow *flow, int error)
{
    refuse(&flow->pending->syn, error);
    give_up(flow);
}

static void connect_ready(struct source *source, uint32_t events)
{
    struct flow *flow = CONTAINER_OF(source, struct flow, ends[IN_HOST].source);
    int error = 0;
    socklen_t size = sizeof error;
    (void)events;
    if (getsockopt(source->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error)
        failed(flow, error);
    else
        connected(flow);
}

static void begin(struct container *container, const struct syn *syn)
{
    union socket_address address;
    struct pending *pending = pending_new(container, syn);
    if (!pending)
        return; /* it has too many; the next SYN tries again */
    struct flow *flow = pending->flow;
    struct end *end = &flow->ends[IN_HOST];
    end->source.ready = connect_ready;
    end->source.fd = stream_in_host(syn->to.family);
    socklen_t size = address_to_socket(&syn->to, syn->to_port, &address);
    wait_for_next_syn(pending);
    if (end->source.fd < 0) {
        give_up(flow);
    } else if (connect(end->source.fd, &address.any, size) == 0) {
        connected(flow);
    } else if (errno != EINPROGRESS) {
        failed(flow, errno);
    } else {
        /* Once: until it is a relay nothing more is to be heard of it. */
        end->watched = EPOLLOUT | EPOLLONESHOT;
        if (!source_add(&end->source, end->watched)) {
            end->watched = 0;
            give_up(flow);
        }
    }
}

static void decide(const struct syn *syn)
{
    struct pending *pending = pending_find(syn);
    if (pending) { /* sent again, since neither of us has answered or the answer was lost */
        if (pending->listener)
            device_write(pending->syn.bytes, pending->syn.size);
        else
            wait_for_next_syn(pending);
        return;
    }
    struct container *container = container_with_address(&syn->from);
    if (!container || container->internal)
        return;
    int error = 0;
    switch (destination_of(&syn->to, &error)) {
    case DESTINATION_OUTSIDE:
        begin(container, syn);
        break;
    case DESTINATION_HUB:
        /* What accepts there for other addresses is not meant for this one. */
        if (listener_exists(syn->to.family, syn->to_port) && !gateway_listens(&syn->to, syn->to_port))
            refuse(syn, ECONNREFUSED);
        else
            device_write(syn->bytes, syn->size);
        break;
    case DESTINATION_REFUSED:
        refuse(syn, error);
        break;
    }
}

static void packets_ready(struct source *source, uint32_t events)
{
    static uint8_t packet[UINT16_MAX];
    struct syn syn;
    (void)events;
    for (int i = 0; i < TURN; i++) {
        ssize_t size = read(source->fd, packet, sizeof packet);
        if (size <= 0)
            return;
        if (syn_parse(packet, (size_t)size, &syn))
            decide(&syn);
    }
}

void gate_accepted(int fd, const struct syn *key)
{
    struct pending *pending = pending_find(key);
    if (!pending || !pending->listener) {
        close(fd); /* a SYN that came round the device, so nothing was decided about it */
        return;
    }
    struct flow *flow = pending->flow;
    flow->ends[IN_HUB].source.fd = fd;
    timer_stop(&flow->timer, flow->delay);
    end_pending(flow);
    relay_start(flow);
}

bool gate_on(void)
{
    return device_open(packets_ready);
}

void gate_off(void)
{
    device_close();
}

bool gate_is_on(void)
{
    return device_is_open();
}

void gate_drop(struct container *container)
{
    while (container->gate_flows)
        give_up(container->gate_flows);
}
