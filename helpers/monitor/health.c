#include "health.h"

#include <limits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"

/* When the process of a check could not be made (no memory, too many processes). */
#define RETRY_MS 1000

static void start(struct health *health, int64_t now_ms)
{
    pid_t parent = getpid();
    health->pid = fork();
    if (health->pid == 0) {
        /* A killed monitor takes its container along, and its check. */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent)
            run_command(health->argv, health->open_files);
        _exit(127);
    }
    if (health->pid < 0) {
        health->pid = 0;
        health->due_ms = now_ms + RETRY_MS;
        return;
    }
    health->due_ms = now_ms + health->timeout_ms;
}

int health_turn(struct health *health, int64_t now_ms)
{
    if (!health->words)
        return -1;
    if (!health->due_ms)
        health->due_ms = now_ms + health->first_ms;
    if (health->due_ms <= now_ms) {
        if (!health->pid) {
            start(health, now_ms);
        } else {
            kill(health->pid, SIGKILL);
            health->due_ms = now_ms + RETRY_MS;
        }
    }
    int64_t left = health->due_ms - now_ms;
    return left > INT_MAX ? INT_MAX : (int)left;
}

bool health_reaped(struct health *health, pid_t pid, int status, int64_t now_ms)
{
    if (!health->pid || pid != health->pid)
        return false;
    bool starting = WIFEXITED(status) && WEXITSTATUS(status) == HEALTH_STARTING;
    health->pid = 0;
    health->due_ms = now_ms + (starting ? health->start_interval_ms : health->interval_ms);
    return true;
}

void health_stop(struct health *health)
{
    if (health->pid)
        kill(health->pid, SIGKILL);
    health->words = 0;
}
