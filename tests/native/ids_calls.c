/* Makes the system calls of a script, raw, and says what came of each: run with real and with emulated ids, it must
   say the same. `ids_calls SCRIPT [LINE]`: from that line on; static, as no library stands between. Without
   arguments it reads the names of directories from stdin; in each it makes the calls of "script" there, in a new process.  */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef COMPAT
#define CALL(...) (errno = 0, syscall(__VA_ARGS__))
#endif
#define SIZE (1 << 16)

static char text[SIZE], *lines[1024];

int step_of_others(const char *op, const char *line); /* ids_others.c */
void say(const char *what, long result);
void say(const char *what, long result)
{
    printf("%s %ld %d\n", what, result < 0 ? -1 : result, result < 0 ? errno : 0);
}

void say_stat(const char *what, long result, const struct stat *st)
{
    if (result < 0)
        say(what, result);
    else
        printf("%s %u:%u %o\n", what, st->st_uid, st->st_gid, st->st_mode);
}

static void who(void)
{
    uint32_t u[3], g[3], groups[128];
    long ur = CALL(SYS_getresuid, u, u + 1, u + 2), gr = CALL(SYS_getresgid, g, g + 1, g + 2);
    long count = CALL(SYS_getgroups, 128, groups);
    long fu = CALL(SYS_setfsuid, -1), fg = CALL(SYS_setfsgid, -1);
    printf("who %ld %ld %u,%u,%u,%ld %u,%u,%u,%ld %ld/%ld/%ld/%ld", ur, gr, u[0], u[1], u[2], fu, g[0], g[1], g[2], fg,
           CALL(SYS_getuid), CALL(SYS_geteuid), CALL(SYS_getgid), CALL(SYS_getegid));
    for (long i = 0; i < count; i++)
        printf(" %u", groups[i]);
    struct { uint32_t version; int pid; } header = {0x20080522, 0};
    uint32_t data[6] = {0};
    long caps = CALL(SYS_capget, &header, data);
    printf(" caps %ld %d %d\n", caps, !!(data[0] & 1 << 7), !!(data[1] & 1 << 7));
}

static void raise_capabilities(int permitted, int effective)
{
    struct { uint32_t version; int pid; } header = {0x20080522, 0};
    uint32_t data[6] = {0};
    if (CALL(SYS_capget, &header, data) < 0)
        return say("capget", -1);
    if (!permitted)
        data[1] = data[4] = 0;
    data[0] = effective ? data[1] : 0;
    data[3] = effective ? data[4] : 0;
    say("capset", CALL(SYS_capset, &header, data));
}

static void open_file(const char *path, long flags, long mode)
{
    struct stat st;
    long fd = CALL(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC | O_NONBLOCK, mode);
    if (fd < 0)
        return say("open", fd);
    int kept = errno;
    say_stat("open", CALL(SYS_newfstatat, fd, "", &st, AT_EMPTY_PATH), &st);
    printf("flags %d %o\n", fcntl((int)fd, F_GETFD), (unsigned)fcntl((int)fd, F_GETFL) & ~0100000u);
    errno = kept;
    close((int)fd);
}

static void by_descriptor(const char *how, const char *path, long a, long b)
{
    struct stat st;
    /* For neither reading nor writing is a file open that is only named, and one that is there for ioctl(2). */
    int flags = !strcmp(how, "opath") ? O_PATH : !strcmp(how, "fchown3") ? O_ACCMODE | O_NONBLOCK : O_RDONLY | O_NONBLOCK;
    long fd = CALL(SYS_openat, AT_FDCWD, path, flags, 0);
    if (fd < 0)
        return say(how, fd);
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%ld", fd);
    say("fchown", CALL(SYS_fchown, fd, a, b));
    say("fchownat", CALL(SYS_fchownat, fd, "", a, b, AT_EMPTY_PATH));
    say("fchownat /proc", CALL(SYS_fchownat, AT_FDCWD, link, a, b, 0));
    say_stat("fstat", CALL(SYS_fstat, fd, &st), &st);
    say_stat("stat /proc", CALL(SYS_newfstatat, AT_FDCWD, link, &st, 0), &st);
    close((int)fd);
}

static void peer(void)
{
    int pair[2];
    struct ucred found = {0, 0, 0};
    socklen_t size = sizeof found;
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    long result = CALL(SYS_getsockopt, pair[0], SOL_SOCKET, SO_PEERCRED, &found, &size);
    printf("peer %ld %d %u:%u %u\n", result, found.pid == getpid(), found.uid, found.gid, size);
    close(pair[0]);
    close(pair[1]);
}

static void step(const char *script, int at)
{
    char op[32] = "", p[256] = "", q[256] = "";
    long a = 0, b = 0, c = 0;
    struct stat st;
    const char *line = lines[at];
    uint32_t groups[128];
    sscanf(line, "%31s", op);
#define IDS (sscanf(line, "%*s %ld %ld %ld", &a, &b, &c))
#define PATH_IDS (sscanf(line, "%*s %255s %li %li", p, &a, &b))
    if (!strcmp(op, "setuid")) IDS, say(op, CALL(SYS_setuid, a));
    else if (!strcmp(op, "setgid")) IDS, say(op, CALL(SYS_setgid, a));
    else if (!strcmp(op, "setreuid")) IDS, say(op, CALL(SYS_setreuid, a, b));
    else if (!strcmp(op, "setregid")) IDS, say(op, CALL(SYS_setregid, a, b));
    else if (!strcmp(op, "setresuid")) IDS, say(op, CALL(SYS_setresuid, a, b, c));
    else if (!strcmp(op, "setresgid")) IDS, say(op, CALL(SYS_setresgid, a, b, c));
    else if (!strcmp(op, "setfsuid")) IDS, say(op, CALL(SYS_setfsuid, a));
    else if (!strcmp(op, "setfsgid")) IDS, say(op, CALL(SYS_setfsgid, a));
    else if (!strcmp(op, "setgroups")) {
        long count = 0;
        char copy[512];
        snprintf(copy, sizeof copy, "%s", line);
        strtok(copy, " ");
        for (char *word; (word = strtok(NULL, " ")) && count < 128;)
            groups[count++] = (uint32_t)strtoul(word, NULL, 10);
        say(op, CALL(SYS_setgroups, count, groups));
    } else if (!strcmp(op, "badpointers")) {
        say("setgroups", CALL(SYS_setgroups, 2, 8));
        say("setgroups", CALL(SYS_setgroups, -1, groups));
        say("setgroups", CALL(SYS_setgroups, 65537, groups));
        say("getgroups", CALL(SYS_getgroups, -1, groups));
        say("getresuid", CALL(SYS_getresuid, 8, 8, 8));
        say("stat", CALL(SYS_newfstatat, AT_FDCWD, 8, &st, 0));
        say("stat", CALL(SYS_newfstatat, AT_FDCWD, "a", 8, 0));
        say("chown", CALL(SYS_fchownat, AT_FDCWD, 8, 1, 1, 0));
        say("chown", CALL(SYS_fchownat, 77, "a", 1, 1, 0));
        say("chown", CALL(SYS_fchownat, AT_FDCWD, "a", 1, 1, 0x4000000));
        say("fchown", CALL(SYS_fchown, -1, 1, 1));
        memset(text + SIZE / 2, 'x', SIZE / 2 - 1);
        say("chown", CALL(SYS_fchownat, AT_FDCWD, text + SIZE / 2, 1, 1, 0));
        say("chown", CALL(SYS_fchownat, AT_FDCWD, "", 1, 1, 0));
        say("mkdir", CALL(SYS_mkdirat, AT_FDCWD, "", 0777));
    } else if (!strcmp(op, "who")) who();
    else if (!strcmp(op, "peer")) peer();
    else if (!strcmp(op, "keep")) IDS, say(op, CALL(SYS_prctl, PR_SET_KEEPCAPS, a, 0, 0, 0));
    else if (!strcmp(op, "caps")) IDS, raise_capabilities((int)a, (int)b);
    else if (!strcmp(op, "umask")) sscanf(line, "%*s %li", &a), umask((mode_t)a);
    else if (!strcmp(op, "open")) PATH_IDS, open_file(p, a, b);
    else if (!strcmp(op, "unlink")) PATH_IDS, say(op, CALL(SYS_unlinkat, AT_FDCWD, p, 0));
    else if (!strcmp(op, "rmdir")) PATH_IDS, say(op, CALL(SYS_unlinkat, AT_FDCWD, p, AT_REMOVEDIR));
    else if (!strcmp(op, "rename")) sscanf(line, "%*s %255s %255s %li", p, q, &a), say(op, CALL(SYS_renameat2, AT_FDCWD, p, AT_FDCWD, q, a));
    else if (!strcmp(op, "link")) sscanf(line, "%*s %255s %255s", p, q), say(op, CALL(SYS_linkat, AT_FDCWD, p, AT_FDCWD, q, 0));
    else if (!strcmp(op, "access")) PATH_IDS, say(op, CALL(SYS_faccessat, AT_FDCWD, p, a));
    else if (!strcmp(op, "eaccess")) PATH_IDS, say(op, CALL(SYS_faccessat2, AT_FDCWD, p, a, AT_EACCESS));
    else if (!strcmp(op, "chdir")) PATH_IDS, say(op, CALL(SYS_chdir, p));
    else if (!strcmp(op, "truncate")) PATH_IDS, say(op, CALL(SYS_truncate, p, a));
    else if (!strcmp(op, "open2")) {
        uint64_t how[3] = {0, 0, 0};
        PATH_IDS;
        how[0] = (uint64_t)a, how[1] = (uint64_t)b;
        long fd = CALL(SYS_openat2, AT_FDCWD, p, how, sizeof how);
        say_stat(op, fd < 0 ? fd : CALL(SYS_newfstatat, fd, "", &st, AT_EMPTY_PATH), &st);
        if (fd >= 0)
            close((int)fd);
    }
    else if (!strcmp(op, "mkdir")) PATH_IDS, say(op, CALL(SYS_mkdirat, AT_FDCWD, p, a));
    else if (!strcmp(op, "fifo")) PATH_IDS, say(op, CALL(SYS_mknodat, AT_FDCWD, p, S_IFIFO | a, 0));
    else if (!strcmp(op, "device")) PATH_IDS, say(op, CALL(SYS_mknodat, AT_FDCWD, p, S_IFCHR | a, 0x103));
    else if (!strcmp(op, "symlink")) sscanf(line, "%*s %255s %255s", q, p), say(op, CALL(SYS_symlinkat, q, AT_FDCWD, p));
    else if (!strcmp(op, "chown")) PATH_IDS, say(op, CALL(SYS_fchownat, AT_FDCWD, p, a, b, 0));
    else if (!strcmp(op, "lchown")) PATH_IDS, say(op, CALL(SYS_fchownat, AT_FDCWD, p, a, b, AT_SYMLINK_NOFOLLOW));
    else if (!strncmp(op, "fchown", 6) || !strcmp(op, "opath")) PATH_IDS, by_descriptor(op, p, a, b);
    else if (!strcmp(op, "chmod")) PATH_IDS, say(op, CALL(SYS_fchmodat, AT_FDCWD, p, a));
    else if (!strcmp(op, "stat")) PATH_IDS, say_stat(op, CALL(SYS_newfstatat, AT_FDCWD, p, &st, 0), &st);
    else if (!strcmp(op, "lstat")) PATH_IDS, say_stat(op, CALL(SYS_newfstatat, AT_FDCWD, p, &st, AT_SYMLINK_NOFOLLOW), &st);
    else if (!strcmp(op, "statx")) {
        struct statx sx;
        PATH_IDS;
        long result = CALL(SYS_statx, AT_FDCWD, p, 0, STATX_BASIC_STATS, &sx);
        st.st_uid = sx.stx_uid, st.st_gid = sx.stx_gid, st.st_mode = sx.stx_mode;
        say_stat(op, result, &st);
    } else if (!strcmp(op, "self")) {
        say_stat(op, CALL(SYS_newfstatat, AT_FDCWD, "/proc/self/", &st, 0), &st);
        say_stat(op, CALL(SYS_newfstatat, AT_FDCWD, "/proc/self", &st, 0), &st);
        say_stat(op, CALL(SYS_newfstatat, AT_FDCWD, "/proc/self", &st, AT_SYMLINK_NOFOLLOW), &st);
    }
    else if (!strcmp(op, "bind")) {
        struct sockaddr_un address = {.sun_family = AF_UNIX}, found;
        socklen_t size = sizeof found;
        PATH_IDS;
        snprintf(address.sun_path, sizeof address.sun_path, "%s", p);
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        say(op, CALL(SYS_bind, fd, &address, sizeof address));
        getsockname(fd, (struct sockaddr *)&found, &size);
        printf("name %u %s\n", size, size > 2 ? found.sun_path : "");
        say_stat(op, CALL(SYS_newfstatat, AT_FDCWD, p, &st, AT_SYMLINK_NOFOLLOW), &st);
        close(fd);
    } else if (!strcmp(op, "nnp")) say(op, CALL(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    else if (!strcmp(op, "exec")) {
        char number[16];
        PATH_IDS;
        snprintf(number, sizeof number, "%d", at + 1);
        fflush(stdout);
        say(op, CALL(SYS_execve, p, (char *[]){(char *)"ids_calls", (char *)script, number, NULL}, (char *[]){NULL}));
    } else if (!strcmp(op, "fork")) {
        fflush(stdout);
        pid_t pid = fork();
        if (pid) {
            waitpid(pid, NULL, 0);
            _exit(0);
        }
    } else if (!step_of_others(op, line))
        printf("unknown %s\n", line);
}

#ifdef COMPAT
#define run(script, at) on_low_stack(run_here, (script), (at))
#else
#define run run_here
#endif
static int run_here(const char *script, int at)
{
    FILE *file = fopen(script, "r");
    if (!file) {
        printf("no script %d\n", errno);
        return 1;
    }
    size_t size = fread(text, 1, SIZE / 2 - 1, file);
    fclose(file);
    text[size] = 0;
    int count = 0;
    for (char *line = strtok(text, "\n"); line && count < 1023; line = strtok(NULL, "\n"))
        lines[count++] = line;
    for (; at < count; at++)
        step(script, at);
    return 0;
}

int main(int argc, char **argv)
{
    char name[512];
    if (argc > 1)
        return run(argv[1], argc > 2 ? atoi(argv[2]) : 0);
    while (fgets(name, sizeof name, stdin)) {
        name[strcspn(name, "\n")] = 0;
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            umask(022);
            if (chdir(name) < 0)
                _exit(1);
            exit(run("script", 0));
        }
        waitpid(pid, NULL, 0);
        printf("end\n");
        fflush(stdout);
    }
}
