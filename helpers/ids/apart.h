/* Owners that are not kept with the file itself. */
#ifndef ROOTLESS_IDS_APART_H
#define ROOTLESS_IDS_APART_H

#include "ids.h"

#define APART 32768u

/* Whether there is a record of the file's; then *owner. */
bool apart_owner(int fd, const struct stat *st, struct owner *owner);
/* 0, or -errno: -ENOSPC, where there are too many. */
int apart_set(int fd, const struct stat *st, uint32_t uid, uint32_t gid);
/* The file's copy in the upper directory, below fuse-overlayfs: O_PATH, ours to close, and *above. */
#define NOTHING_THERE (-1)
#define ANOTHER (-2)
int open_copy(int fd, const struct stat *st, struct stat *above);

#endif
