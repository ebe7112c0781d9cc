#include "strays.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "process.h"
#include "lib/text.h"

/* One that forks faster than it can be found is left to who started it. */
#define ROUNDS 100
#define PAUSE_NS 5000000

#define PATH_ROOM 64

static bool name_of(const char *path, char *name, size_t size)
{
    ssize_t length = readlink(path, name, size - 1);
    if (length <= 0)
        return false;
    name[length] = '\0';
    return true;
}

static bool mounts_of(uint64_t pid, char *name, size_t size)
{
    char path[PATH_ROOM];
    put_text(put_number(put_text(path, "/proc/"), pid), "/ns/mnt");
    return name_of(path, name, size);
}

/* Whether it is known to be in a mount and a user namespace that are not ours: a process in our own is no stray. */
static bool is_apart(pid_t pid)
{
    static const char *const kinds[] = {"/ns/mnt", "/ns/user"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char path[PATH_ROOM], its[64], own[64];
        put_text(put_number(put_text(path, "/proc/"), (uint64_t)pid), kinds[i]);
        if (!name_of(path, its, sizeof its))
            return false;
        put_text(put_text(path, "/proc/self"), kinds[i]);
        if (!name_of(path, own, sizeof own) || strcmp(its, own) == 0)
            return false;
    }
    return true;
}

/* The last number of NSpid, proc_pid_status(5), is that in its own namespace. */
static bool is_first(pid_t pid)
{
    char path[PATH_ROOM], text[4096];
    put_text(put_number(put_text(path, "/proc/"), (uint64_t)pid), "/status");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[size > 0 ? size : 0] = '\0';
    char *line = strstr(text, "\nNSpid:");
    if (!line)
        return true;
    char *end = strchr(line + 1, '\n');
    if (!end)
        return true;
    *end = '\0';
    const char *last = strrchr(line + 1, '\t');
    return last && strcmp(last, "\t1") == 0;
}

void strays_look(struct strays *strays, pid_t first)
{
    if (is_first(first) || !is_apart(first) || !mounts_of((uint64_t)first, strays->mounts, sizeof strays->mounts))
        strays->mounts[0] = '\0';
}

/* Whether it was one, and has been killed. */
static bool kill_stray(const struct strays *strays, uint64_t pid)
{
    char mounts[sizeof strays->mounts];
    if (!mounts_of(pid, mounts, sizeof mounts) || strcmp(mounts, strays->mounts) != 0)
        return false;
    /* Looked at once more when it cannot be another any longer. */
    int pidfd = pidfd_open_child((pid_t)pid);
    bool killed = pidfd >= 0 && mounts_of(pid, mounts, sizeof mounts) && strcmp(mounts, strays->mounts) == 0 &&
                  syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) == 0;
    if (pidfd >= 0)
        close(pidfd);
    return killed;
}

void strays_end(const struct strays *strays)
{
    const struct timespec pause = {0, PAUSE_NS};
    bool found = strays->mounts[0] != '\0';
    for (int round = 0; found && round < ROUNDS; round++) {
        DIR *proc = opendir("/proc");
        if (!proc)
            return;
        found = false;
        for (struct dirent *entry; (entry = readdir(proc));) {
            uint64_t pid;
            if (parse_number(entry->d_name, INT32_MAX, &pid) && kill_stray(strays, pid))
                found = true;
        }
        closedir(proc);
        if (found)
            nanosleep(&pause, NULL);
    }
}
