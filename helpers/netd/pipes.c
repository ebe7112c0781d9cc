#include "pipes.h"

#include <fcntl.h>
#include <unistd.h>

/* A relay has a pipe only while something is in it, so a few serve thousands of relays. The kernel counts the pages of
   all pipes of a user and makes new ones small above 64 MiB (pipe-user-pages-soft), those of other programs too: the
   stock takes 8 MiB at most, and what slow readers hold up stands in pipes of the usual 64 KiB. */
#define STOCK 32

static struct pipe stock[STOCK];
static size_t stocked, large;

bool pipe_take(struct pipe *pipe)
{
    if (stocked) {
        *pipe = stock[--stocked];
        return true;
    }
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return false;
    *pipe = (struct pipe){.out = ends[0], .in = ends[1], .open = true};
    if (large < STOCK && fcntl(pipe->in, F_SETPIPE_SZ, PIPE_SIZE) >= 0)
        large++;
    return true;
}

void pipe_drop(struct pipe *pipe)
{
    if (!pipe->open)
        return;
    if (fcntl(pipe->in, F_GETPIPE_SZ) >= PIPE_SIZE)
        large--;
    close(pipe->in);
    close(pipe->out);
    pipe->open = false;
}

void pipe_give(struct pipe *pipe)
{
    if (!pipe->open)
        return;
    if (stocked == STOCK) {
        pipe_drop(pipe);
        return;
    }
    stock[stocked++] = *pipe;
    pipe->open = false;
}
