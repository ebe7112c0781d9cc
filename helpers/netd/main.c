#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "hub.h"
#include "lib/descriptor.h"
#include "lib/footprint.h"
#include "lib/signals.h"
#include "lib/text.h"
#include "netd.h"
#include "registry.h"
#include "request.h"
#include "sandbox.h"
#include "undo.h"
#include "uplink.h"
#include "upstream.h"

static const char program[] = "rootless-netd";
static const char title[] = "rootless: networks";

static struct {
    int listening, hub;
    const char *resolv_conf;
    char *repair[REPAIR_WORDS_MAX + 1];
    size_t repair_words;
} arguments = {.listening = -1, .hub = -1, .resolv_conf = "/etc/resolv.conf"};

static int descriptor_argument(const char *text)
{
    uint64_t fd;
    if (!parse_number(text, INT_MAX, &fd) || fd < 3 || fcntl((int)fd, F_GETFD) < 0)
        usage_error(program, "not an open descriptor above 2");
    return (int)fd;
}

static void parse_arguments(int argc, char **argv)
{
    enum { LISTEN = 1, HUB, REPAIR, RESOLV_CONF };
    static const struct option options[] = {
        {"listen", required_argument, NULL, LISTEN},
        {"hub", required_argument, NULL, HUB},
        {"repair-hub", required_argument, NULL, REPAIR},
        {"resolv-conf", required_argument, NULL, RESOLV_CONF},
        {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case LISTEN: arguments.listening = descriptor_argument(optarg); break;
        case HUB: arguments.hub = descriptor_argument(optarg); break;
        case REPAIR:
            if (arguments.repair_words == REPAIR_WORDS_MAX)
                usage_error(program, "too many --repair-hub");
            arguments.repair[arguments.repair_words++] = strdup(optarg);
            break;
        case RESOLV_CONF: arguments.resolv_conf = strdup(optarg); break;
        default: exit(2); /* getopt_long has printed the error */
        }
    }
    if (optind < argc || arguments.listening < 0 || arguments.hub < 0)
        usage_error(program, "usage: rootless-netd --listen FD --hub FD [--repair-hub WORD]... [--resolv-conf PATH]");
}

/* What ps shows: the name has 15 characters at most, the arguments what they had. */
static void set_title(int argc, char **argv)
{
    prctl(PR_SET_NAME, title, 0, 0, 0);
    size_t room = (size_t)(argv[argc - 1] + strlen(argv[argc - 1]) - argv[0]);
    memset(argv[0], 0, room);
    memcpy(argv[0], title, room < sizeof title ? room : sizeof title);
}

/* A relayed connection takes six descriptors. */
static void raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
    parse_arguments(argc, argv);
    ignore_signals();
    signal(SIGCHLD, SIG_DFL);
    int keep[] = {arguments.listening, arguments.hub};
    keep_only(keep, sizeof keep / sizeof *keep);
    detach_stdio();
    setsid(); /* fails where we lead one already */
    set_title(argc, argv);
    if (chdir("/") < 0)
        return 1;
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    /* The child first: it has neither the thread nor the sandbox, and no descriptor that it could hold. */
    if (!loop_open() || !uplink_open(arguments.repair))
        return 1;
    /* Before there is a second thread, which would be given the signal. */
    int sigterm = sigterm_descriptor();
    raise_limit();
    if (!hub_open(arguments.hub) || !undo_open() || !server_open(arguments.listening))
        return 1;
    close(arguments.hub);
    servers_open(arguments.resolv_conf);
    sandbox_enter(arguments.resolv_conf);
    registry_open(sigterm);
    trim_footprint();
    loop_run();
}
