/* Lines in the log of events, engine/state/events/events.py. */
#ifndef ROOTLESS_EVENT_H
#define ROOTLESS_EVENT_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define EVENT_SIZE 4096 /* of a line */

struct event_log {
    int dir;          /* -1: no log */
    const char *tail; /* what every line of this container ends with, an object of attributes left open */
};

/* Appends a line; never fails. exit_code < 0: the event has none. */
void event_write(const struct event_log *log, const char *action, const struct timespec *when, int exit_code);

/* As event_write(), of this instant and without an exit code. */
void event_now(const struct event_log *log, const char *action);

#endif
