/* Sockets: who the other end is, and whose a name is. */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "create.h"
#include "search.h"
#include "lib/text.h"

#define OVERFLOW_ID 65534u

/* A descriptor of ours for the task's socket; -1: none. */
static int socket_of(const struct request *r, int fd)
{
    int task = (int)syscall(SYS_pidfd_open, (pid_t)request_status(r->task, "\nTgid:\t", 10), 0), socket = -1;
    if (task >= 0 && request_valid(r))
        socket = (int)syscall(SYS_pidfd_getfd, task, fd, 0);
    if (task >= 0)
        close(task);
    return socket;
}

/* SO_PEERCRED: the filter has looked at the level and the name. */
int64_t call_peer(const struct request *r)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    int socket = socket_of(r, (int)r->args[0]);
    int result = socket < 0 ? -1 : getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size);
    if (socket >= 0)
        close(socket);
    if (result < 0 && errno != EBADF && errno != ENOTSOCK)
        return -errno; /* the kernel would say root */
    if (result < 0 || size != sizeof peer || peer.pid <= 0)
        return CONTINUE;
    if (kill(peer.pid, 0) < 0 && errno == ESRCH && credentials_given())
        peer = (struct ucred){0, OVERFLOW_ID, OVERFLOW_ID}; /* who that was went with it */
    else {
        const struct credentials *of = credentials_of(peer.pid);
        long pid = inner_pid(peer.pid);
        if ((!of->euid && !of->egid) || pid < 0)
            return CONTINUE;
        peer = (struct ucred){(pid_t)pid, of->euid, of->egid};
    }
    uint32_t room;
    int64_t written = request_read(r, r->args[4], &room, sizeof room);
    if (written < 0)
        return written;
    if ((int32_t)room < 0)
        return -EINVAL;
    if (room > sizeof peer)
        room = sizeof peer;
    if ((written = request_write(r, r->args[3], &peer, room)) == 0)
        written = request_write(r, r->args[4], &room, sizeof room);
    return written;
}

/* Names that tasks give their sockets now, to be noted once they are there. The kernel makes them, for the task and with
   its rights: bind(2) follows every link, those of /proc to our own files, too, and would have led us out of the
   container. */
#define PENDING 64u
static struct pending {
    pid_t task;
    int parent; /* ours to close */
    struct owner owner;
    char name[256];
} pending[PENDING];
static atomic_size_t pending_count;
static pthread_mutex_t awaiting = PTHREAD_MUTEX_INITIALIZER; /* never held where a file system may let us wait */

static bool noted(const struct pending *each)
{
    struct stat st;
    int fd = open_beneath(each->parent, each->name, O_PATH | O_NOFOLLOW, 0);
    if (fd < 0)
        return false;
    if (fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode))
        making_note(fd, &each->owner);
    close(fd);
    return true;
}

/* Takes its parent over. */
static void await(const struct pending *one)
{
    pthread_mutex_lock(&awaiting);
    if (pending_count == PENDING) { /* it has waited longest, or nearly */
        close(pending[0].parent);
        pending[0] = pending[--pending_count];
    }
    pending[pending_count++] = *one;
    pthread_mutex_unlock(&awaiting);
}

void sockets_settle(const struct request *r)
{
    struct pending each[PENDING];
    if (!pending_count)
        return;
    pthread_mutex_lock(&awaiting);
    size_t count = pending_count;
    memcpy(each, pending, count * sizeof *each);
    pending_count = 0;
    pthread_mutex_unlock(&awaiting);
    for (size_t i = 0; i < count; i++) {
        /* Whoever asks for something else, or is gone, is not at his bind(2) any more. */
        if (!noted(&each[i]) && each[i].task != r->task && (kill(each[i].task, 0) == 0 || errno != ESRCH))
            await(&each[i]);
        else
            close(each[i].parent);
    }
}

/* The path that it is, if it is one: 0, CONTINUE or GONE. */
static int64_t path_of_address(const struct request *r, char path[PATH_SIZE])
{
    struct sockaddr_un address;
    const socklen_t size = (socklen_t)r->args[2], least = offsetof(struct sockaddr_un, sun_path) + 1;
    if (size < least || size > sizeof address)
        return CONTINUE;
    memset(&address, 0, sizeof address);
    int64_t result = request_read(r, r->args[1], &address, size);
    if (result < 0 || address.sun_family != AF_UNIX || !address.sun_path[0])
        return result == GONE ? GONE : CONTINUE;
    memcpy(path, address.sun_path, sizeof address.sun_path);
    path[sizeof address.sun_path] = 0;
    return 0;
}

/* Who connects to a socket writes to it. */
int64_t call_connect(const struct request *r)
{
    struct place place;
    struct found found;
    const struct credentials *by = credentials_of(r->task);
    if (credentials_over_files(by))
        return CONTINUE;
    int64_t result = path_of_address(r, place.path);
    if (result != 0)
        return result;
    if ((result = place_resolve(r, AT_FDCWD, &place)) < 0)
        return result == GONE ? GONE : CONTINUE;
    result = search(&place, by, true, &found);
    place_close(&place);
    if (result == 0)
        result = found.file < 0 || kernels_own(found.file) || may_by_bits(by, found.file, S_IWOTH) ? CONTINUE : -EACCES;
    search_end(&found);
    return result;
}

int64_t call_bind(const struct request *r)
{
    struct making making;
    struct place place;
    int64_t result = path_of_address(r, place.path);
    if (result != 0)
        return result;
    making.opens = false;
    if ((result = place_resolve(r, AT_FDCWD, &place)) < 0)
        return result == GONE ? GONE : CONTINUE;
    if ((result = making_begin(r, &place, false, false, &making)) != 0)
        return result;
    struct pending one = {.task = r->task, .parent = making.parent, .owner = making.owner};
    put_text(one.name, making.name);
    await(&one);
    return CONTINUE;
}
