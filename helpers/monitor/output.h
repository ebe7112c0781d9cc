/* The container's output: read a packet at a time, logged, offered to the clients. */
#ifndef ROOTLESS_OUTPUT_H
#define ROOTLESS_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "clients.h"
#include "input.h"
#include "log.h"

struct stream {
    int fd; /* -1: ended */
    enum message type;
    size_t left; /* once the container has ended: bytes that may still come */
};

struct output {
    struct stream out, err; /* of a terminal only out, whose fd is the terminal's */
    bool ended;             /* the container has ended: what comes now is the rest */
    struct input *input;    /* owns the terminal */
    struct clients *clients;
    struct log *log;
};

/* Reads one packet of a stream that is ready, unless a client has not taken the one before. */
void output_pump(struct output *output, struct stream *stream);

/* The container has ended: bounds what may still come of both streams. */
void output_limit(struct output *output);

void output_close(struct output *output, struct stream *stream);

/* Whether both streams have ended. */
bool output_ended(const struct output *output);

/* A line of ours about the container's errors: the text at the clients' packet + 1, logged and offered. */
void output_say(struct output *output, size_t size);

#endif
