/* Pipes, through which splice(2) moves what a relay does not look at. */
#ifndef ROOTLESS_NETD_PIPES_H
#define ROOTLESS_NETD_PIPES_H

#include <stdbool.h>
#include <stddef.h>

/* What a splice asks for at most; a pipe may hold less. */
#define PIPE_SIZE (256 * 1024)

struct pipe {
    int out, in;
    bool open;
};

/* Opens it: one of the stock, or a new one. Returns false with errno. */
bool pipe_take(struct pipe *pipe);
/* It is empty, and may serve another relay. Nothing to do if it is not open. */
void pipe_give(struct pipe *pipe);
/* It may hold something, which is lost. */
void pipe_drop(struct pipe *pipe);

#endif
