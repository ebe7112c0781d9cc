/* What the parts of ids_paths share. */
#ifndef IDS_PATHS_H
#define IDS_PATHS_H

#include <errno.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>

#define CALL(...) (errno = 0, syscall(__VA_ARGS__))
#define SLOT(number) (60 + (number)) /* descriptors of the script's, kept by exec */

/* A line's words: each as a path, as a number, and as a directory's descriptor ("-": the working directory). */
struct words {
    int count, at[8];
    long number[8];
    char path[8][512];
};

void say(const char *what, long result);
void say_file(const char *what, long result, const struct stat *st);
/* Whether the word is one of theirs. */
int step_of_ids(const struct words *w, const char *line); /* ids_paths_ids.c */
int step_of_files(const struct words *w);                 /* ids_paths_files.c */
extern pid_t target; /* whom signals and the like go to */
int step_of_others(const char *op, const char *line);     /* ids_others.c */

#endif
