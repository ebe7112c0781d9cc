#include "output.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* More than a pty ever buffers: what may still come from one whose last user is gone. */
#define TERMINAL_REST (256 * 1024)

void output_close(struct output *output, struct stream *stream)
{
    if (stream->fd < 0)
        return;
    if (stream->fd == output->input->terminal) {
        input_close(output->input);
        output->input->terminal = -1;
    }
    close(stream->fd);
    stream->fd = -1;
}

/* Everything that wrote to a pipe in the container's pid namespace is dead when PID 1 has been
   reaped, so what the pipe holds now is all. Descriptors that strayed out of it (a host pid
   namespace) may keep the pipe open: we do not wait for them. */
static void limit(struct output *output, struct stream *stream)
{
    int size = 0;
    if (stream->fd < 0)
        return;
    if (output->input->terminal >= 0)
        stream->left = TERMINAL_REST;
    else if (ioctl(stream->fd, FIONREAD, &size) == 0 && size > 0)
        stream->left = (size_t)size;
    else
        output_close(output, stream);
}

void output_limit(struct output *output)
{
    output->ended = true;
    limit(output, &output->out);
    limit(output, &output->err);
}

bool output_ended(const struct output *output)
{
    return output->out.fd < 0 && output->err.fd < 0;
}

void output_pump(struct output *output, struct stream *stream)
{
    struct input *input = output->input;
    struct clients *clients = output->clients;
    if (stream->fd < 0 || clients->pending)
        return;
    size_t room = PAYLOAD_SIZE;
    if (output->ended && stream->left < room)
        room = stream->left;
    ssize_t size = read(stream->fd, clients->packet + 1, room);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
        if (output->ended && input->terminal < 0)
            output_close(output, stream);
        return;
    }
    if (size <= 0) {
        if (input->terminal >= 0 && !output->ended) {
            terminal_hold(input); /* hung up, by the end of a session in the container */
            if (input->slave >= 0)
                return;
        }
        output_close(output, stream);
        return;
    }
    log_write(output->log, stream->type == MESSAGE_STDERR, clients->packet + 1, (size_t)size);
    clients_send(clients, stream->type, (size_t)size);
    if (output->ended) {
        stream->left -= (size_t)size;
        if (!stream->left)
            output_close(output, stream);
    }
}

void output_say(struct output *output, size_t size)
{
    log_write(output->log, true, output->clients->packet + 1, size);
    clients_send(output->clients, output->err.type, size);
}
