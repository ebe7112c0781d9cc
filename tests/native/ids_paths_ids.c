/* Of ids_paths: who the process is, and what it may do to others. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ids_paths.h"

struct header {
    uint32_t version;
    int pid;
};

static void who(void)
{
    uint32_t u[3], g[3], groups[128], data[6] = {0};
    struct header header = {0x20080522, 0};
    const long ur = CALL(SYS_getresuid, u, u + 1, u + 2), gr = CALL(SYS_getresgid, g, g + 1, g + 2), count = CALL(SYS_getgroups, 128, groups);
    const long fu = CALL(SYS_setfsuid, -1), fg = CALL(SYS_setfsgid, -1);
    printf("who %ld %ld %u,%u,%u,%ld %u,%u,%u,%ld", ur, gr, u[0], u[1], u[2], fu, g[0], g[1], g[2], fg);
    for (long i = 0; i < count; i++)
        printf(" %u", groups[i]);
    const long caps = CALL(SYS_capget, &header, data);
    printf(" caps %ld %x%08x %x%08x %x%08x ambient", caps, data[3], data[0], data[4], data[1], data[5], data[2]);
    for (int each = 0; each < 41; each++)
        if (CALL(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, each, 0, 0) != 0)
            printf(" %d", each);
    putchar('\n');
}

/* What /proc says of a process, by the path of the file. */
static void told(int at, const char *path)
{
    static char text[8192];
    const int fd = (int)CALL(SYS_openat, at, path, O_RDONLY, 0);
    say("status", fd < 0 ? fd : 0);
    const long size = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    text[size > 0 ? size : 0] = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        if (!strncmp(line, "Uid:", 4) || !strncmp(line, "Gid:", 4) || !strncmp(line, "Groups:", 7) || !strncmp(line, "Cap", 3))
            printf("%s\n", line);
    close(fd);
}

/* Exactly these of the first 32, permitted, in force and handed on. */
static void set_capabilities(long permitted, long effective, long inheritable)
{
    struct header header = {0x20080522, 0};
    uint32_t data[6] = {(uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable, 0, 0, 0};
    say("capset", CALL(SYS_capset, &header, data));
}

/* All put out of force, dropped, or put in force again. */
static void capabilities(long permitted, long effective)
{
    struct header header = {0x20080522, 0};
    uint32_t data[6] = {0};
    CALL(SYS_capget, &header, data);
    if (!permitted)
        data[1] = data[4] = 0;
    data[0] = effective ? data[1] : 0;
    data[3] = effective ? data[4] : 0;
    say("capset", CALL(SYS_capset, &header, data));
}

/* A server of these ids takes one connection, if we come: both ends are told who the other is. */
static void serve(const char *path, long uid, long gid)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct ucred peer = {0, 0, 0};
    socklen_t size = sizeof peer;
    int ends[2];
    char word = 0;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return;
    strncat(address.sun_path, path, sizeof address.sun_path - 1);
    fflush(stdout);
    const pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        say("server's group", CALL(SYS_setresgid, gid, gid, gid));
        say("server", CALL(SYS_setresuid, uid, uid, uid));
        const long bound = CALL(SYS_bind, fd, &address, sizeof address);
        say("bind", bound);
        fflush(stdout);
        if (bound < 0 || listen(fd, 1) < 0 || write(ends[1], &word, 1) != 1)
            _exit(1);
        if (read(ends[1], &word, 1) != 1)
            _exit(1); /* it has not come */
        const int connection = accept(fd, NULL, NULL);
        say("accepted", CALL(SYS_getsockopt, connection, SOL_SOCKET, SO_PEERCRED, &peer, &size));
        printf("client %d %u:%u\n", peer.pid == getppid(), peer.uid, peer.gid);
        fflush(stdout);
        _exit(0);
    }
    close(ends[1]);
    if (read(ends[0], &word, 1) == 1) {
        const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const long connected = CALL(SYS_connect, fd, &address, sizeof address);
        say("connect", connected);
        if (connected == 0) {
            CALL(SYS_getsockopt, fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
            printf("server %d %u:%u\n", peer.pid == pid, peer.uid, peer.gid);
            fflush(stdout);
            word = (char)write(ends[0], &word, 1);
        }
        close(ends[0]);
        waitpid(pid, NULL, 0);
        close(fd);
    } else {
        close(ends[0]);
        waitpid(pid, NULL, 0);
    }
}

int step_of_ids(const struct words *w, const char *line)
{
    static const struct { const char *name; long number; int count; } calls[] = {
        {"setuid", SYS_setuid, 1}, {"setgid", SYS_setgid, 1}, {"setreuid", SYS_setreuid, 2}, {"setregid", SYS_setregid, 2},
        {"setresuid", SYS_setresuid, 3}, {"setresgid", SYS_setresgid, 3}, {"setfsuid", SYS_setfsuid, 1}, {"setfsgid", SYS_setfsgid, 1},
        {"umask", SYS_umask, 1},
    };
    const char *op = w->path[0];
    const long *a = w->number + 1;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (!strcmp(op, calls[i].name))
            return say(op, CALL(calls[i].number, a[0], a[1], a[2])), 1;
    if (!strcmp(op, "who"))
        who();
    else if (!strcmp(op, "setgroups")) {
        uint32_t groups[8];
        for (int i = 1; i < w->count; i++)
            groups[i - 1] = (uint32_t)w->number[i];
        say(op, CALL(SYS_setgroups, w->count - 1, groups));
    } else if (!strcmp(op, "keep"))
        say(op, CALL(SYS_prctl, PR_SET_KEEPCAPS, a[0], 0, 0, 0));
    else if (!strcmp(op, "caps"))
        capabilities(a[0], a[1]);
    else if (!strcmp(op, "capset"))
        set_capabilities(a[0], a[1], a[2]);
    else if (!strcmp(op, "status"))
        told(w->at[1], w->path[2]);
    else if (!strcmp(op, "ambient"))
        say(op, CALL(SYS_prctl, PR_CAP_AMBIENT, a[0], a[1], 0, 0));
    else if (!strcmp(op, "nnp"))
        say(op, CALL(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    else if (!strcmp(op, "serve"))
        serve(w->path[1], a[1], a[2]);
    else
        return (void)line, 0;
    return 1;
}
