/* What netd could still do if somebody had taken it over: tries, in its sandbox, in both threads, and says what came of it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netd/hub.h"
#include "netd/sandbox.h"

static int try_socket(void *family)
{
    int fd = socket(*(int *)family, SOCK_DGRAM, 0);
    if (fd >= 0)
        close(fd);
    return fd < 0 ? -1 : 0;
}

static int try_execute(void *unused)
{
    char *const words[] = {"/bin/true", NULL};
    (void)unused;
    return execv(words[0], words);
}

static int try_read(void *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0)
        close(fd);
    return fd < 0 ? -1 : 0;
}

static int try_make(void *path)
{
    return open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

static int try_trace(void *unused)
{
    (void)unused;
    return (int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static void say(const char *what, int (*function)(void *argument), void *argument)
{
    for (int in_hub = 0; in_hub < 2; in_hub++) {
        int result = in_hub ? hub_call(function, argument) : function(argument);
        printf("%s %s\n", what, result < 0 ? strerrorname_np(errno) : "done");
    }
}

int main(int argc, char **argv)
{
    static struct {
        const char *name;
        int family;
    } kinds[] = {{"inet", AF_INET}, {"inet6", AF_INET6}, {"unix", AF_UNIX}, {"vsock", AF_VSOCK}, {"alg", AF_ALG}, {"packet", AF_PACKET}};
    int network = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (argc != 3 || network < 0 || !hub_open(network))
        return 1;
    printf("before\n"); /* standard output has its buffer now */
    sandbox_enter("/etc/resolv.conf");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        say(kinds[i].name, try_socket, &kinds[i].family);
    say("execute", try_execute, NULL);
    say("trace", try_trace, NULL);
    say("read", try_read, argv[1]);
    say("make", try_make, argv[2]);
    say("resolv.conf", try_read, "/etc/resolv.conf");
    return 0;
}
