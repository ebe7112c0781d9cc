/* The monitor: holds a container's terminal or pipes, writes its log, serves attached clients,
   records how it ended. docs/development/monitor.md.

   One process, one thread, one poll loop, fixed buffers; only the table of clients grows.
   Output moves in packets, one at a time: a packet is read, logged and offered to every
   client, and the next is read when the slowest client has taken it. */
#ifndef ROOTLESS_MONITOR_H
#define ROOTLESS_MONITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cgroup.h"
#include "clients.h"
#include "event.h"
#include "exit_record.h"
#include "health.h"
#include "input.h"
#include "lib/descriptor.h"
#include "log.h"
#include "output.h"
#include "repair.h"
#include "strays.h"

#define HOLDS_MAX 64

enum phase {
    RUNNING,            /* the container's first process lives */
    DRAINING,           /* it has ended: the rest of its output is read */
    RECORDED,           /* exit.json is written; a slow client may still hold output back */
    REPORTED,           /* the clients have been sent how it ended */
    WAITING_FOR_CLIENT, /* one of them cleans up, or has not taken everything yet */
    CLEANING,           /* one more round: a client may just have connected, or promised to clean up */
};

struct monitor {
    enum phase phase;
    int dir, fallback_dir, first_client;
    bool no_sync;
    struct run attachers[HOLDS_MAX], holds[HOLDS_MAX];
    size_t attacher_count, hold_count;
    char **cleanup;         /* NULL: none */
    const char *cleanup_if; /* the file in dir without which there is no clean-up either */
    size_t passed;          /* descriptors after stderr that the clean-up inherits */
    uint64_t open_files;    /* the soft limit of what is executed; 0: ours */
    int64_t wait_ms;        /* not -1: nothing but wait so long, then clean up */
    pid_t ids;              /* a child of ours that the container does not outlive: rootless-ids; 0: none */
    bool exec;              /* the child is an exec process; without dir nothing but wait for it and write exec_die */
    int64_t timeout_ms;     /* 0: none; then the child is killed */
    int64_t kill_at_ms;     /* 0: never, or not any more */

    int signals; /* signalfd */
    int child;   /* pidfd; -1: a kernel without */
    int64_t ended_at_ms;

    struct output output;
    struct health health;
    struct repair repair;
    struct cgroup cgroup;
    struct strays strays;
    struct event_log events;
    struct log log;
    struct exit_record record;
    /* Last, since their buffers stand between pages that are in use. */
    struct input input;
    struct clients clients;
};

/* arguments.c: fills m, or ends with status 2 and a line on stderr. */
void parse_arguments(struct monitor *m, int argc, char **argv);

/* child.c: the container's first process. */
void child_look(struct monitor *m); /* begins to watch it; it may have ended already */
void child_reap(struct monitor *m); /* SIGCHLD has come */
void child_held(struct monitor *m); /* its pidfd is ready */
int child_watch(struct monitor *m); /* its clocks; the milliseconds until something is due, -1: never */

/* memory.c: processes that the kernel killed at the container's memory limit. */
void memory_look(struct monitor *m);
bool memory_report(struct monitor *m); /* on the container's stderr; false if there is nothing new */

/* finish.c: does what is due once the child has ended. Returns the milliseconds until something is due, or -1 if
   only a descriptor's becoming ready can change that. */
int finish(struct monitor *m);

#endif
