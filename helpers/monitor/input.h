/* The container's stdin, or its terminal's input side. Knows no client: who types is clients.c's. */
#ifndef ROOTLESS_INPUT_H
#define ROOTLESS_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "message.h"

struct input {
    int fd;       /* stdin's pipe, or the terminal; -1: none, or closed */
    int terminal; /* the pty's master; -1: no terminal */
    int slave;    /* see terminal_hold; -1: not held */
    bool keep;    /* a client's end is not the end of stdin */
    bool ends;    /* fd is closed once the buffer is written */
    uint8_t buffer[1 + PAYLOAD_SIZE];
    size_t at, end; /* what of the buffer is still to be written */
};

/* Whether a client's bytes have to wait: the last ones are not written yet. */
bool input_full(const struct input *input);

/* Writes the buffer as far as it goes; closes what has ended. */
void input_flush(struct input *input);

/* No more input comes: stdin is closed once the buffer is written. A terminal, or a stdin that is kept, stays. */
void input_end(struct input *input);

void input_close(struct input *input);

/* Holds the terminal's slave open, anew if it was held already. */
void terminal_hold(struct input *input);

void terminal_release(struct input *input);
void terminal_resize(struct input *input, uint16_t rows, uint16_t columns);

#endif
