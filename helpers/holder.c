/* The session's holder: keeps the user namespace it runs in alive, and a network namespace of that, the hub,
   and hands their descriptors out to processes of its own uid. `rootless-holder --listen FD --socket PATH`, started inside the namespace
   with a listening AF_UNIX socket, bound at PATH.new, that becomes PATH. It ends on SIGTERM, and when
   its socket is neither there nor there any more (a cleaner of /tmp, the end of a login, another holder's in
   its place): nobody can reach it then, and whoever is in the namespace keeps that.

   Started in a network namespace that belongs to the user namespace, it keeps that one; elsewhere it makes one.
   Where the host refuses, there is no hub, and nothing else is missing.

   Every connection is answered at once with one byte "S" and SCM_RIGHTS of [user namespace, hub], the
   second left out where there is none, or closed, and nothing is awaited from it: a client that hangs
   cannot hold another one up. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/descriptor.h"
#include "lib/footprint.h"
#include "lib/signals.h"
#include "lib/text.h"

/* ioctl_ns(2), of <linux/nsfs.h>, which musl has not. */
#define NS_GET_USERNS _IO(0xb7, 0x1)

static const char program[] = "rootless-holder";
static const char title[] = "rootless: session";

/* What ps shows: the name has 15 characters at most, the arguments what they had. */
static void set_title(int argc, char **argv)
{
    prctl(PR_SET_NAME, title, 0, 0, 0);
    size_t room = (size_t)(argv[argc - 1] + strlen(argv[argc - 1]) - argv[0]);
    memset(argv[0], 0, room);
    memcpy(argv[0], title, room < sizeof title ? room : sizeof title);
}

/* Of /proc/self/ns/NAME, above the numbers of stdio, which become /dev/null; -1 with errno. */
static int open_namespace(const char *path)
{
    int opened = open(path, O_RDONLY | O_CLOEXEC);
    if (opened < 0 || opened > 2)
        return opened;
    int moved = fcntl(opened, F_DUPFD_CLOEXEC, 3);
    close(opened);
    return moved;
}

/* Whether the namespace `owned` belongs to the user namespace `user`. */
static bool belongs_to(int owned, int user)
{
    struct stat owners, users;
    int owner = ioctl(owned, NS_GET_USERNS);
    if (owner < 0)
        return false;
    bool same = fstat(owner, &owners) == 0 && fstat(user, &users) == 0 && owners.st_dev == users.st_dev &&
                owners.st_ino == users.st_ino;
    close(owner);
    return same;
}

/* The hub: the network namespace that we were started in, where it is the user namespace's, or a new one; -1
   where the host refuses one. */
static int open_hub(int user)
{
    static const char path[] = "/proc/self/ns/net";
    int here = open_namespace(path);
    if (here >= 0 && belongs_to(here, user))
        return here;
    if (here >= 0)
        close(here);
    return unshare(CLONE_NEWNET) < 0 ? -1 : open_namespace(path);
}

static void answer(int connection, const int *namespaces, size_t count)
{
    if (!same_user(connection))
        return;
    char byte = 'S';
    struct iovec text = {&byte, 1};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(2 * sizeof(int))];
    } control = {.room = {0}};
    size_t size = count * sizeof *namespaces;
    struct msghdr message = {
        .msg_iov = &text, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = (socklen_t)CMSG_SPACE(size)};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = (socklen_t)CMSG_LEN(size);
    memcpy(CMSG_DATA(rights), namespaces, size);
    if (sendmsg(connection, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        return; /* it has gone */
}

static char bound[PATH_MAX + 8], published[PATH_MAX];
static struct stat own; /* of our socket's file */

static bool is_ours(const char *path)
{
    struct stat there;
    return stat(path, &there) == 0 && there.st_dev == own.st_dev && there.st_ino == own.st_ino;
}

/* A descriptor that becomes ready when something happens to our socket's file; -1 where there can be none. */
static int watch_socket(const char *path)
{
    if (strlen(path) >= sizeof published)
        return -1;
    put_text(published, path);
    put_text(put_text(bound, path), ".new");
    int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (watch >= 0 && inotify_add_watch(watch, bound, IN_ATTRIB | IN_DELETE_SELF) >= 0 && stat(bound, &own) == 0)
        return watch;
    if (watch >= 0)
        close(watch);
    return -1;
}

/* Under the first name or the second; in this order, or a rename between would hide it. */
static bool can_be_reached(int watch)
{
    char events[4096];
    while (read(watch, events, sizeof events) > 0)
        ;
    return is_ours(bound) || is_ours(published);
}

int main(int argc, char **argv)
{
    uint64_t listening;
    if (argc != 5 || strcmp(argv[1], "--listen") != 0 || !parse_number(argv[2], INT_MAX, &listening) ||
        listening < 3 || fcntl((int)listening, F_GETFD) < 0 || strcmp(argv[3], "--socket") != 0)
        usage_error(program, "usage: rootless-holder --listen FD --socket PATH");

    ignore_signals();
    signal(SIGTERM, SIG_DFL); /* no container needs us, and a machine that is shut down is not to wait for us */
    int namespaces[2] = {open_namespace("/proc/self/ns/user")};
    if (namespaces[0] < 0)
        usage_error(program, "cannot open /proc/self/ns/user");
    namespaces[1] = open_hub(namespaces[0]);
    size_t count = namespaces[1] < 0 ? 1 : 2;
    int keep[] = {(int)listening, namespaces[0], namespaces[1]};
    keep_only(keep, 1 + count);
    detach_stdio();
    set_nonblocking((int)listening);
    int watch = watch_socket(argv[4]);
    setsid(); /* fails where we lead one already */
    set_title(argc, argv);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (chdir("/") < 0)
        return 1;

    trim_footprint();
    struct pollfd polls[] = {{.fd = (int)listening, .events = POLLIN}, {.fd = watch, .events = POLLIN}};
    for (;;) {
        if (poll(polls, 2, -1) < 0)
            continue;
        if (polls[0].revents & (POLLERR | POLLHUP | POLLNVAL))
            return 1; /* the socket was shut down: nobody can reach us any more */
        if (polls[1].revents && !can_be_reached(watch))
            return 0;
        if (!polls[0].revents)
            continue;
        int connection = accept4((int)listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (connection < 0)
            continue;
        answer(connection, namespaces, count);
        close(connection);
    }
}
