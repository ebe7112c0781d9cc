/* Ids for a container that has one: the calls that ask for ids, set them or show owners are answered here, from
   credentials that are kept for each process and owners that are kept in an attribute of each file
   (docs/development/decisions/ids.md). No decision of security rests on any of it: for the kernel all is one user's. */
#ifndef ROOTLESS_IDS_H
#define ROOTLESS_IDS_H

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "kernel.h"

#define NO_ID UINT32_MAX
#define PATH_SIZE 4096
#define LEADS ((mode_t)S_IRUSR) /* readlink(2): none of the bits of others */
#define UNTOUCHED ((mode_t)S_ISVTX) /* O_NOATIME */
#define NEW_FILE ((uint32_t)(O_CREAT | (O_TMPFILE & ~O_DIRECTORY))) /* of open(2)'s flags */

/* Answers of a call that are no results: the kernel does it; it has been sent already; nobody waits for it any more. */
#define CONTINUE INT64_MIN
#define ANSWERED (INT64_MIN + 1)
#define GONE (INT64_MIN + 2)

/* Whose a file is; `emulated`: that is not what the kernel says. */
struct owner {
    uint32_t uid, gid;
    bool emulated;
};

enum level { LEVEL_FAKE, LEVEL_IDS, LEVEL_FULL };

/* credentials.c */
struct credentials {
    uint32_t ruid, euid, suid, fsuid, rgid, egid, sgid, fsgid;
    uint32_t groups, group_count; /* where they begin in the groups kept, and how many */
    uint32_t keep, spare;         /* PR_SET_KEEPCAPS; 0, for sets are compared byte by byte */
    uint64_t permitted, effective, ambient; /* capabilities, of those that the kernel leaves it */
};
#define GROUPS_LIMIT 65536u /* NGROUPS_MAX */

void credentials_begin(void);
/* Whether any process has been another than root. */
bool credentials_given(void);
/* Of the process that `task` is a thread of; root's where it has set none. Valid for good, never changed. */
const struct credentials *credentials_of(pid_t task);
/* Those whose number is in a soft RLIMIT_RTTIME of `limit`. */
const struct credentials *credentials_numbered(uint64_t limit);
struct request;
/* Of the process that asks: 0, -errno, or GONE. `groups` are those of new->groups unless NULL: new->group_count of them, sorted. */
int64_t credentials_set(const struct request *r, const struct credentials *changed, const uint32_t *groups);
void credentials_sort(uint32_t *groups, uint32_t count);
/* Those of a process that begins as this user; NULL: there is no room. */
const struct credentials *credentials_beginning(uint32_t uid, uint32_t gid, uint32_t *groups, uint32_t count);
const uint32_t *credentials_groups(const struct credentials *of);
/* What the kernel would have done to capabilities at this change of ids (capabilities(7)). */
void credentials_adjust(const struct credentials *old, struct credentials *changed);
bool credentials_in_group(const struct credentials *of, uint32_t gid);
/* Whether a capability is in force, as far as ids go; and all that let root act on files that are not its own, and their owners. */
bool credentials_have(const struct credentials *of, int capability);
bool credentials_over_files(const struct credentials *of);
/* Whether it may do what a file's owner may. */
bool credentials_own(const struct credentials *by, const struct owner *owner);
/* Whether the file's bits, or a list that is kept with it (fd; -1: none is), let it do what is `wanted` (S_IROTH, S_IWOTH, S_IXOTH). */
bool credentials_may(const struct credentials *by, int fd, const struct stat *st, const struct owner *owner, mode_t wanted);

/* compat.c: how what a call's arguments point to is laid out: as here; for a 32-bit program; and with ids of 16 bits. */
enum form { WIDE, NARROW, HALF };

/* request.c: the call that is answered now, and the memory of the task that made it. */
struct request {
    int listener;
    uint64_t id;
    pid_t task;
    int nr;
    const uint64_t *args;
    enum form form;
};
bool request_valid(const struct request *r);
/* Each 0, or -EFAULT, or GONE. */
int64_t request_read(const struct request *r, uint64_t address, void *buffer, size_t size);
int64_t request_write(const struct request *r, uint64_t address, const void *buffer, size_t size);
/* The text at address into buffer; its length, or -EFAULT, -ENAMETOOLONG, GONE. */
int64_t request_text(const struct request *r, uint64_t address, char *buffer, size_t size);
/* A number in a line of /proc/TASK/status, as `name` ("Umask:\t") has it there; -1: none. */
long request_status(pid_t task, const char *name, int base);
/* The number of the process, and of the thread, in the innermost pid namespace that it is in; -1: not known. */
long inner_pid(pid_t task);
long inner_tid(pid_t task);

/* paths.c: files as the task sees them. */
extern int proc_fd; /* the host's /proc */
struct place {
    int at; /* where a relative path begins, ours to close; -1: the path is absolute */
    mode_t wanted; /* of a file of /proc: S_IROTH and S_IWOTH, what it is opened for; UNTOUCHED; LEADS, where a link leads */
    const struct request *asks; /* whose path it is */
    char path[PATH_SIZE];
};
bool paths_begin(void);
/* Its path is read; an empty one is taken only if `empty`. 0 or an error as above. */
int64_t place_read(const struct request *r, uint64_t address, bool empty, struct place *place);
/* Goes where the task is and reads its path, which may be empty if `empty`; 0 or an error as above. */
int64_t place_of(const struct request *r, int dirfd, uint64_t address, bool empty, struct place *place);
/* The same of a path that is in place->path already. */
int64_t place_resolve(const struct request *r, int dirfd, struct place *place);
void place_close(struct place *place);
/* O_PATH descriptor of `name` in the directory of /proc that the task has on the host, of name and number where fd >= 0; and whether it is
   the task's still: 0, -EBADF or GONE, and it is closed. */
int place_of_task(pid_t task, const char *name, int fd, int flags);
int64_t place_taken(const struct request *r, int *at);
/* O_PATH descriptor of what is there, or -errno. */
int place_open(const struct place *place, bool follow);
/* Whether opening what is at the place, which does not go through the links of /proc, has failed as where it leads to a link of the
   task's own there: search() knows those. */
bool leads_elsewhere(const struct place *place, int64_t error);
/* The descriptor of the directory that the last part of the path is in, and that part in place->path; or -errno. */
int place_parent(const struct place *place, const char **name);
int open_beneath(int at, const char *path, uint64_t flags, mode_t mode);
/* A descriptor of ours for one of the task's: O_PATH. */
int descriptor_of(const struct request *r, int fd);
/* The same of one by which the file is changed: -EBADF if it only names it (O_PATH), or GONE. files.c */
int64_t changed_file(const struct request *r, int fd);
/* Both at once: the file of a call with dirfd, path and AT_ flags, if its user may search the directories above it: -EACCES. */
int64_t file_at(const struct request *r, int dirfd, int flags, struct place *place);
int64_t file_of(const struct request *r, int dirfd, uint64_t address, int flags);

/* owners.c: who owns a file, as far as the container is concerned. */
extern int owners_fd; /* of what can have no attribute, outliving us: struct kept; -1: nothing does */
extern int upper_fd;  /* the overlay's upper directory; -1: none */
void owners_begin(void);
#define OWNER_ATTRIBUTE "user.containers.override_stat"
struct owner owner_of(int fd, const struct stat *st);
int owner_set(int fd, const struct stat *st, uint32_t uid, uint32_t gid);
/* Whether no file has a record that is kept elsewhere than with itself. */
bool owners_apart(void);
/* Before a call that copies a link of the image's up, which is another file then: its owner is the copy's. names.c: the same of
   the file of a call, if any link has an owner. */
void owner_carry(int fd);
void carry(const struct request *r, int dirfd, uint64_t address, int flags);

/* capabilities.c: whether the kernel leaves the task this capability (--cap-drop): what it has not is not emulated. */
#define CAP_SETGID 6
#define CAP_SETUID 7
#define CAP_CHOWN 0
#define CAP_DAC_OVERRIDE 1
#define CAP_DAC_READ_SEARCH 2
#define CAP_FOWNER 3
#define CAP_FSETID 4
#define CAP_KILL 5
#define CAP_SETPCAP 8
#define CAP_SYS_PTRACE 19
#define CAP_SYS_ADMIN 21
#define CAP_SYS_NICE 23
#define CAP_SYS_RESOURCE 24
#define CAP_SETFCAP 31
bool holds_capability(const struct request *r, int capability);
/* What a file gives to who executes it (security.capability). */
struct file_capabilities {
    bool found, effective;
    uint64_t permitted, inheritable;
};
struct file_capabilities capabilities_of_file(int fd);
/* Of these, what the task gets: those it may have at all, and those that it hands on. */
uint64_t capabilities_gained(const struct request *r, const struct file_capabilities *file);
/* setfsuid(2) of root to another takes those over files out of force, and to root puts them in force. */
void capabilities_follow(struct credentials *changed, bool root);
/* Whether one is in force, for the kernel as well. */
bool has_in_force(const struct request *r, const struct credentials *by, int capability);
/* Whether the kernel would let the task do what an owner may. Where there are many ids we have rights over files of all of
   them, and it may have none. */
bool acts_as_owner(const struct request *r, const struct stat *st, int capability);

/* The calls; each returns a result, -errno, or one of the answers above. */
int64_t call_get_id(const struct request *r);
int64_t call_get_three(const struct request *r);
int64_t call_get_groups(const struct request *r);
int64_t call_set_ids(const struct request *r);
int64_t call_set_groups(const struct request *r);
int64_t call_control(const struct request *r);
int64_t call_set_capabilities(const struct request *r);
int64_t call_get_capabilities(const struct request *r);
int64_t call_chown(const struct request *r);
int64_t call_chmod(const struct request *r);
int64_t call_stat(const struct request *r);
int64_t call_statx(const struct request *r);
int64_t call_create(const struct request *r);
int64_t call_open(const struct request *r);
int64_t call_open_how(const struct request *r);
int64_t call_remove(const struct request *r);
int64_t call_rename(const struct request *r);
int64_t call_link(const struct request *r);
int64_t call_access(const struct request *r);
int64_t call_make(const struct request *r);
int64_t call_bind(const struct request *r);
int64_t call_execute(const struct request *r);
int64_t call_peer(const struct request *r);
int64_t call_set_attribute(const struct request *r);
int64_t call_remove_attribute(const struct request *r);
int64_t call_get_attribute(const struct request *r);
int64_t call_list_attributes(const struct request *r);
int64_t call_times(const struct request *r);
int64_t call_look(const struct request *r);
int64_t call_connect(const struct request *r);
int64_t call_signal(const struct request *r);
int64_t call_trace(const struct request *r);
int64_t call_priority(const struct request *r);
/* chroot(2) and whatever else gives a task another root than the container's. paths.c */
int64_t call_leave_root(const struct request *r);

/* execute.c: who has executed a program since his last call is who that makes him. */
void executions_settle(const struct request *r);
/* sockets.c: the names of sockets that have been made since the last call get their owners. */
void sockets_settle(const struct request *r);

/* calls.c: which calls are notified, and what answers them. */
typedef int64_t call_function(const struct request *r);
enum condition { ALWAYS, ANY_BIT, EQUAL, EITHER, EQUAL_TWO, UNLESS, LIMIT, SILENT };
struct call {
    int nr;
    enum level level; /* from which on */
    enum condition condition;
    int argument;
    uint32_t value;
    int second;
    uint32_t second_value;
    call_function *function;
};
extern const struct call calls[];
extern const size_t call_count;
int64_t answer(const struct request *r);

/* compat.c: a call of a 32-bit program. */
int64_t compat_answer(const struct request *r);
int64_t compat_write_stat(const struct request *r, uint64_t address, const struct stat *st);
/* The id as it is shown in 16 bits. */
uint32_t half_of(uint32_t id);

/* filter.c: the BPF program of a level to descriptor 1; whether that could be written. */
bool filter_write(enum level level);

#endif
