/* A container of `rootless-oci` as its `create` left it in ROOT/ID/facts: rootless/oci/facts.py says what stands there. */
#ifndef ROOTLESS_OCI_CONTAINER_H
#define ROOTLESS_OCI_CONTAINER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct container {
    int root, directory; /* descriptors of ROOT and ROOT/ID */
    pid_t pid;
    uint64_t start_time;
    bool this_boot;
    bool absent;              /* there is no ROOT/ID, and nothing else is known */
    const char *cgroup;       /* "" where it has none */
    bool can_start, can_delete; /* without what takes the interpreter: hooks, say */
    const char *head, *tail;  /* what `state` prints before the status and after the pid */
};

enum status { CREATED, RUNNING, PAUSED, STOPPED, UNKNOWN };

/* Opens the container ID of the directory ROOT, which must be our own user's and no link; with `locked` against other
   commands that change it, as rootless/oci/state.py does. False for whatever is not as it should be, a container
   that does not exist included. There is one container in a process. */
bool open_container(const char *root, const char *id, bool locked, struct container *found);

/* UNKNOWN where /proc does not say. */
enum status status_of(const struct container *container);

/* Whether its init still runs; false also where /proc does not say. */
bool is_alive(const struct container *container);

/* A connection to the init that waits to be started; -1 with errno: ENOENT or ECONNREFUSED where none waits. */
int connect_to_init(const struct container *container);

/* Whether it has no cgroup, or one without a process in it and below it. */
bool has_empty_cgroup(const struct container *container);

/* A descriptor of the init, and of no other process that has its pid by now; -1 where it has ended. */
int open_init(const struct container *container);

#endif
