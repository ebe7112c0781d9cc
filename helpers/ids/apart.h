/* Owners that are not kept with the file itself. */
#ifndef ROOTLESS_IDS_APART_H
#define ROOTLESS_IDS_APART_H

#include "ids.h"

#define APART 32768u

/* Whether there is a record of the file's; then *owner. */
bool apart_owner(int fd, const struct stat *st, struct owner *owner);
/* 0, or -errno: -ENOSPC, where there are too many. */
int apart_set(int fd, const struct stat *st, uint32_t uid, uint32_t gid);
/* What the upper directory has at the file's path, O_PATH, ours to close; -1: nothing. */
int open_in_upper(int fd);

#endif
