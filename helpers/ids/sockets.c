/* Sockets: who the other end is, and whose a name is. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "create.h"

/* A descriptor of ours for the task's socket; -1: none. */
static int socket_of(const struct request *r, int fd)
{
    int task = (int)syscall(SYS_pidfd_open, r->task, 0), socket = -1; /* of its process, by any of its threads' numbers */
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
    if (result < 0 || size != sizeof peer || peer.pid <= 0)
        return CONTINUE;
    const struct credentials *of = credentials_of(peer.pid);
    long pid = inner_pid(peer.pid);
    if ((!of->euid && !of->egid) || pid < 0)
        return CONTINUE;
    peer.pid = (pid_t)pid;
    peer.uid = of->euid;
    peer.gid = of->egid;
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

/* From where the task is, so that the name is the one that it gave, for getsockname(2), too. */
static int bind_there(int socket, const struct making *making, const struct sockaddr_un *address, socklen_t size)
{
    int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC), result = -EIO;
    if (here >= 0 && (making->place.at < 0 || fchdir(making->place.at) == 0)) {
        mode_t ours = umask(making->umask);
        result = bind(socket, (const struct sockaddr *)address, size) < 0 ? -errno : 0;
        umask(ours);
    }
    if (here < 0 || fchdir(here) < 0)
        _exit(1); /* no path of ours would be right any more */
    close(here);
    return result;
}

int64_t call_bind(const struct request *r)
{
    struct sockaddr_un address;
    struct making making;
    const socklen_t size = (socklen_t)r->args[2], least = offsetof(struct sockaddr_un, sun_path) + 1;
    if (size < least || size > sizeof address)
        return CONTINUE;
    memset(&address, 0, sizeof address);
    making.opens = false;
    int64_t result = request_read(r, r->args[1], &address, size);
    if (result < 0 || address.sun_family != AF_UNIX || !address.sun_path[0])
        return result == GONE ? GONE : CONTINUE;
    memcpy(making.place.path, address.sun_path, sizeof address.sun_path);
    making.place.path[sizeof address.sun_path] = 0;
    if ((result = place_resolve(r, AT_FDCWD, &making.place)) < 0)
        return result == GONE ? GONE : CONTINUE;
    if ((result = making_begin(r, false, false, &making)) != 0)
        return result;
    int socket = socket_of(r, (int)r->args[0]);
    result = socket < 0 ? -EBADF : bind_there(socket, &making, &address, size);
    if (socket >= 0)
        close(socket);
    if (result == 0) {
        int fd = open_beneath(making.parent, making.name, O_PATH | O_NOFOLLOW, 0);
        if (fd >= 0) {
            making_note(fd, &making.owner);
            close(fd);
        }
    }
    making_end(&making);
    return result;
}
