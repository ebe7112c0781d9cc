/* What a process that outlives its command does with the descriptors it inherited. */
#ifndef ROOTLESS_DESCRIPTOR_H
#define ROOTLESS_DESCRIPTOR_H

#include <stddef.h>

/* Closes every descriptor from 3 on that is not among keep[count], and marks those
   close-on-exec; keep is sorted in place. */
void keep_only(int *keep, size_t count);

/* 0, 1 and 2 become /dev/null, so that no terminal or pipe of the command that started us
   stays open with us. */
void detach_stdio(void);

/* Ends with status 2 and "PROGRAM: MESSAGE" on stderr: for wrong arguments, before any work. */
_Noreturn void usage_error(const char *program, const char *message);

void set_nonblocking(int fd);

#endif
