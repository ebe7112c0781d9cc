/* What a rank that entered a shared container by way of Python has left for those that follow with the same words:
   rootless/cli/commands/container/rank_facts.py writes it, and says what stands there. */
#ifndef ROOTLESS_RANKS_FACTS_H
#define ROOTLESS_RANKS_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct list {
    char **words; /* with a NULL at the end */
    size_t count;
};

struct facts {
    const char *launcher, *key, *id, *directory; /* `directory`: the host's working directory */
    struct list argv, environment;
    struct list prefixes, names, strict; /* which variables are each rank's own, and which of those must be the same */
    struct list host_files;              /* PATH, IDENTITY, PATH, ... */
    uint64_t session;                    /* 0: any */
    uint64_t pid, start_time, pid_namespace, monitor_pid, monitor_start_time, namespaces;
    const char *boot;
    uint64_t uid, gid, keeps_groups;
    struct list groups;
    const char *home;
    struct list container_files; /* as host_files, in the container */
    uint64_t umask;
    struct list limits; /* NUMBER, SOFT, HARD, NUMBER, ... */
    uint64_t effective, permitted, inheritable, bounding, last_cap, no_new_privileges;
    const char *work_directory;
    uint64_t every; /* --env-host */
    struct list image_environment, added_environment, fixed_environment;
    struct list command;
    const char *wait_s; /* from SIGTERM to SIGKILL, in a job; "" for none */
    const char *program;
    uint64_t filter_flags, filter_kills, filter_size;
    const unsigned char *filter;
};

/* Reads the file NAME in `directory`, which must be our own user's and nobody else's to write. False for whatever is no such
   file, or is of another form. There is one in a process at a time. */
bool read_facts(int directory, const char *name, struct facts *facts);

/* Whether the files of a list of PATH and IDENTITY are what they were. */
bool same_files(const struct list *files);

/* Whether `text` is what file_identity of rootless/linux/filesystem.py says of the file. */
bool is_identity(const struct stat *status, const char *text);

#endif
