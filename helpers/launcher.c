/* The commands `rootless` and `rootless-oci`: executes the file rootless-python beside this program with the
   interpreter that stands in its first line, which whoever installed it wrote there, without `site` and
   with nothing of the environment: PYTHONPATH, PYTHONHOME and the like are the user's programs', and could
   bring modules of theirs in among ours. As #! line that could not be: installers leave no option in it, and
   the kernel takes none whose path has a blank or is long.

   Called as `podman`, through a link, the command is that: some things it prints are shaped as Podman's. It is the
   one name we know, and no other word of the caller's goes where a command's name is expected.

   `rootless-oci` does by itself what takes no interpreter (oci/quick.h). A `start` that was asked for there and went wrong is
   reported by Python, which is called "rootless-oci:N" then: N is the descriptor with the init's answer. So does `rootless` for a
   rank of `run --shared` (ranks/quick.h); a first one is called "rootless:N:HASH".

   0, 1 and 2 are open then: what came closed is /dev/null. Else the next file opened would be taken for the
   user's stream. So is a directory, which nobody can read or write: the interpreter would not start. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/text.h"
#include "oci/quick.h"
#include "ranks/quick.h"

#define SCRIPT "rootless-python"

_Noreturn static void fail(const char *command, const char *what, const char *path)
{
    int error = errno;
    char message[PATH_MAX + NAME_MAX + 512], *p = message; /* both names, and what is said of them */
    p = put_text(put_text(p, command), ": cannot ");
    p = put_text(put_text(put_text(p, what), " "), path);
    p = put_text(put_text(put_text(p, ": "), strerror(error)), "\nhint: install rootless again\n");
    if (write(2, message, (size_t)(p - message)) < 0)
        _exit(126);
    _exit(125);
}

/* Whether the last part of the path we were called by is `name`; nobody need have said any. */
static bool called(char **argv, const char *name)
{
    const char *slash = argv[0] ? strrchr(argv[0], '/') : NULL;
    return argv[0] && strcmp(slash ? slash + 1 : argv[0], name) == 0;
}

static void fill_streams(const char *command)
{
    struct stat status;
    for (int fd = 0; fd <= 2; fd++) {
        if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode))
            close(fd);
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            fail(command, "open", "/dev/null");
    }
}

/* The interpreter's path in the script's first line, NULL where that is something else: a shell that
   executes the interpreter in its turn, say. */
static char *interpreter(char *line)
{
    char *end = strchr(line, '\n');
    if (end == NULL || strncmp(line, "#!", 2) != 0)
        return NULL;
    *end = 0;
    char *path = line + 2 + strspn(line + 2, " \t"); /* Debian's dh_python3 writes one */
    if (*path != '/')
        return NULL;
    /* Its path may have blanks; options may follow it, and those are ours to say. */
    if (access(path, X_OK) != 0)
        path[strcspn(path, " \t\r")] = 0;
    return strncmp(strrchr(path, '/') + 1, "python", 6) == 0 ? path : NULL;
}

int main(int argc, char **argv)
{
    static char options[] = "-EPS", script[PATH_MAX + sizeof SCRIPT], line[PATH_MAX + 4], command[NAME_MAX + CLAIM_SIZE + 8];
    ssize_t size = readlink("/proc/self/exe", script, PATH_MAX - 1);
    char *name = size > 0 ? strrchr(script, '/') + 1 : NULL;
    if (name == NULL || strlen(name) > NAME_MAX)
        fail("rootless", "read", "/proc/self/exe");
    put_text(command, name);
    if (strcmp(command, "rootless") == 0 && called(argv, "podman"))
        put_text(command, "podman");
    fill_streams(command);
    if (strcmp(command, "rootless-oci") == 0) {
        int connection, status = run_quickly(argc, argv, &connection);
        if (status >= 0)
            return status;
        if (connection >= 0 && fcntl(connection, F_SETFD, 0) == 0)
            put_number(put_text(command + strlen(command), ":"), (uint64_t)connection);
    }
    if (strcmp(command, "rootless") == 0 && may_be_shared(argc, argv)) {
        char claim[CLAIM_SIZE];
        int status = run_rank(argv, claim);
        if (status >= 0)
            return status;
        if (*claim)
            put_text(put_text(command + strlen(command), ":"), claim);
    }
    put_text(name, SCRIPT);

    int fd = open(script, O_RDONLY | O_CLOEXEC);
    size = fd < 0 ? -1 : read(fd, line, sizeof line - 1);
    if (size < 0)
        fail(command, "read", script);
    close(fd);

    /* SCRIPT itself, or PYTHON -E -P -S SCRIPT; then COMMAND ARGS... */
    char **arguments = calloc((size_t)argc + 5, sizeof *arguments);
    if (arguments == NULL)
        fail(command, "execute", script);
    char **next = arguments, *python = interpreter(line);
    if (python != NULL) {
        *next++ = python;
        *next++ = options;
    }
    *next++ = script;
    *next++ = command;
    for (int i = 1; i < argc; i++)
        *next++ = argv[i];
    const char *program = python != NULL ? python : script;
    execve(program, arguments, environ);
    fail(command, "execute", program);
}
