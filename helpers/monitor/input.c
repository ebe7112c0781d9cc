#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

bool input_full(const struct input *input)
{
    return input->at < input->end;
}

void input_close(struct input *input)
{
    if (input->fd >= 0 && input->fd != input->terminal)
        close(input->fd);
    input->fd = -1;
    input->at = input->end = 0;
}

void input_end(struct input *input)
{
    /* A terminal has no end of input: the bytes for that (Ctrl-D) are the client's to send. */
    if (input->keep || input->terminal >= 0)
        return;
    input->ends = true;
    input_flush(input);
}

void input_flush(struct input *input)
{
    while (input->fd >= 0 && input->at < input->end) {
        ssize_t size = write(input->fd, input->buffer + input->at, input->end - input->at);
        if (size > 0) {
            input->at += (size_t)size;
        } else if (size < 0 && errno == EINTR) {
            continue;
        } else if (size < 0 && errno != EAGAIN && !(input->terminal >= 0 && errno == EIO)) {
            input_close(input); /* EPIPE: the container has closed its end */
        } else if (size < 0 && errno == EIO) {
            input->at = input->end; /* the terminal has hung up: no process will read this */
        } else {
            return;
        }
    }
    input->at = input->end = 0;
    if (input->ends)
        input_close(input);
}

/* The monitor holds the slave, too, while the container lives: a program that closes its terminal and
   opens it again (an init system, for one) would otherwise read to us as the end (EIO). */
void terminal_hold(struct input *input)
{
    terminal_release(input);
    input->slave = ioctl(input->terminal, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
}

/* The monitor reads EIO after the last output only if it holds no slave itself. */
void terminal_release(struct input *input)
{
    if (input->slave >= 0)
        close(input->slave);
    input->slave = -1;
}

void terminal_resize(struct input *input, uint16_t rows, uint16_t columns)
{
    struct winsize size = {.ws_row = rows, .ws_col = columns};
    if (input->terminal >= 0)
        ioctl(input->terminal, TIOCSWINSZ, &size);
}
