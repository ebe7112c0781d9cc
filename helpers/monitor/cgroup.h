/* The container's cgroup: its OOM kills are reported, its processes killed, and it is removed. */
#ifndef ROOTLESS_CGROUP_H
#define ROOTLESS_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cgroup {
    const char *path; /* NULL: the container has none */
    int memory_events; /* becomes ready (POLLPRI) when a number in it changes; -1: no memory controller */
    uint64_t oom_kills, reported;
};

void cgroup_open(struct cgroup *cgroup);

/* Reads how many processes were killed because the limit was reached. */
void cgroup_look(struct cgroup *cgroup);

/* Puts the line about kills that are not reported yet. Returns its size, or 0 if there are none. */
size_t cgroup_report(struct cgroup *cgroup, char *line, size_t size, bool terminal);

/* Ends what is left of the container: PID 1 has ended, and with it its pid namespace, if it had one. */
void cgroup_end(struct cgroup *cgroup);

/* Removes it; waits for the last processes, at most a second. */
void cgroup_remove(struct cgroup *cgroup);

#endif
