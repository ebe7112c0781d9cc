/* The last step into a container: `rootless-exec CHANNEL PATH ARGV...` executes PATH. It is run from
   sealed memory (rootless/runtime/process/sealed_exec.py): between a look at PATH and its execution a container may
   make it a link to /proc/self/exe, and what is executed then is this program and not an interpreter of
   the host's, whose file could be overwritten (CVE-2019-5736).

   CHANNEL: the descriptor of a packet socket that hears of an error, or -1: stderr does, as it does where the
   channel cannot be used. A filter is loaded already: there is no system call here that could be done without. */

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/descriptor.h"
#include "lib/text.h"

_Noreturn static void refuse(int channel, int error)
{
    char message[128], *p = message;
    if (channel >= 0) {
        p = put_text(put_number(put_text(p, "[\"refused\", {\"errno\": "), (uint64_t)error), "}]");
        if (send(channel, message, (size_t)(p - message), MSG_NOSIGNAL) >= 0)
            _exit(125);
        p = message; /* the filter forbids it */
    }
    p = put_text(put_text(p, strerror(error)), "\n");
    if (write(2, message, (size_t)(p - message)) < 0)
        _exit(126);
    _exit(127);
}

int main(int argc, char **argv)
{
    uint64_t number = 0;
    if (argc < 4 || (strcmp(argv[1], "-1") != 0 && !parse_number(argv[1], 1u << 30, &number)))
        usage_error("rootless-exec", "usage: rootless-exec CHANNEL PATH ARGV...");
    int channel = number > 2 ? (int)number : -1;
    /* Its end of file means that the command runs. */
    if (channel >= 0 && fcntl(channel, F_SETFD, FD_CLOEXEC) < 0) {
        close(channel);
        channel = -1;
    }
    execve(argv[2], argv + 3, environ);
    refuse(channel, errno);
}
