/* The session's holder: keeps the user namespace it runs in alive, and hands its descriptor out
   to processes of its own uid. `rootless-holder --listen FD`, started inside the namespace with
   a listening AF_UNIX socket; ends on SIGTERM, never by itself.

   Every connection is answered at once with one byte "S" and SCM_RIGHTS of [user namespace], or
   closed, and nothing is awaited from it: a client that hangs cannot hold another one up. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "descriptor.h"
#include "footprint.h"
#include "text.h"

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

static void answer(int connection, int namespace)
{
    if (!same_user(connection))
        return;
    char byte = 'S';
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
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(rights), &namespace, sizeof namespace);
    if (sendmsg(connection, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        return; /* it has gone */
}

int main(int argc, char **argv)
{
    static const int ignored[] = {SIGHUP, SIGINT, SIGQUIT, SIGPIPE};
    uint64_t listening;
    if (argc != 3 || strcmp(argv[1], "--listen") != 0 || !parse_number(argv[2], INT_MAX, &listening) ||
        listening < 3 || fcntl((int)listening, F_GETFD) < 0)
        usage_error(program, "usage: rootless-holder --listen FD");

    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_IGN);
    int namespace = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
    if (namespace < 0)
        usage_error(program, "cannot open /proc/self/ns/user");
    if (namespace < 3) { /* stdio was closed; its numbers become /dev/null */
        int moved = fcntl(namespace, F_DUPFD_CLOEXEC, 3);
        close(namespace);
        namespace = moved;
    }
    int keep[] = {(int)listening, namespace};
    keep_only(keep, 2);
    detach_stdio();
    set_nonblocking((int)listening);
    setsid(); /* fails where we lead one already */
    set_title(argc, argv);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (chdir("/") < 0)
        return 1;

    trim_footprint();
    struct pollfd poll_listening = {.fd = (int)listening, .events = POLLIN};
    for (;;) {
        if (poll(&poll_listening, 1, -1) < 0)
            continue;
        if (poll_listening.revents & (POLLERR | POLLHUP | POLLNVAL))
            return 1; /* the socket was shut down: nobody can reach us any more */
        int connection = accept4((int)listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (connection < 0)
            continue;
        answer(connection, namespace);
        close(connection);
    }
}
