/* The monitor: holds a container's terminal or pipes, writes its log, serves attached clients,
   records how it ended. docs/architecture.md, "Monitor: arguments and protocol".

   One process, one thread, one poll loop, fixed buffers; only the table of clients grows.
   Output moves in packets, one at a time: a packet is read, logged and offered to every
   client, and the next is read when the slowest client has taken it. */
#ifndef ROOTLESS_MONITOR_H
#define ROOTLESS_MONITOR_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cgroup.h"
#include "event.h"
#include "exit_record.h"
#include "health.h"
#include "log.h"
#include "strays.h"

#define PAYLOAD_SIZE 32768
#define HOLDS_MAX 64

enum message {
    MESSAGE_STDIN = 0,
    MESSAGE_STDIN_END = 1,
    MESSAGE_RESIZE = 2,
    MESSAGE_WILL_CLEAN = 3,
    MESSAGE_CLEANED = 4,
    MESSAGE_STDOUT = 0x10,
    MESSAGE_STDERR = 0x11,
    MESSAGE_EXITED = 0x12,
};

struct stream {
    int fd; /* -1: ended */
    enum message type;
    const char *name; /* in the log */
    size_t left;      /* once the child has ended: bytes that may still come */
};

struct client {
    int fd;
    bool pending;    /* has not taken the current packet */
    bool waiting;    /* its next message is stdin, and ours is full */
    bool deaf;       /* closed its end: nothing more to send, something perhaps to read */
    bool owns_stdin; /* the container's stdin ends with it, unless it is to be kept */
    bool will_clean;
};

struct monitor {
    /* arguments */
    int dir, fallback_dir, socket, first_client;
    int terminal; /* the pty's master, or -1; then output.fd and stdin_fd are it too */
    bool keep_stdin, no_sync;
    int holds[HOLDS_MAX];
    size_t hold_count;
    char **cleanup;         /* NULL: none */
    const char *cleanup_if; /* the file in dir without which there is no clean-up either */
    size_t passed;          /* descriptors after stderr that the clean-up inherits */
    int64_t wait_ms;        /* not -1: nothing but wait so long, then clean up */
    int64_t timeout_ms;     /* 0: none; then the child is killed */
    struct health health;

    int signals;     /* signalfd */
    int child;       /* pidfd; -1: a kernel without */
    int slave;       /* see terminal_hold */
    struct stream output, error;

    int stdin_fd;    /* -1: none, or closed */
    bool stdin_ends; /* close it when input is written */
    uint8_t input[1 + PAYLOAD_SIZE];
    size_t input_at, input_end;

    uint8_t packet[1 + PAYLOAD_SIZE];
    size_t packet_size;
    size_t pending; /* clients that have not taken it */

    struct client *clients;
    struct pollfd *polls; /* as many as clients, and FIXED_POLLS before them */
    size_t client_count, client_capacity;
    bool socket_paused; /* no room for another client until one goes */

    struct cgroup cgroup;
    struct strays strays;
    struct event_log events;
    struct log log;
    struct exit_record record;
    bool ended, recorded, told, cleaned;
    int64_t ended_at_ms;
    int64_t kill_at_ms; /* 0: not any more */
};

/* Places in polls[]. */
enum { POLL_SIGNALS, POLL_CHILD, POLL_SOCKET, POLL_OUTPUT, POLL_ERROR, POLL_STDIN, POLL_MEMORY, FIXED_POLLS };

/* arguments.c: fills m, or ends with status 2 and a line on stderr. */
void parse_arguments(struct monitor *m, int argc, char **argv);

/* attach.c */
void client_add(struct monitor *m, int fd, bool owns_stdin);
void clients_accept(struct monitor *m);
void clients_poll(struct monitor *m);  /* fills polls[FIXED_POLLS...] */
void clients_serve(struct monitor *m); /* acts on them; clients may be gone afterwards */
void clients_send(struct monitor *m);  /* offers packet[0..packet_size) to all */

/* stream.c */
void stream_pump(struct monitor *m, struct stream *stream); /* reads one packet, if there is one */
void stream_limit(struct monitor *m, struct stream *stream); /* the child has ended */
void stream_close(struct monitor *m, struct stream *stream);
void terminal_hold(struct monitor *m);
void terminal_resize(struct monitor *m, uint16_t rows, uint16_t columns);
void stdin_flush(struct monitor *m); /* writes input as far as it goes; closes what has ended */
void stdin_end(struct monitor *m);   /* no more input: close once what there is has been written */
void stdin_close(struct monitor *m);

#endif
