/* What a process that outlives its command does with the descriptors it inherited. */
#ifndef ROOTLESS_DESCRIPTOR_H
#define ROOTLESS_DESCRIPTOR_H

#include <stdbool.h>
#include <stddef.h>

/* Closes every descriptor from 3 on that is not among keep[count], and marks those
   close-on-exec; keep is sorted in place. */
void keep_only(int *keep, size_t count);

/* The same of runs of descriptors, both ends included. */
struct run {
    int first, last;
};
void keep_runs(struct run *keep, size_t count);

/* 0, 1 and 2 become /dev/null, so that no terminal or pipe of the command that started us
   stays open with us. */
void detach_stdio(void);

/* Ends with status 2 and "PROGRAM: MESSAGE" on stderr: for wrong arguments, before any work. */
_Noreturn void usage_error(const char *program, const char *message);

void set_nonblocking(int fd);

/* Whether the other end of an AF_UNIX connection runs as our user. The kernel translates its uid
   into our user namespace; what has no number there is the overflow uid, and so would we be in a
   namespace without a mapping: then nobody is let in. */
bool same_user(int connection);

#endif
