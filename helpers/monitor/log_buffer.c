#include "log_buffer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct ring {
    size_t size;
    _Atomic uint64_t head, tail; /* bytes ever put, and ever got */
    uint8_t data[];
};

int log_buffer_open(struct log_buffer *buffer, size_t largest)
{
    int ends[2];
    /* An empty buffer takes any record, as Docker's does. */
    size_t least = largest + sizeof(struct log_record), size = buffer->limit > least ? buffer->limit : least;
    buffer->ring = mmap(NULL, sizeof *buffer->ring + size, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (buffer->ring == MAP_FAILED || pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    buffer->ring->size = size;
    buffer->wake = ends[1];
    return ends[0];
}

/* Copies at the place of a byte's number, around the end of the ring. */
static void put(struct ring *ring, uint64_t at, const void *from, size_t size)
{
    size_t place = at % ring->size, first = ring->size - place < size ? ring->size - place : size;
    memcpy(ring->data + place, from, first);
    memcpy(ring->data, (const uint8_t *)from + first, size - first);
}

static void get(const struct ring *ring, uint64_t at, void *to, size_t size)
{
    size_t place = at % ring->size, first = ring->size - place < size ? ring->size - place : size;
    memcpy(to, ring->data + place, first);
    memcpy((uint8_t *)to + first, ring->data, size - first);
}

void log_buffer_put(struct log_buffer *buffer, struct log_record record, const uint8_t *text)
{
    struct ring *ring = buffer->ring;
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    size_t used = (size_t)(head - atomic_load_explicit(&ring->tail, memory_order_acquire));
    size_t size = sizeof record + record.size;
    if (buffer->wake < 0 || (used && used + size > buffer->limit)) {
        buffer->lost += record.size;
        return;
    }
    record.lost = buffer->lost;
    buffer->lost = 0;
    put(ring, head, &record, sizeof record);
    put(ring, head + sizeof record, text, record.size);
    atomic_store_explicit(&ring->head, head + size, memory_order_release);
    ssize_t ignored = write(buffer->wake, "", 1); /* a full pipe wakes as well */
    (void)ignored;
}

bool log_buffer_get(struct log_buffer *buffer, int alarm, struct log_record *record, uint8_t *text)
{
    struct ring *ring = buffer->ring;
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    bool open = true;
    while (tail == atomic_load_explicit(&ring->head, memory_order_acquire)) {
        char bytes[64];
        if (!open)
            return false;
        ssize_t size = read(alarm, bytes, sizeof bytes);
        open = size > 0 || (size < 0 && errno == EINTR); /* the end: what is there by now is all */
    }
    get(ring, tail, record, sizeof *record);
    get(ring, tail + sizeof *record, text, record->size);
    atomic_store_explicit(&ring->tail, tail + sizeof *record + record->size, memory_order_release);
    return true;
}
