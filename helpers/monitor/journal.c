#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/text.h"

/* Docker's: a longer line is several entries, all but the last with CONTAINER_PARTIAL_MESSAGE. */
#define LINE_SIZE 16384
#define FIELDS_LARGEST (16 << 20)

static uint8_t lines[2][LINE_SIZE]; /* what has come of a line of stdout, of stderr */

/* The whole file into memory. */
static bool read_fields(struct journal *journal)
{
    struct stat status;
    if (fstat(journal->fields, &status) < 0 || status.st_size > FIELDS_LARGEST)
        return false;
    journal->encoded = malloc((size_t)status.st_size + 1);
    ssize_t size = journal->encoded ? pread(journal->fields, journal->encoded, (size_t)status.st_size, 0) : -1;
    journal->encoded_size = size > 0 ? (size_t)size : 0;
    close(journal->fields);
    return size == status.st_size;
}

bool journal_open(struct journal *journal)
{
    if (journal->fd < 0)
        return true;
    journal->address_size = sizeof journal->address;
    if (getpeername(journal->fd, (struct sockaddr *)&journal->address, &journal->address_size) < 0)
        journal->address_size = 0;
    return journal->fields < 0 || read_fields(journal);
}

/* An entry that is too large for a datagram, in a sealed file. */
static bool send_file(int socket, const struct iovec *pieces, int count)
{
    int file = memfd_create("journal-entry", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (file < 0)
        return false;
    bool good = true;
    for (int i = 0; i < count && good; i++) /* a file in memory takes all or nothing of a piece, but for its end */
        good = write(file, pieces[i].iov_base, pieces[i].iov_len) == (ssize_t)pieces[i].iov_len;
    good = good && fcntl(file, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0;
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof file)];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof file), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    memcpy(CMSG_DATA(&control.header), &file, sizeof file);
    struct msghdr message = {.msg_control = &control, .msg_controllen = sizeof control};
    good = good && sendmsg(socket, &message, MSG_NOSIGNAL) >= 0;
    close(file);
    return good;
}

static bool send_pieces(struct journal *journal, struct iovec *pieces, int count)
{
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = (size_t)count};
    for (bool again = true;; again = false) {
        ssize_t size;
        do
            size = sendmsg(journal->fd, &message, MSG_NOSIGNAL);
        while (size < 0 && errno == EINTR);
        if (size >= 0)
            return true;
        if (errno == EMSGSIZE || errno == ENOBUFS)
            return send_file(journal->fd, pieces, count);
        /* The journal was started anew, at the same place. */
        if (!again || connect(journal->fd, (struct sockaddr *)&journal->address, journal->address_size) < 0)
            return false;
    }
}

static bool send_entry(struct journal *journal, bool error, bool partial, const uint8_t *text, size_t size)
{
    static char name[] = "MESSAGE=", end[] = "\n", info[] = "PRIORITY=6\n", err[] = "PRIORITY=3\n";
    static char part[] = "CONTAINER_PARTIAL_MESSAGE=true\n";
    struct iovec pieces[] = {
        {name, sizeof name - 1},
        {(void *)(uintptr_t)text, size},
        {end, sizeof end - 1},
        {error ? err : info, sizeof info - 1},
        {journal->encoded, journal->encoded_size},
        {part, sizeof part - 1},
    };
    return send_pieces(journal, pieces, (int)(sizeof pieces / sizeof *pieces) - !partial);
}

/* Where output is missing, the log says so itself. */
static bool report_loss(struct journal *journal)
{
    char text[160];
    char *p = put_number(put_text(text, "rootless: "), journal->lost);
    p = put_text(p, " bytes of output are missing here, the journal did not take them");
    if (!send_entry(journal, true, false, (uint8_t *)text, (size_t)(p - text)))
        return false;
    journal->lost = 0;
    return true;
}

static void send_line(struct journal *journal, bool error, bool partial)
{
    size_t size = journal->used[error];
    journal->used[error] = 0;
    if ((journal->lost && !report_loss(journal)) || !send_entry(journal, error, partial, lines[error], size))
        journal->lost += size;
}

void journal_write(struct journal *journal, bool error, const uint8_t *text, size_t size)
{
    for (size_t at = 0; at < size;) {
        if (text[at] == '\n') {
            send_line(journal, error, false);
            at++;
            continue;
        }
        if (journal->used[error] == LINE_SIZE)
            send_line(journal, error, true);
        const uint8_t *end = memchr(text + at, '\n', size - at);
        size_t length = (end ? (size_t)(end - text) : size) - at, room = LINE_SIZE - journal->used[error];
        length = length < room ? length : room;
        memcpy(lines[error] + journal->used[error], text + at, length);
        journal->used[error] += length;
        at += length;
    }
}

void journal_flush(struct journal *journal)
{
    for (int error = 0; error < 2; error++)
        if (journal->used[error])
            send_line(journal, error, false);
}
