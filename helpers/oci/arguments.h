/* The command lines of `rootless-oci` that need no interpreter: those of rootless/oci/arguments.py, less what is seldom asked. */
#ifndef ROOTLESS_OCI_ARGUMENTS_H
#define ROOTLESS_OCI_ARGUMENTS_H

#include <stdbool.h>

enum verb { START, STATE, KILL, DELETE };

struct arguments {
    enum verb verb;
    const char *root, *log; /* NULL where none was named */
    const char *id;
    int signal; /* of KILL */
    bool everyone; /* of KILL */
    bool force;    /* of DELETE */
};

/* False for every other command line, the wrong ones too. */
bool parse_arguments(int argc, char **argv, struct arguments *found);

#endif
