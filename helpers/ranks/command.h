/* The file that a command's first word means: find_command of rootless/runtime/process/command.py, where it finds one without
   anything unusual. */
#ifndef ROOTLESS_RANKS_COMMAND_H
#define ROOTLESS_RANKS_COMMAND_H

/* Called in the container, with the ids and the working directory that the command will have. The path, NULL where Python is to
   look. `path` is what PATH says in the command's environment, NULL without one. */
const char *find_command(const char *name, const char *path);

#endif
