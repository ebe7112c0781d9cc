#include "ranks/quick.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/text.h"
#include "ranks/find.h"
#include "ranks/process.h"
#include "ranks/wait.h"

bool may_be_shared(int argc, char **argv)
{
    bool shared = false;
    if (argc < 3 || strcmp(argv[1], "run") != 0)
        return false;
    for (int i = 2; i < argc && !shared; i++)
        shared = strncmp(argv[i], "--shared", 8) == 0 && (argv[i][8] == 0 || argv[i][8] == '=');
    return shared && !getenv("ROOTLESS_SESSION") && !getenv("ROOTLESS_DEBUG") && !getenv("_ROOTLESS_COMPLETE") && getenv("HOME");
}

/* Whether our streams may be the command's own: _are_kept of rootless/cli/commands/container/run_shared.py. */
static bool may_be_given(void)
{
    struct stat status;
    for (int fd = 0; fd <= 2; fd++)
        if (tcgetpgrp(fd) >= 0)
            return false;
    return !isatty(0) && fstat(0, &status) == 0 && !S_ISREG(status.st_mode);
}

/* One byte of RUNTIME/shared/lock stands for a command line: who holds it is to leave facts. It goes with its descriptor, and so with
   its holder. An open file description's lock, which Python inherits. */
static bool lock(int fd, const char *hash, short kind, bool waits)
{
    struct flock range = {.l_type = kind, .l_whence = SEEK_SET, .l_len = 1};
    uint64_t number = 0;
    for (const char *digit = hash; *digit; digit++)
        number = number << 4 | (uint64_t)(strchr("0123456789abcdef", *digit) - "0123456789abcdef");
    range.l_start = (off_t)(number >> 2);
    int done;
    do
        done = fcntl(fd, waits ? F_OFD_SETLKW : F_OFD_SETLK, &range);
    while (done < 0 && errno == EINTR);
    return done == 0;
}

/* A connection to PID 1 of the container, which counts us from now on; -1 where it has none for us. */
static int connect_to_container(int shared, const struct facts *facts)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char answer[8];
    if (strlen(facts->key) > 64)
        return -1;
    put_text(put_text(put_number(put_text(address.sun_path, "/proc/self/fd/"), (uint64_t)shared), "/"), facts->key);
    int connection = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (connection >= 0 && connect(connection, (struct sockaddr *)&address, sizeof address) == 0 &&
        recv(connection, answer, sizeof answer, 0) == 1 && *answer == '+')
        return connection;
    if (connection >= 0)
        close(connection);
    return -1;
}

static bool is_this_boot(const char *boot)
{
    char id[64];
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, id, sizeof id - 1);
    if (fd >= 0)
        close(fd);
    if (size <= 0)
        return false;
    id[size] = 0;
    id[strcspn(id, "\n")] = 0;
    return strcmp(id, boot) == 0;
}

/* A descriptor of the container's PID 1, and of no process that has its pid by now; -1. */
static int open_init(const struct facts *facts)
{
    struct stat status;
    if (stat("/proc/self/ns/pid", &status) < 0 || status.st_ino != facts->pid_namespace || !is_this_boot(facts->boot))
        return -1;
    int init = open_process((pid_t)facts->pid, facts->start_time);
    /* Looked at by number: they are the right ones if the process of the descriptor still lives. */
    if (init >= 0 && (other_namespaces((pid_t)facts->pid) != facts->namespaces || facts->namespaces == 0 || !is_running(init))) {
        close(init);
        return -1;
    }
    return init;
}

static int enter(int shared, const struct facts *facts)
{
    struct sigaction told = {.sa_handler = SIG_DFL}, before;
    int status = -1, connection = connect_to_container(shared, facts);
    if (connection < 0)
        return -1;
    /* Once more, now that the container stays: a state that has changed, paused for one, is another file. */
    int init = is_current(shared, facts) && same_files(&facts->host_files) ? open_init(facts) : -1;
    if (init >= 0) {
        sigset_t mask;
        sigaction(SIGCHLD, &told, &before); /* ignored, the kernel would reap our child */
        int signals = take_signals(&mask);
        pid_t pid = start_rank(facts, init, signals);
        close(init);
        if (pid > 0)
            status = wait_for_rank(pid, signals, facts);
        else
            sigaction(SIGCHLD, &before, NULL);
        give_signals_back(signals, &mask);
        if (pid > 0)
            leave_container(connection, facts); /* who waits for its removal can be ended as ever */
    }
    close(connection);
    return status;
}

int run_rank(char **argv, char *claim)
{
    static char directory[PATH_MAX];
    static struct facts facts;
    char hash[HASH_SIZE];
    *claim = 0;
    if (!may_be_given() || !hash_words(argv, directory, sizeof directory, hash))
        return -1;
    mode_t mask = umask(022); /* what is made is ours to use, whatever the caller's is */
    int shared = open_shared();
    int fd = shared < 0 ? -1 : openat(shared, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    umask(mask);
    if (fd < 0)
        return -1;
    enum facts_found found = find_facts(shared, hash, argv, directory, &facts);
    bool held = found != FOUND && lock(fd, hash, F_WRLCK, false);
    if (found == NONE && !held && lock(fd, hash, F_RDLCK, true))
        lock(fd, hash, F_UNLCK, false); /* the first has been; or has ended, and nobody waits for another one */
    if (found != FOUND)
        found = find_facts(shared, hash, argv, directory, &facts);
    if (found == FOUND) {
        lock(fd, hash, F_UNLCK, false);
        int status = enter(shared, &facts);
        if (status >= 0)
            return status;
        held = lock(fd, hash, F_WRLCK, false); /* what only shows in the container is another one's by now */
    }
    if (held && fcntl(fd, F_SETFD, 0) == 0)
        put_text(put_text(put_number(claim, (uint64_t)fd), ":"), hash);
    return -1;
}
