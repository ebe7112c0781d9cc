/* `rootless-ids --proc FD --socket FD [--owners FD] [--upper FD]` answers the calls of a container with emulated ids;
   `rootless-ids --filter fake|ids|full` writes the filter that sends them, for seccomp(2), to stdout.

   --socket: a SOCK_SEQPACKET socket that listens; who connects as our own user sends one packet with the listener of
   a filter: struct beginning, the ids that the process begins with. It is answered with one byte once that is served.
   --proc: the host's /proc.
   --owners: the file of owners that outlive the container, for reading and writing; --upper: the directory that what it
   changes is in.
   It ends when the last process of its filters has ended, and with its parent. */

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "serve.h"
#include "lib/descriptor.h"
#include "lib/signals.h"
#include "lib/text.h"

static const char program[] = "rootless-ids";

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
    int *const descriptors[] = {&proc_fd, &listening_fd, &owners_fd, &upper_fd};
    static const char *const options[] = {"--proc", "--socket", "--owners", "--upper"};
    int given[4];
    size_t count = 0;
    if (argc == 3 && !strcmp(argv[1], "--filter") && level_argument(argv[2], &level))
        return filter_write(level) ? 0 : 1;
    for (int i = 1; i + 1 < argc; i += 2)
        for (size_t option = 0; option < sizeof options / sizeof *options; option++)
            if (!strcmp(argv[i], options[option]) && *descriptors[option] < 0)
                given[count++] = *descriptors[option] = descriptor_argument(argv[i + 1]);
    if ((size_t)argc != 1 + 2 * count || proc_fd < 0 || listening_fd < 0)
        usage_error(program, "usage: rootless-ids --proc FD --socket FD [--owners FD] [--upper FD] | --filter fake|ids|full");
    pid_t parent = getppid();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        return 1;
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* whoever shares a user namespace with us must not trace us */
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    keep_only(given, count);
    detach_stdio();
    ignore_signals(); /* the container's processes, which end in their own time, are served until then */
    umask(0); /* the task's is asked for */
    credentials_begin();
    owners_begin();
    if (!paths_begin())
        usage_error(program, strerror(errno));
    serve();
}
