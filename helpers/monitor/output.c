#include "monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* More than a pty ever buffers: what may still come from one whose last user is gone. */
#define TERMINAL_REST (256 * 1024)

void stream_close(struct monitor *m, struct stream *stream)
{
    if (stream->fd < 0)
        return;
    if (stream->fd == m->terminal) {
        stdin_close(m);
        m->terminal = -1;
    }
    close(stream->fd);
    stream->fd = -1;
}

/* We hold the slave open too while the child lives: a program that closes its terminal and
   opens it again (an init system, for one) would otherwise read to us as the end (EIO).
   It must be let go before EIO can tell that the last output has been read. */
void terminal_hold(struct monitor *m)
{
    if (m->slave >= 0)
        close(m->slave);
    m->slave = m->ended ? -1 : ioctl(m->terminal, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
}

void terminal_resize(struct monitor *m, uint16_t rows, uint16_t columns)
{
    struct winsize size = {.ws_row = rows, .ws_col = columns};
    if (m->terminal >= 0)
        ioctl(m->terminal, TIOCSWINSZ, &size);
}

/* Everything that wrote to a pipe in the container's pid namespace is dead when PID 1 has been
   reaped, so what the pipe holds now is all. Descriptors that strayed out of it (a host pid
   namespace) may keep the pipe open: we do not wait for them. */
void stream_limit(struct monitor *m, struct stream *stream)
{
    int size = 0;
    if (stream->fd < 0)
        return;
    if (m->terminal >= 0)
        stream->left = TERMINAL_REST;
    else if (ioctl(stream->fd, FIONREAD, &size) == 0 && size > 0)
        stream->left = (size_t)size;
    else
        stream_close(m, stream);
}

void stream_pump(struct monitor *m, struct stream *stream)
{
    if (stream->fd < 0 || m->pending)
        return;
    size_t room = PAYLOAD_SIZE;
    if (m->ended && stream->left < room)
        room = stream->left;
    ssize_t size = read(stream->fd, m->packet + 1, room);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
        if (m->ended && m->terminal < 0)
            stream_close(m, stream);
        return;
    }
    if (size <= 0) {
        if (m->terminal >= 0 && !m->ended) {
            terminal_hold(m); /* hung up, by the end of a session in the container */
            if (m->slave >= 0)
                return;
        }
        stream_close(m, stream);
        return;
    }
    log_write(&m->log, stream->name, m->packet + 1, (size_t)size);
    m->packet[0] = (uint8_t)stream->type;
    m->packet_size = 1 + (size_t)size;
    clients_send(m);
    if (m->ended) {
        stream->left -= (size_t)size;
        if (!stream->left)
            stream_close(m, stream);
    }
}

void stdin_close(struct monitor *m)
{
    if (m->stdin_fd >= 0 && m->stdin_fd != m->terminal)
        close(m->stdin_fd);
    m->stdin_fd = -1;
    m->input_at = m->input_end = 0;
}

void stdin_end(struct monitor *m)
{
    /* A terminal has no end of input: the bytes for that (Ctrl-D) are the client's to send. */
    if (m->keep_stdin || m->terminal >= 0)
        return;
    m->stdin_ends = true;
    stdin_flush(m);
}

void stdin_flush(struct monitor *m)
{
    while (m->stdin_fd >= 0 && m->input_at < m->input_end) {
        ssize_t size = write(m->stdin_fd, m->input + m->input_at, m->input_end - m->input_at);
        if (size > 0) {
            m->input_at += (size_t)size;
        } else if (size < 0 && errno == EINTR) {
            continue;
        } else if (size < 0 && errno != EAGAIN && !(m->terminal >= 0 && errno == EIO)) {
            stdin_close(m); /* EPIPE: the container has closed its end */
        } else if (size < 0 && errno == EIO) {
            m->input_at = m->input_end; /* a hung up terminal: nobody will read this */
        } else {
            return;
        }
    }
    m->input_at = m->input_end = 0;
    if (m->stdin_ends)
        stdin_close(m);
}
