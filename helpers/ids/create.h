/* A file that is made in a task's place, and belongs to whom the task is. */
#ifndef ROOTLESS_IDS_CREATE_H
#define ROOTLESS_IDS_CREATE_H

#include "ids.h"

struct making {
    int parent;       /* the directory, ours to close */
    char name[256];   /* in it */
    struct owner owner;
    mode_t umask;
    bool listed;      /* the directory has a list for what is made in it, which the kernel does not know */
    bool opens;       /* what is there already, with `flags` */
    uint64_t flags;
};

/* Closes the place. 0: it is ours to make; CONTINUE where the kernel does the same, or has the error's number; -EACCES, -EPERM. */
int64_t making_begin(const struct request *r, struct place *place, bool in_directory, bool follows, struct making *making);
void making_end(struct making *making);
/* Gives the task our descriptor as the result of its call. */
int64_t hand_over(const struct request *r, int fd, uint64_t flags);
int making_note(int fd, const struct owner *owner);

#endif
