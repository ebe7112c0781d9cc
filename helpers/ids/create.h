/* A file that is made in a task's place, and belongs to whom the task is. */
#ifndef ROOTLESS_IDS_CREATE_H
#define ROOTLESS_IDS_CREATE_H

#include "ids.h"

struct making {
    struct place place;
    int parent;       /* the directory, ours to close */
    const char *name; /* in it */
    struct owner owner;
    mode_t umask;
    bool opens;       /* what is there already, with `flags` */
    uint64_t flags;
};

/* From the place that making->place is, which is closed unless this returns 0. 0: it is ours to make; CONTINUE where the kernel does the same, or has the error's number. */
int64_t making_begin(const struct request *r, bool in_directory, bool follows, struct making *making);
/* The same, once its user has been found to be let into the directories above it: -EACCES. */
int64_t making_search(const struct request *r, bool in_directory, bool follows, struct making *making);
void making_end(struct making *making);
int making_note(int fd, const struct owner *owner);

#endif
