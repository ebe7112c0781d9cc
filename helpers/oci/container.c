#include "oci/container.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/text.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434 /* the same number on every architecture; Linux 5.3 */
#endif

#define FORM "rootless-oci 1"

/* The text of a file, no longer than size - 1; NULL with errno. A file that is longer is EFBIG. */
static char *read_file(int directory, const char *name, char *text, size_t size)
{
    size_t length = 0;
    ssize_t n = -1;
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return NULL;
    while (length < size && (n = read(fd, text + length, size - length)) > 0)
        length += (size_t)n;
    int error = length == size ? EFBIG : n < 0 ? errno : 0;
    close(fd);
    errno = error;
    if (error)
        return NULL;
    text[length] = 0;
    return text;
}

/* The text up to the next `end`, which is left behind; NULL where there is none. */
static char *up_to(char **text, char end)
{
    char *found = *text, *place = found ? strchr(found, end) : NULL;
    if (place == NULL)
        return NULL;
    *place = 0;
    *text = place + 1;
    return found;
}

static bool is_this_boot(const char *boot)
{
    char id[64], *text = id;
    return read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", id, sizeof id) && up_to(&text, '\n') && strcmp(id, boot) == 0;
}

static bool read_facts(struct container *found)
{
    static char text[1 << 17];
    uint64_t pid;
    char *rest = read_file(found->directory, "facts", text, sizeof text);
    const char *form = up_to(&rest, '\n'), *pid_text = up_to(&rest, ' '), *start_time = up_to(&rest, ' '), *boot = up_to(&rest, '\n');
    const char *able = up_to(&rest, '\n');
    found->cgroup = up_to(&rest, '\n');
    found->head = up_to(&rest, '\n');
    found->tail = up_to(&rest, '\n');
    if (found->tail == NULL || *rest || strcmp(form, FORM) != 0)
        return false;
    if (!parse_number(pid_text, 1u << 30, &pid) || pid == 0 || !parse_number(start_time, UINT64_MAX, &found->start_time))
        return false;
    found->pid = (pid_t)pid;
    found->can_start = strstr(able, "start") != NULL;
    found->can_delete = strstr(able, "delete") != NULL;
    found->this_boot = is_this_boot(boot);
    return true;
}

#define OTHERS (S_IWGRP | S_IWOTH)

/* In a user namespace the machine's root has no number, nor has any other user there: what is nobody's is root's, but in
   directories like /tmp. */
static bool is_roots(const struct stat *status, const struct stat *around)
{
    struct stat namespace;
    if (status->st_uid != 65534)
        return status->st_uid == 0;
    return !(around->st_mode & OTHERS) && stat("/proc/self/ns/user", &namespace) == 0 && namespace.st_ino != 0xEFFFFFFD; /* PROC_USER_INIT_INO */
}

/* Root's state directory: nobody else can put another one in its place, and no link is on the way. Its descriptor, or -1. All other
   cases are Python's (rootless/oci/other_users.py). */
static int open_of_root(const char *path)
{
    struct stat status, around;
    char name[NAME_MAX + 1];
    int above = *path == '/' ? open("/", O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    while (above >= 0 && fstat(above, &around) == 0) {
        path += strspn(path, "/");
        size_t length = strcspn(path, "/");
        if (length == 0)
            break;
        if (length > NAME_MAX)
            return -1;
        memcpy(name, path, length);
        name[length] = 0;
        path += length;
        int below = openat(above, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        close(above);
        above = below;
        if (below < 0 || fstat(below, &status) < 0 || !is_roots(&status, &around))
            return -1;
        if (status.st_mode & OTHERS && !(status.st_mode & S_ISVTX))
            return -1;
    }
    return above;
}

bool open_container(const char *root, const char *id, bool locked, struct container *found)
{
    struct stat status;
    found->root = getuid() == 0 ? open_of_root(root) : open(root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (found->root < 0 || fstat(found->root, &status) < 0 || status.st_uid != getuid() || getuid() != geteuid())
        return false;
    if (status.st_mode & OTHERS) /* which Python refuses */
        return false;
    found->directory = openat(found->root, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    found->absent = found->directory < 0 && errno == ENOENT;
    if (found->directory < 0 || fstat(found->directory, &status) < 0 || status.st_uid != getuid())
        return false;
    if (locked && flock(found->directory, LOCK_EX) < 0)
        return false;
    /* Without state.json it is no container, or no more. */
    return faccessat(found->directory, "state.json", F_OK, 0) == 0 && read_facts(found);
}

/* The state letter of the init, 0 where it is gone, -1 where /proc does not say. */
static int letter_of(const struct container *container)
{
    char path[64], text[4096], *place;
    uint64_t started;
    put_text(put_number(put_text(path, "/proc/"), (uint64_t)container->pid), "/stat");
    if (!read_file(AT_FDCWD, path, text, sizeof text))
        return errno == ENOENT || errno == ESRCH ? 0 : -1;
    /* The name in parentheses may itself hold spaces and parentheses. The start time is the 19th after the state. */
    if ((place = strrchr(text, ')')) == NULL || place[1] != ' ')
        return -1;
    place += 2;
    int letter = *place;
    for (int i = 0; i < 19; i++)
        if (up_to(&place, ' ') == NULL)
            return -1;
    const char *field = up_to(&place, ' ');
    if (field == NULL || !parse_number(field, UINT64_MAX, &started))
        return -1;
    return started != container->start_time || strchr("ZXx", letter) ? 0 : letter;
}

bool is_alive(const struct container *container)
{
    return container->this_boot && letter_of(container) > 0;
}

/* Whether cgroup.events says so; false where there is none. */
static bool cgroup_says(const char *cgroup, const char *what)
{
    char text[4096];
    int directory = *cgroup ? open(cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    if (directory < 0)
        return false;
    bool said = read_file(directory, "cgroup.events", text, sizeof text) && strstr(text, what);
    close(directory);
    return said;
}

bool has_empty_cgroup(const struct container *container)
{
    return *container->cgroup == 0 || cgroup_says(container->cgroup, "populated 0");
}

enum status status_of(const struct container *container)
{
    int letter = container->this_boot ? letter_of(container) : 0;
    if (letter <= 0)
        return letter < 0 ? UNKNOWN : STOPPED;
    int connection = connect_to_init(container);
    if (connection >= 0) {
        close(connection);
        return CREATED;
    }
    if (errno != ENOENT && errno != ECONNREFUSED)
        return UNKNOWN;
    return cgroup_says(container->cgroup, "frozen 1") ? PAUSED : RUNNING;
}

int connect_to_init(const struct container *container)
{
    /* By way of the directory's descriptor, however long its path. */
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    put_text(put_number(put_text(address.sun_path, "/proc/self/fd/"), (uint64_t)container->directory), "/start");
    int connection = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (connection >= 0 && connect(connection, (struct sockaddr *)&address, sizeof address) < 0) {
        int error = errno;
        close(connection);
        errno = error;
        return -1;
    }
    return connection;
}

int open_init(const struct container *container)
{
    /* First the descriptor, then the look: in between the pid cannot change hands. */
    int pidfd = container->this_boot ? (int)syscall(SYS_pidfd_open, container->pid, 0) : -1;
    if (pidfd >= 0 && !is_alive(container)) {
        close(pidfd);
        return -1;
    }
    return pidfd;
}
