#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/text.h"

#define REMOVE_TRIES 100
#define REMOVE_PAUSE_NS 10000000

/* The path of a file of the cgroup; false where it is too long for one. */
static bool name(const struct cgroup *cgroup, const char *file, char *path)
{
    if (!cgroup->path || strlen(cgroup->path) + strlen(file) + 2 > PATH_MAX)
        return false;
    put_text(put_text(put_text(path, cgroup->path), "/"), file);
    return true;
}

static int open_file(const struct cgroup *cgroup, const char *file, int flags)
{
    char path[PATH_MAX];
    return name(cgroup, file, path) ? open(path, flags | O_CLOEXEC) : -1;
}

void cgroup_open(struct cgroup *cgroup)
{
    cgroup->memory_events = open_file(cgroup, "memory.events", O_RDONLY);
}

void cgroup_look(struct cgroup *cgroup)
{
    char text[512];
    if (cgroup->memory_events < 0)
        return;
    ssize_t size = pread(cgroup->memory_events, text, sizeof text - 1, 0);
    if (size <= 0) { /* the cgroup was removed under us: no more to be seen */
        close(cgroup->memory_events);
        cgroup->memory_events = -1;
        return;
    }
    text[size] = '\0';
    for (char *line = text; line && *line;) {
        char *end = strchr(line, '\n');
        if (end)
            *end = '\0';
        uint64_t number;
        if (strncmp(line, "oom_kill ", 9) == 0 && parse_number(line + 9, UINT64_MAX, &number))
            cgroup->oom_kills = number;
        line = end ? end + 1 : NULL;
    }
}

size_t cgroup_report(struct cgroup *cgroup, char *line, size_t size, bool terminal)
{
    char limit[64];
    if (cgroup->oom_kills <= cgroup->reported || size < 256)
        return 0;
    uint64_t count = cgroup->oom_kills - cgroup->reported;
    cgroup->reported = cgroup->oom_kills;
    char *p = put_text(line, terminal ? "\r\nrootless: out of memory: " : "rootless: out of memory: ");
    p = put_number(p, count);
    p = put_text(p, count == 1 ? " process" : " processes");
    p = put_text(p, " of the container killed at its memory limit");
    int fd = open_file(cgroup, "memory.max", O_RDONLY);
    ssize_t got = fd < 0 ? -1 : read(fd, limit, sizeof limit - 1);
    if (fd >= 0)
        close(fd);
    if (got > 1 && limit[0] >= '0' && limit[0] <= '9') {
        limit[got - 1] = '\0';
        p = put_text(put_text(put_text(p, " of "), limit), " bytes");
    }
    p = put_text(p, terminal ? "\r\n" : "\n");
    return (size_t)(p - line);
}

void cgroup_end(struct cgroup *cgroup)
{
    int fd = open_file(cgroup, "cgroup.kill", O_WRONLY);
    if (fd < 0)
        return;
    ssize_t ignored = write(fd, "1", 1);
    (void)ignored;
    close(fd);
}

void cgroup_remove(struct cgroup *cgroup)
{
    const struct timespec pause = {0, REMOVE_PAUSE_NS};
    char inner[PATH_MAX];
    bool has_inner = name(cgroup, "rootless-ids", inner); /* rootless/runtime/ids.py */
    for (int i = 0; cgroup->path && i < REMOVE_TRIES; i++) {
        if (has_inner)
            rmdir(inner);
        if (rmdir(cgroup->path) == 0 || errno != EBUSY)
            return;
        nanosleep(&pause, NULL);
    }
}
