#include "uplink.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/descriptor.h"
#include "lib/footprint.h"
#include "lib/signals.h"
#include "netd.h"
#include "registry.h"

static void ended(struct source *source, uint32_t events);
static void repaired(struct source *source, uint32_t events);
static void repair(struct timer *timer);

static struct source uplink = {.ready = ended, .fd = -1};
static struct source runner = {.ready = repaired, .fd = -1};
static int pipe_end = -1;

/* A command that fails is tried again, later each time. */
static struct delay pauses[] = {DELAY(100), DELAY(300), DELAY(1000), DELAY(3000), DELAY(10000)};
enum { PAUSES = sizeof pauses / sizeof *pauses };
static struct timer next_try = {.expired = repair};
static size_t tries;
static bool repairing;

/* In the child: runs the command once for each byte that comes, and sends one back when it has ended. */
_Noreturn static void run_commands(int channel, char **command)
{
    char byte;
    keep_only(&channel, 1);
    trim_footprint();
    while (read(channel, &byte, 1) == 1) {
        pid_t pid = fork();
        if (pid == 0) {
            default_signals();
            setsid();
            execvp(command[0], command);
            _exit(127);
        }
        while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
        if (write(channel, &byte, 1) < 0)
            break;
    }
    _exit(0);
}

bool uplink_open(char **command)
{
    int ends[2];
    if (!command[0])
        return true;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return false;
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        run_commands(ends[1], command);
    }
    close(ends[1]);
    runner.fd = ends[0];
    return pid > 0 && source_add(&runner, EPOLLIN);
}

static void plan_repair(void)
{
    static struct delay *current;
    if (current)
        timer_stop(&next_try, current);
    current = &pauses[tries < PAUSES ? tries++ : PAUSES - 1];
    timer_start(&next_try, current);
}

static void repair(struct timer *timer)
{
    (void)timer;
    /* Without a container we end soon; the next one of us begins with a new uplink. */
    if (runner.fd < 0 || repairing || uplink_lives() || !container_count())
        return;
    repairing = send(runner.fd, "r", 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
}

static void repaired(struct source *source, uint32_t events)
{
    char byte;
    (void)events;
    if (recv(source->fd, &byte, 1, MSG_DONTWAIT) != 1) {
        source_remove(source); /* the child has been killed */
        close(source->fd);
        source->fd = -1;
        return;
    }
    repairing = false;
    if (!uplink_lives())
        plan_repair();
}

static void let_go(void)
{
    if (uplink.fd < 0)
        return;
    source_remove(&uplink);
    close(uplink.fd);
    close(pipe_end);
    uplink.fd = pipe_end = -1;
}

static void ended(struct source *source, uint32_t events)
{
    (void)source;
    (void)events;
    let_go();
    plan_repair();
}

bool uplink_keep(int pidfd, int exit_pipe)
{
    let_go();
    uplink.fd = pidfd;
    pipe_end = exit_pipe;
    if (!source_add(&uplink, EPOLLIN)) {
        let_go();
        return false;
    }
    tries = 0;
    return true;
}

bool uplink_lives(void)
{
    return uplink.fd >= 0;
}

void uplink_wanted(void)
{
    if (!uplink_lives() && !repairing && !next_try.due_ms)
        plan_repair();
}
