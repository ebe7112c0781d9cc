#include "oci/quick.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/text.h"
#include "oci/arguments.h"
#include "oci/container.h"

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#define KILL_TIMEOUT_MS 10000

/* Of rootless/runtime/sync.py. */
static const char START_MESSAGE[] = "[\"start\", {}]", EXECUTING_MESSAGE[] = "[\"executing\", {}]";

/* The next packet is this one, and has been taken. Every other is left to be read again. */
static bool take(int connection, const char *message)
{
    char packet[64];
    ssize_t size = recv(connection, packet, sizeof packet, MSG_PEEK | MSG_TRUNC);
    return size == (ssize_t)strlen(message) && memcmp(packet, message, (size_t)size) == 0 &&
           recv(connection, packet, sizeof packet, 0) == size;
}

/* The other end has closed the connection: the container's command runs. */
static bool has_ended(int connection)
{
    char byte;
    ssize_t size = recv(connection, &byte, 1, MSG_PEEK);
    return size == 0 || (size < 0 && errno == ECONNRESET);
}

static int start(const struct container *container, int *connection)
{
    if (!container->can_start || !is_alive(container))
        return -1;
    int found = connect_to_init(container);
    if (found < 0 || send(found, START_MESSAGE, strlen(START_MESSAGE), MSG_NOSIGNAL) < 0)
        return -1;
    if (take(found, EXECUTING_MESSAGE) && has_ended(found)) {
        unlinkat(container->directory, "start", 0); /* for tidiness: nobody listens there any more */
        return 0;
    }
    *connection = found;
    return -1;
}

static int print_state(const struct container *container)
{
    static const char *const words[] = {[CREATED] = "created", [RUNNING] = "running", [PAUSED] = "paused", [STOPPED] = "stopped"};
    enum status status = status_of(container);
    if (status == UNKNOWN)
        return -1;
    char *text = malloc(strlen(container->head) + strlen(container->tail) + 64);
    if (text == NULL)
        return -1;
    char *p = put_text(put_text(put_text(text, container->head), words[status]), "\", \"pid\": ");
    p = put_text(put_text(put_number(p, status == STOPPED ? 0 : (uint64_t)container->pid), container->tail), "\n");
    for (const char *rest = text; rest < p;) {
        ssize_t size = write(1, rest, (size_t)(p - rest));
        if (size < 0)
            return 1;
        rest += size;
    }
    return 0;
}

static int send_signal(const struct container *container, const struct arguments *arguments)
{
    /* Of all there are, none is left: so a shim asks once more, when the init has ended. */
    if (arguments->everyone)
        return status_of(container) == STOPPED && has_empty_cgroup(container) ? 0 : -1;
    int pidfd = open_init(container);
    return pidfd >= 0 && syscall(SYS_pidfd_send_signal, pidfd, arguments->signal, NULL, 0) == 0 ? 0 : -1;
}

/* SIGKILL, and until the init is dead. */
static bool end(const struct container *container)
{
    struct pollfd ended = {.fd = open_init(container), .events = POLLIN};
    return ended.fd >= 0 && syscall(SYS_pidfd_send_signal, ended.fd, SIGKILL, NULL, 0) == 0 && poll(&ended, 1, KILL_TIMEOUT_MS) == 1;
}

/* state.json first, after which the directory counts for nothing: whoever comes next sweeps it. */
static int forget(const struct container *container, const char *id)
{
    int again = openat(container->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *names = again < 0 ? NULL : fdopendir(again);
    if (names == NULL || unlinkat(container->directory, "state.json", 0) < 0)
        return -1;
    for (struct dirent *each; (each = readdir(names));)
        if (strcmp(each->d_name, ".") != 0 && strcmp(each->d_name, "..") != 0)
            unlinkat(container->directory, each->d_name, 0);
    if (unlinkat(container->root, id, AT_REMOVEDIR) == 0)
        return 0;
    char message[512], *p = put_text(put_text(put_text(message, "rootless-oci: cannot remove the directory of container "), id), ": ");
    p = put_text(put_text(p, strerror(errno)), "\n");
    return write(2, message, (size_t)(p - message)) < 0 ? 2 : 1;
}

static int delete(const struct container *container, const struct arguments *arguments)
{
    if (!container->can_delete)
        return -1;
    enum status status = status_of(container);
    if (status != STOPPED) {
        /* What else runs in its cgroup has to be found and ended first. */
        if (*container->cgroup || (status != CREATED && !(status == RUNNING && arguments->force)) || !end(container))
            return -1;
    }
    if (*container->cgroup && rmdir(container->cgroup) < 0)
        return -1;
    return forget(container, arguments->id);
}

/* The file that the caller reads errors from is there, as if one had been written. */
static bool make_log(const char *path)
{
    if (path == NULL || *path == 0)
        return true;
    int fd = strncmp(path, "file:", 5) == 0 ? -1 : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
    return fd >= 0 && close(fd) == 0;
}

/* --root, or the default in $XDG_RUNTIME_DIR; NULL: another one, or a path with "..". */
static const char *root_of(const struct arguments *arguments)
{
    static char path[PATH_MAX];
    const char *root = arguments->root;
    if (root == NULL) {
        const char *session = getenv("XDG_RUNTIME_DIR");
        if (session == NULL || session[0] != '/' || strlen(session) > PATH_MAX - 32)
            return NULL;
        put_text(put_text(path, session), "/rootless-oci");
        root = path;
    }
    return *root && strstr(root, "..") == NULL ? root : NULL;
}

/* As Python says it: Slurm asks once more when its step has ended. With a log Python writes into it. */
static int say_absent(const char *id)
{
    char message[512], *p = put_text(put_text(put_text(message, "rootless-oci: container "), id), " does not exist\n");
    return write(2, message, (size_t)(p - message)) < 0 ? 2 : 1;
}

int run_quickly(int argc, char **argv, int *connection)
{
    struct arguments arguments;
    struct container container = {.root = -1, .directory = -1};
    *connection = -1;
    const char *root = parse_arguments(argc, argv, &arguments) ? root_of(&arguments) : NULL;
    bool locked = arguments.verb == START || arguments.verb == DELETE;
    if (root == NULL)
        return -1;
    bool known = open_container(root, arguments.id, locked, &container);
    /* A shim deletes once more by force what has been deleted. */
    bool gone = container.absent && arguments.verb == DELETE && arguments.force;
    if (container.absent && arguments.verb == STATE && arguments.log == NULL)
        return say_absent(arguments.id);
    if ((!known && !gone) || !make_log(arguments.log))
        return -1;
    if (gone)
        return 0;
    switch (arguments.verb) {
    case START:
        return start(&container, connection);
    case STATE:
        return print_state(&container);
    case KILL:
        return send_signal(&container, &arguments);
    case DELETE:
        return delete(&container, &arguments);
    }
    return -1;
}
