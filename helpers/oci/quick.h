/* `rootless-oci start`, `state`, `kill` and `delete` of a container with nothing unusual, without the interpreter, which
   would be nearly all of their time. docs/development/decisions/launcher-oci-verbs.md. */
#ifndef ROOTLESS_OCI_QUICK_H
#define ROOTLESS_OCI_QUICK_H

/* Does what the command line asks for and returns the exit status, 0. Returns -1 where Python is to do it, and to say
   what is wrong: nothing has happened then, but for a `start` that has been asked of the init, whose answer is to be
   read from *connection (-1: none). */
int run_quickly(int argc, char **argv, int *connection);

#endif
