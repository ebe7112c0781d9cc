/* `least_answer PROGRAM COMMAND...` runs COMMAND with the filter of emulated ids that PROGRAM (rootless-ids) writes, and leaves each
   call that it sends to the kernel: two calls of our own for each, and nothing is looked at. What is dearer here than without a
   filter, no program that answers by seccomp_unotify(2) can save. */
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SET_FLAGS _IOW('!', 4, unsigned long long) /* SECCOMP_IOCTL_NOTIF_SET_FLAGS, Linux 6.6 */
#define SYNC_WAKE_UP 1ull

static struct sock_filter filter[4096];

static void fail(const char *what)
{
    perror(what);
    exit(125);
}

static unsigned short read_filter(const char *program)
{
    char command[4096];
    snprintf(command, sizeof command, "'%s' --filter full", program);
    FILE *from = popen(command, "r");
    size_t count = from ? fread(filter, sizeof *filter, sizeof filter / sizeof *filter, from) : 0;
    if (!count || pclose(from) != 0)
        fail(program);
    return (unsigned short)count;
}

/* A descriptor that is sent (out >= 0) or received. */
static int pass(int socket, int out)
{
    char byte = 0, control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(header), &out, sizeof out);
    if ((out >= 0 ? sendmsg(socket, &message, 0) : recvmsg(socket, &message, MSG_CMSG_CLOEXEC)) != 1)
        fail("the listener");
    memcpy(&out, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof out);
    return out;
}

/* Until the last process with the filter has ended. */
static void answer(int listener)
{
    unsigned long long flags = SYNC_WAKE_UP;
    struct pollfd end = {.fd = listener};
    ioctl(listener, SET_FLAGS, flags);
    while (poll(&end, 1, 0) == 0) {
        struct seccomp_notif call = {0};
        while (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) == 0) {
            struct seccomp_notif_resp response = {.id = call.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
            ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
            memset(&call, 0, sizeof call);
        }
    }
}

int main(int argc, char **argv)
{
    int ends[2], status;
    if (argc < 3 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        fail("usage: least_answer PROGRAM COMMAND...");
    struct sock_fprog program = {.len = read_filter(argv[1]), .filter = filter};
    pid_t child = fork();
    if (child < 0)
        fail("fork");
    if (!child) {
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        int listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
        if (listener < 0)
            fail("seccomp");
        pass(ends[1], listener);
        close(listener);
        execvp(argv[2], argv + 2);
        fail(argv[2]);
    }
    answer(pass(ends[0], -1));
    return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 125;
}
