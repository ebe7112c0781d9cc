/* The log in systemd's journal: https://systemd.io/JOURNAL_NATIVE_PROTOCOL, a datagram an entry. */
#ifndef ROOTLESS_JOURNAL_H
#define ROOTLESS_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct journal {
    int fd;     /* a connected datagram socket that blocks; -1: no journal */
    int fields; /* a file with the fields of every entry, as they are sent; -1: none */
    struct sockaddr_un address; /* of the journal, to connect again where it was started anew */
    socklen_t address_size;
    char *encoded; /* the fields, in memory */
    size_t encoded_size;
    uint64_t lost; /* bytes of output that could not be sent since the last that could */
    size_t used[2]; /* bytes that have come of a line of stdout, of stderr */
};

/* Reads the fields; false where that fails. */
bool journal_open(struct journal *journal);

/* Sends the lines that text completes. Blocks while the journal takes none. */
void journal_write(struct journal *journal, bool error, const uint8_t *text, size_t size);

/* Sends what has come of lines without an end. */
void journal_flush(struct journal *journal);

#endif
