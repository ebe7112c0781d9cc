/* `rootless-ids --proc FD --socket FD` answers the calls of a container with emulated ids;
   `rootless-ids --filter fake|ids|full` writes the filter that sends them, for seccomp(2), to stdout.

   --socket: a SOCK_SEQPACKET socket that listens; who connects as our own user sends one packet with the listener of
   a filter: struct beginning, the ids that the process begins with. It is answered with one byte once that is served.
   --proc: the host's /proc.
   It ends when the last process of its filters has ended, and with its parent. */

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ids.h"
#include "lib/descriptor.h"
#include "lib/footprint.h"
#include "lib/text.h"

static const char program[] = "rootless-ids";

/* The container's processes share one listener, each process of exec has one of its own. */
#define LISTENERS 512
static struct pollfd polls[1 + LISTENERS];
static const struct credentials *first[1 + LISTENERS]; /* of a filter's first process, until that has asked for something */
static nfds_t count = 1;

struct beginning {
    uint32_t uid, gid;
    uint32_t groups[512];
};

static void respond(int listener, const struct seccomp_notif *n, int64_t result)
{
    struct seccomp_notif_resp response = {.id = n->id};
    if (result == CONTINUE)
        response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    else if (result < 0)
        response.error = (int32_t)result;
    else
        response.val = result;
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response); /* ENOENT: the task has been killed meanwhile */
}

static void serve(int listener, const struct credentials **beginning)
{
    struct seccomp_notif n;
    memset(&n, 0, sizeof n);
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &n) < 0)
        return; /* the task has been killed meanwhile */
    struct request r = {listener, n.id, (pid_t)n.pid, n.data.nr, n.data.args};
    if (n.pid && *beginning) {
        if (credentials_set(r.task, *beginning, NULL) < 0)
            return respond(listener, &n, -EPERM);
        *beginning = NULL;
    }
    /* A task without a number for us is in no pid namespace below ours. */
    int64_t result = n.pid ? answer(&r) : CONTINUE;
    if (result != ANSWERED && result != GONE)
        respond(listener, &n, result);
}

static int receive_listener(int connection, struct beginning *beginning, uint32_t *groups)
{
    struct iovec data = {beginning, sizeof *beginning};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    /* Who connects sends at once: nobody waits for one that does not. */
    ssize_t received = recvmsg(connection, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(int)))
        return -1;
    int fd;
    memcpy(&fd, CMSG_DATA(header), sizeof fd);
    char name[24], text[64];
    put_number(name, (uint64_t)fd);
    ssize_t size = readlink(name, text, sizeof text - 1);
    text[size > 0 ? size : 0] = 0;
    const ssize_t least = offsetof(struct beginning, groups);
    *groups = received < least ? 0 : (uint32_t)(received - least) / sizeof *beginning->groups;
    if (received >= least && received % (ssize_t)sizeof *beginning->groups == 0 && strcmp(text, "anon_inode:seccomp notify") == 0)
        return fd;
    close(fd);
    return -1;
}

static void accept_one(int socket)
{
    int connection = accept4(socket, NULL, NULL, SOCK_CLOEXEC);
    if (connection < 0)
        return;
    struct pollfd sent = {.fd = connection, .events = POLLIN};
    static struct beginning beginning;
    uint32_t groups = 0;
    int listener = -1;
    if (same_user(connection) && count <= LISTENERS && poll(&sent, 1, 1000) == 1)
        listener = receive_listener(connection, &beginning, &groups);
    const struct credentials *begins = listener < 0 ? NULL : credentials_beginning(beginning.uid, beginning.gid, beginning.groups, groups);
    if (begins) {
        first[count] = begins;
        polls[count++] = (struct pollfd){.fd = listener, .events = POLLIN};
        (void)!send(connection, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    } else if (listener >= 0)
        close(listener);
    close(connection);
}

_Noreturn static void loop(void)
{
    bool served = false;
    while (!served || count > 1) {
        if (poll(polls, count, -1) < 0)
            continue; /* EINTR, or no memory for the moment */
        for (nfds_t i = count - 1; i > 0; i--) {
            if (polls[i].revents & POLLIN)
                serve(polls[i].fd, &first[i]);
            else if (polls[i].revents) { /* the last process of the filter has ended */
                close(polls[i].fd);
                polls[i] = polls[--count];
                first[i] = first[count];
            }
        }
        if (polls[0].revents)
            accept_one(polls[0].fd);
        served = served || count > 1;
    }
    _exit(0);
}

static int descriptor_argument(const char *text)
{
    uint64_t number;
    if (!parse_number(text, INT_MAX, &number))
        usage_error(program, "a descriptor is wanted");
    return (int)number;
}

static bool level_argument(const char *text, enum level *level)
{
    static const char *const names[] = {"fake", "ids", "full"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(text, names[i])) {
            *level = (enum level)i;
            return true;
        }
    return false;
}

int main(int argc, char **argv)
{
    enum level level;
    polls[0] = (struct pollfd){.fd = -1, .events = POLLIN};
    if (argc == 3 && !strcmp(argv[1], "--filter") && level_argument(argv[2], &level))
        return filter_write(level) ? 0 : 1;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--proc"))
            proc_fd = descriptor_argument(argv[i + 1]);
        else if (!strcmp(argv[i], "--socket"))
            polls[0].fd = descriptor_argument(argv[i + 1]);
    }
    if (argc != 5 || proc_fd < 0 || polls[0].fd < 0)
        usage_error(program, "usage: rootless-ids --proc FD --socket FD | --filter fake|ids|full");
    pid_t parent = getppid();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        return 1;
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* whoever shares a user namespace with us must not trace us */
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    keep_only((int[]){proc_fd, polls[0].fd}, 2);
    detach_stdio();
    signal(SIGPIPE, SIG_IGN);
    umask(0); /* the task's is asked for */
    credentials_begin();
    if (!paths_begin())
        usage_error(program, strerror(errno));
    trim_footprint();
    loop();
}
