#include "netd.h"

#include <limits.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define TURN_EVENTS 64

static int epoll = -1;
static int64_t now_ms;
static struct delay *delays;

/* The events of this turn, so that source_remove() can take out what has not been looked at. */
static struct epoll_event events[TURN_EVENTS];
static int event_count;

static void look_at_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t loop_ms(void)
{
    return now_ms;
}

bool loop_open(void)
{
    look_at_clock();
    epoll = epoll_create1(EPOLL_CLOEXEC);
    return epoll >= 0;
}

static bool control(int operation, struct source *source, uint32_t wanted)
{
    struct epoll_event event = {.events = wanted, .data = {.ptr = source}};
    return epoll_ctl(epoll, operation, source->fd, &event) == 0;
}

bool source_add(struct source *source, uint32_t wanted)
{
    return control(EPOLL_CTL_ADD, source, wanted);
}

bool source_change(struct source *source, uint32_t wanted)
{
    return control(EPOLL_CTL_MOD, source, wanted);
}

void source_remove(struct source *source)
{
    control(EPOLL_CTL_DEL, source, 0);
    for (int i = 0; i < event_count; i++)
        if (events[i].data.ptr == source)
            events[i].data.ptr = NULL;
}

void timer_stop(struct timer *timer, struct delay *delay)
{
    if (!timer->due_ms)
        return;
    if (timer->previous)
        timer->previous->next = timer->next;
    else
        delay->first = timer->next;
    if (timer->next)
        timer->next->previous = timer->previous;
    else
        delay->last = timer->previous;
    timer->next = timer->previous = NULL;
    timer->due_ms = 0;
}

void timer_start(struct timer *timer, struct delay *delay)
{
    timer_stop(timer, delay);
    if (!delay->known) {
        delay->known = true;
        delay->next = delays;
        delays = delay;
    }
    timer->due_ms = now_ms + delay->ms;
    timer->previous = delay->last;
    if (delay->last)
        delay->last->next = timer;
    else
        delay->first = timer;
    delay->last = timer;
}

static struct delay rest_delay = DELAY(100);

static void rested(struct timer *timer)
{
    source_change(CONTAINER_OF(timer, struct rest, timer)->source, EPOLLIN);
}

void rest_begin(struct rest *rest, struct source *source)
{
    rest->source = source;
    rest->timer.expired = rested;
    source_change(source, 0);
    timer_start(&rest->timer, &rest_delay);
}

void rest_end(struct rest *rest)
{
    timer_stop(&rest->timer, &rest_delay);
}

size_t descriptors_max(void)
{
    static size_t known;
    struct rlimit limit;
    if (!known)
        known = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < SIZE_MAX / 2 ? (size_t)limit.rlim_cur : SIZE_MAX / 2;
    return known;
}

/* Calls what is due. Returns the milliseconds until something else is, or -1 if nothing waits. */
static int run_timers(void)
{
    int64_t wait = -1;
    for (struct delay *delay = delays; delay; delay = delay->next) {
        while (delay->first && delay->first->due_ms <= now_ms) {
            struct timer *timer = delay->first;
            timer_stop(timer, delay); /* before it is called, since it may be freed or started again there */
            timer->expired(timer);
        }
        if (delay->first && (wait < 0 || delay->first->due_ms - now_ms < wait))
            wait = delay->first->due_ms - now_ms;
    }
    return wait > INT_MAX ? INT_MAX : (int)wait;
}

void loop_run(void)
{
    for (;;) {
        look_at_clock();
        int wait = run_timers();
        int count = epoll_wait(epoll, events, TURN_EVENTS, wait);
        look_at_clock();
        event_count = count > 0 ? count : 0;
        for (int i = 0; i < event_count; i++) {
            struct source *source = events[i].data.ptr;
            if (source)
                source->ready(source, events[i].events);
        }
        event_count = 0;
    }
}
