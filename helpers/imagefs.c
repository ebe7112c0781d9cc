/* Keeps an image file mounted while containers use it, and hands clones of the mount out to processes of its own uid:
   `rootless-imagefs --listen FD --socket PATH --mount PATH --server PIDFD --idle SECONDS`, started in a mount namespace of
   its own in which the image is mounted, with a listening AF_UNIX socket that is bound at PATH. SERVER is the process that
   serves the mount, our child, which the kernel kills when we end.

   Every connection is answered at once with one byte "M" and SCM_RIGHTS of [a detached clone of the mount]. Whoever needs
   the mount keeps its connection: with the last one closed for SECONDS, or the server gone, the socket is removed and we end,
   and with us the mount namespace, the mount and the server. Once SIGTERM has come no second is waited. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/descriptor.h"
#include "lib/footprint.h"
#include "lib/signals.h"
#include "lib/text.h"

#ifndef SYS_open_tree
#define SYS_open_tree 428 /* the same number on every architecture; Linux 5.2 */
#endif
#define OPEN_TREE_CLONE_CLOEXEC (1 | O_CLOEXEC) /* <linux/mount.h>, which musl has not */

enum { LISTENER, SERVER, SIGNALS, FIRST_CLIENT, MOST_CLIENTS = 8192 };

static const char program[] = "rootless-imagefs";
static const char title[] = "rootless: image";
static struct pollfd polls[FIRST_CLIENT + MOST_CLIENTS];

static void set_title(int argc, char **argv)
{
    prctl(PR_SET_NAME, title, 0, 0, 0);
    size_t room = (size_t)(argv[argc - 1] + strlen(argv[argc - 1]) - argv[0]);
    memset(argv[0], 0, room);
    memcpy(argv[0], title, room < sizeof title ? room : sizeof title);
}

/* Whether the client got a clone of the mount at path, and its connection is to be kept. */
static bool answer(int connection, const char *path)
{
    if (!same_user(connection))
        return false;
    int clone = (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE_CLOEXEC);
    if (clone < 0)
        return false;
    char byte = 'M';
    struct iovec text = {&byte, 1};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.room = {0}};
    struct msghdr message = {
        .msg_iov = &text, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof clone);
    memcpy(CMSG_DATA(rights), &clone, sizeof clone);
    bool sent = sendmsg(connection, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
    close(clone);
    return sent;
}

static nfds_t welcome(nfds_t count, const char *path)
{
    int connection;
    while ((connection = accept4(polls[LISTENER].fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        if (count < FIRST_CLIENT + MOST_CLIENTS && answer(connection, path))
            polls[count++] = (struct pollfd){.fd = connection, .events = POLLIN};
        else
            close(connection);
    }
    return count;
}

/* A client says nothing: what can be read of it is its end, or no client of ours. */
static nfds_t let_go(nfds_t count)
{
    for (nfds_t i = FIRST_CLIENT; i < count;) {
        if (polls[i].revents) {
            close(polls[i].fd);
            polls[i] = polls[--count];
        } else
            i++;
    }
    return count;
}

static void remove_own(const char *path, const struct stat *own)
{
    struct stat there;
    if (stat(path, &there) == 0 && there.st_dev == own->st_dev && there.st_ino == own->st_ino)
        unlink(path);
}

int main(int argc, char **argv)
{
    uint64_t listening, server, idle;
    if (argc != 11 || strcmp(argv[1], "--listen") != 0 || !parse_number(argv[2], INT_MAX, &listening) || listening < 3 ||
        strcmp(argv[3], "--socket") != 0 || strlen(argv[4]) >= PATH_MAX || strcmp(argv[5], "--mount") != 0 ||
        strlen(argv[6]) >= PATH_MAX || strcmp(argv[7], "--server") != 0 || !parse_number(argv[8], INT_MAX, &server) ||
        server < 3 || strcmp(argv[9], "--idle") != 0 || !parse_number(argv[10], INT_MAX / 1000, &idle) ||
        fcntl((int)listening, F_GETFD) < 0 || fcntl((int)server, F_GETFD) < 0)
        usage_error(program, "usage: rootless-imagefs --listen FD --socket PATH --mount PATH --server PIDFD --idle SECONDS");
    static char socket_path[PATH_MAX], mount_path[PATH_MAX];
    put_text(socket_path, argv[4]);
    put_text(mount_path, argv[6]);

    ignore_signals();
    int keep[] = {(int)listening, (int)server};
    keep_only(keep, 2);
    detach_stdio();
    set_nonblocking((int)listening);
    struct stat own = {0};
    if (stat(socket_path, &own) < 0)
        return 1;
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    set_title(argc, argv);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (chdir("/") < 0)
        return 1;

    trim_footprint();
    polls[LISTENER] = (struct pollfd){.fd = (int)listening, .events = POLLIN};
    polls[SERVER] = (struct pollfd){.fd = (int)server, .events = POLLIN};
    polls[SIGNALS] = (struct pollfd){.fd = sigterm_descriptor(), .events = POLLIN};
    nfds_t count = FIRST_CLIENT;
    for (bool removed = false;;) {
        int ready = poll(polls, count, count > FIRST_CLIENT ? -1 : removed ? 0 : (int)idle * 1000);
        if (ready < 0)
            continue;
        if (polls[SERVER].revents) {
            remove_own(socket_path, &own);
            return 1; /* a mount that nobody serves */
        }
        count = let_go(count);
        struct signalfd_siginfo told;
        if (polls[SIGNALS].revents && read(polls[SIGNALS].fd, &told, sizeof told) > 0) {
            idle = 0;
            continue;
        }
        if (polls[LISTENER].revents)
            count = welcome(count, mount_path);
        else if (ready == 0 && removed)
            return 0;
        else if (ready == 0) {
            /* First nobody can find us any more, then those are answered who had. */
            remove_own(socket_path, &own);
            removed = true;
        }
    }
}
