#include "relay.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stream.h"

#define ROUNDS 4       /* pipes full, before other flows have their turn */
#define SHORT 16384    /* less was all that there was, most likely: no round to find that out */
#define LAST_ROUNDS 64 /* the same for what was sent before a reset */
#define MARK_SIZE 4096 /* PIPE_BUF: an empty pipe takes it whole */

/* One end has ended and the other says nothing: such flows pile up where a program forgets its sockets. */
static struct delay half_closed = DELAY(3600 * 1000);

enum outcome {
    DRY,    /* there is nothing more to move for now, or never will be */
    FULL,   /* the other end takes nothing more for now */
    MORE,   /* there may be more */
    BROKEN, /* one of the two has failed */
};

static bool transient(void)
{
    return errno == EAGAIN || errno == EINTR;
}

/* splice(2) stops before a byte that was sent out of band, and from there on says that there is nothing for now, or
   nothing more. recv(2) gets past it. */
static ssize_t receive(struct end *from)
{
    static char bytes[MARK_SIZE];
    ssize_t size = recv(from->source.fd, bytes, sizeof bytes, MSG_DONTWAIT);
    return size <= 0 ? size : write(from->pipe.in, bytes, (size_t)size);
}

/* Fills the pipe, which is empty. ready: the loop said that there is something to read. */
static enum outcome fill(struct end *from, bool ready)
{
    if (!from->pipe.open && !pipe_take(&from->pipe))
        return BROKEN; /* the user's pipes are counted, too; see flows.c for descriptors */
    ssize_t size = splice(from->source.fd, NULL, from->pipe.in, NULL, PIPE_SIZE, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (size == 0 || (size < 0 && errno == EAGAIN && ready))
        size = receive(from);
    if (size < 0)
        return transient() ? DRY : BROKEN;
    from->held = (size_t)size;
    from->ended = size == 0;
    return size ? MORE : DRY;
}

static enum outcome move(struct end *from, struct end *to, bool ready)
{
    for (int round = 0; round < ROUNDS; round++) {
        bool short_one = false;
        if (!from->held) {
            enum outcome outcome = from->ended ? DRY : fill(from, ready && round == 0);
            if (outcome != MORE)
                return outcome;
            short_one = from->held < SHORT;
        }
        ssize_t size = splice(from->pipe.out, NULL, to->source.fd, NULL, from->held, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (size < 0)
            return transient() ? FULL : BROKEN;
        from->held -= (size_t)size;
        if (from->held)
            return FULL;
        if (short_one)
            break;
    }
    return MORE;
}

/* Moves what `from` has sent to `to`, then its end. */
static enum outcome pump(struct end *from, struct end *to, bool ready)
{
    enum outcome outcome = move(from, to, ready);
    if (from->held)
        return outcome;
    pipe_give(&from->pipe);
    if (from->ended && !from->passed_on) {
        from->passed_on = true;
        shutdown(to->source.fd, SHUT_WR); /* if `to` is broken this fails, and its next event says so */
    }
    return outcome;
}

/* Has the loop watch what is waited for at this end. If that is nothing, a reset is still reported, once. */
static bool watch(struct end *end, const struct end *other)
{
    uint32_t wanted = 0;
    if (!end->ended && !end->held)
        wanted |= EPOLLIN;
    if (other->held)
        wanted |= EPOLLOUT;
    if (!wanted)
        wanted = EPOLLET; /* its end has come and stays: without this the loop would report it again and again */
    if (wanted == end->watched)
        return true;
    bool done = end->watched ? source_change(&end->source, wanted) : source_add(&end->source, wanted);
    if (done)
        end->watched = wanted;
    return done;
}

static bool has_failed(const struct end *end)
{
    int error = 0;
    socklen_t size = sizeof error;
    return getsockopt(end->source.fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error;
}

/* A server may answer and close with a part of the request unread. The answer comes before the reset. An
   end is not passed on: the error of a socket is given once, and what it says next is that nothing more comes. */
static void break_off(struct flow *flow)
{
    for (enum side side = IN_HUB; side <= IN_HOST; side++)
        for (int round = 0; round < LAST_ROUNDS; round++)
            if (move(&flow->ends[side], &flow->ends[!side], false) != MORE)
                break;
    relay_abort(flow);
}

static void half_closed_expired(struct timer *timer)
{
    relay_abort(CONTAINER_OF(timer, struct flow, timer));
}

/* After each event: ends the flow or waits for the next one. */
static void proceed(struct flow *flow)
{
    struct end *one = &flow->ends[IN_HUB], *other = &flow->ends[IN_HOST];
    if (one->passed_on && other->passed_on) {
        relay_forget(flow, stream_close);
        return;
    }
    if (one->passed_on || other->passed_on) {
        flow->timer.expired = half_closed_expired;
        timer_start(&flow->timer, flow->delay = &half_closed);
    }
    if (!watch(one, other) || !watch(other, one))
        relay_abort(flow);
}

static void serve(struct flow *flow, enum side side, uint32_t events)
{
    struct end *end = &flow->ends[side], *other = &flow->ends[!side];
    bool ended = events & (EPOLLHUP | EPOLLERR);
    bool broken = end->watched == EPOLLET && ended && has_failed(end);
    if (end->watched & EPOLLIN && (ended || events & EPOLLIN))
        broken = pump(end, other, true) == BROKEN;
    if (!broken && end->watched & EPOLLOUT && (ended || events & EPOLLOUT))
        broken = pump(other, end, false) == BROKEN;
    if (broken)
        break_off(flow);
    else
        proceed(flow);
}

static void hub_ready(struct source *source, uint32_t events)
{
    serve(CONTAINER_OF(source, struct flow, ends[IN_HUB].source), IN_HUB, events);
}

static void host_ready(struct source *source, uint32_t events)
{
    serve(CONTAINER_OF(source, struct flow, ends[IN_HOST].source), IN_HOST, events);
}

void relay_start(struct flow *flow)
{
    flow->ends[IN_HUB].source.ready = hub_ready;
    flow->ends[IN_HOST].source.ready = host_ready;
    proceed(flow);
}
