#include "repair.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/text.h"
#include "process.h"

#define FIRST_PAUSE_MS 100
#define LAST_PAUSE_MS 10000
#define COMMAND_MS 60000
#define ID_SIZE 64
/* A netd that has lived so long was no failure of the repair before. */
#define GOOD_MS 10000

/* A path that is too long for unix(7) is reached by a descriptor of its directory. Returns -1 if nobody is there. */
static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *name = strrchr(path, '/');
    int directory = -1;
    if (strlen(path) < sizeof address.sun_path) {
        put_text(address.sun_path, path);
    } else if (name && name - path < PATH_MAX && strlen(name) < 64) {
        char parent[PATH_MAX];
        memcpy(parent, path, (size_t)(name - path));
        parent[name - path] = 0;
        directory = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
        put_text(put_number(put_text(address.sun_path, "/proc/self/fd/"), (uint64_t)directory), name);
    }
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        close(fd);
        fd = -1;
    }
    if (directory >= 0)
        close(directory);
    return fd;
}

static void plan(struct repair *repair, int64_t now_ms)
{
    repair->due_ms = now_ms + repair->pause_ms;
    repair->pause_ms *= 2;
    if (repair->pause_ms > LAST_PAUSE_MS)
        repair->pause_ms = LAST_PAUSE_MS;
}

/* Asks netd whether it knows the container, whose id is the last word of the command: another netd may have been told of
   it than the one that is there now. Nothing is added by this. False if it cannot be asked. */
static bool ask(const struct repair *repair)
{
    char request[sizeof "more " + ID_SIZE];
    const char *id = repair->argv[repair->words - 1];
    if (strlen(id) != ID_SIZE || strspn(id, "0123456789abcdef") != ID_SIZE)
        return true;
    size_t length = (size_t)(put_text(put_text(request, "more "), id) - request);
    return send(repair->connection, request, length, MSG_NOSIGNAL) >= 0;
}

static void look(struct repair *repair, int64_t now_ms)
{
    repair->connection = connect_to(repair->path);
    repair->since_ms = now_ms;
    repair->due_ms = 0;
    if (repair->connection >= 0 && ask(repair))
        return;
    if (repair->connection >= 0)
        close(repair->connection);
    repair->connection = -1;
    plan(repair, now_ms);
}

void repair_begin(struct repair *repair, int64_t now_ms)
{
    repair->pause_ms = FIRST_PAUSE_MS;
    if (repair->path && repair->words)
        look(repair, now_ms);
}

void repair_lost(struct repair *repair, int64_t now_ms)
{
    char word[5];
    ssize_t size = recv(repair->connection, word, sizeof word, MSG_DONTWAIT);
    if ((size < 0 && errno == EAGAIN) || (size > 0 && memcmp(word, "error", (size_t)size) != 0))
        return; /* the answer to ask() */
    close(repair->connection);
    repair->connection = -1;
    if (now_ms - repair->since_ms >= GOOD_MS)
        repair->pause_ms = FIRST_PAUSE_MS;
    plan(repair, now_ms);
}

static void start(struct repair *repair, int64_t now_ms, uint64_t open_files)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent)
            run_command(repair->argv, open_files);
        _exit(127);
    }
    repair->pid = pid > 0 ? pid : 0;
    if (pid > 0)
        repair->due_ms = now_ms + COMMAND_MS;
    else
        plan(repair, now_ms);
}

int repair_turn(struct repair *repair, int64_t now_ms, uint64_t open_files)
{
    if (!repair->due_ms)
        return -1;
    if (repair->due_ms <= now_ms) {
        if (!repair->pid) {
            start(repair, now_ms, open_files);
        } else {
            kill(repair->pid, SIGKILL);
            repair->due_ms = now_ms + LAST_PAUSE_MS;
        }
    }
    int64_t left = repair->due_ms - now_ms;
    return left > INT_MAX ? INT_MAX : (int)left;
}

bool repair_reaped(struct repair *repair, pid_t pid, int status, int64_t now_ms)
{
    if (!repair->pid || pid != repair->pid)
        return false;
    repair->pid = 0;
    if (!repair->path)
        return true; /* repair_stop() has killed it */
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        look(repair, now_ms);
    else
        plan(repair, now_ms);
    return true;
}

void repair_stop(struct repair *repair)
{
    if (repair->pid)
        kill(repair->pid, SIGKILL);
    if (repair->connection >= 0)
        close(repair->connection);
    repair->connection = -1;
    repair->due_ms = 0;
    repair->path = NULL;
}
