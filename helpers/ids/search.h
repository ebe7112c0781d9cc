/* Paths as a user finds them who is not root. */
#ifndef ROOTLESS_IDS_SEARCH_H
#define ROOTLESS_IDS_SEARCH_H

#include "ids.h"

struct found {
    int parent; /* the directory of the last name, ours to close; -1: there is none */
    int file;   /* O_PATH, ours to close; -1: it is not there */
    char name[256];
    struct stat st; /* of the file, where there is one */
    bool slashed;   /* its name has a slash behind it: search_name(), and search() where it is not there */
    bool ordinary;  /* it is in the file system of a directory that is none of the kernel's own */
};

/* 0; -EACCES: a directory on the way must not be searched; another error of the path's; CONTINUE: the kernel's to say; of a task's path also
   GONE. */
int64_t search(const struct place *place, const struct credentials *by, bool follows, struct found *found);
/* `flags`: AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW. */
int64_t search_path(const struct request *r, const struct credentials *by, int dirfd, uint64_t address, int flags, struct found *found);
/* Of a path whose last name is made, moved or taken away: a link is not followed, with slashes behind it neither. */
int64_t search_name(const struct request *r, const struct credentials *by, int dirfd, uint64_t address, struct found *found);
/* Slashes at the end: whether there were any. */
bool strip_slashes(char *path);
/* Where we cannot go on: -EACCES, but of root CONTINUE. */
int64_t refused(const struct credentials *by);
void search_end(struct found *found);
/* Whether it is none of the container's files: whose it is we do not know. */
bool kernels_own(int fd);
/* The same of the file that was found. */
bool kernels_file(const struct found *found);
bool read_only(int fd);
/* `wanted`: S_IROTH, S_IWOTH and S_IXOTH alone. Most files let everybody search or read: then nobody asks whose they are. */
bool may_all(const struct stat *st, mode_t wanted);
bool stat_lets(const struct credentials *by, int fd, const struct stat *st, mode_t wanted);
bool may_by_bits(const struct credentials *by, int fd, mode_t wanted);
/* process.c: whose process the directory of /proc is; NULL: nobody's. */
const struct credentials *process_of_directory(int fd);
bool in_proc(int fd);
/* Of a path from a directory in /proc on, which the place's task opens for what is wanted there (0: not): -EACCES or CONTINUE; or 0, where it
   leads out or ends: *out is the place to go on from, ours to close, with what is left in `rest`; -1: the last name is not there. */
int64_t process_search(int from, char *rest, size_t room, const struct credentials *by, bool follows, const struct place *place, int *out);
/* Puts what the link names before what is left of the path; the directory to go on from, or -1: there is no room. */
int turn(int at, int link, char *rest, size_t room);
/* own.c: where a link in a directory of /proc leads, of descriptors (`fds`) or of a process, if that is of the task's pid namespace: O_PATH,
   ours to close; -1: it is not, or the link leads to no file. */
int link_target(const struct request *r, int at, const char *name, bool fds);
/* The number and the beginning of the process, or thread, of which `path` is the file "stat": what tells it from others of its number. */
bool read_stat(int at, const char *path, long *number, char start[24]);
/* The numbers of the task's process and thread in the /proc that `at` is in, be it the host's; -1: not known. */
void own_numbers(pid_t task, int at, long *process, long *thread);
/* signals.c: the thread that has this number for the task; -1: there is none, or it may be a stranger to the container (--pid host). */
pid_t thread_numbered(const struct request *r, uint64_t number);
/* Whether it may set or remove the attribute: CONTINUE, or an error. change.c */
int64_t may_set_attribute(const struct credentials *by, int fd, const char *name);
/* What open(2) with these flags asks for: S_IROTH, S_IWOTH. */
mode_t wanted_by(uint64_t flags);
/* open(2) of any file. */
int64_t open_file(const struct request *r);
/* What open(2) with these flags would say of what is there: -EACCES, -EPERM, or CONTINUE. */
int64_t opens(const struct credentials *by, const struct found *found, uint64_t flags);

#endif
