#include "ranks/command.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/text.h"
#include "ranks/kernel.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define MOST_INTERPRETERS 5

enum found { YES, NO, UNUSUAL };

/* A link of /proc, such as /proc/self/exe, is an error: it would lead to this very program on the host (CVE-2019-5736). */
static int open_inside(const char *path, uint64_t flags)
{
    struct open_options how = {.flags = flags | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return -1;
    int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof how), error = errno;
    close(root);
    errno = error;
    return fd;
}

static enum found check(const char *path, int depth);

/* What follows "#!" in the first line is checked, too. */
static enum found check_interpreter(const char *path, int depth)
{
    char text[257], *word = text + 2;
    int fd = open_inside(path, O_RDONLY | O_NONBLOCK);
    if (fd < 0)
        return errno == EACCES ? YES : UNUSUAL; /* executable and not readable: no script */
    ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    if (size < 0)
        return UNUSUAL;
    text[size] = 0;
    if (strncmp(text, "#!", 2) != 0)
        return YES;
    word[strcspn(word, "\n")] = 0;
    word += strspn(word, " \t\r\v\f");
    word[strcspn(word, " \t\r\v\f")] = 0;
    if (*word == 0)
        return YES;
    return depth < MOST_INTERPRETERS && check(word, depth + 1) == YES ? YES : UNUSUAL;
}

static enum found check(const char *path, int depth)
{
    static char absolute[2 * PATH_MAX];
    struct stat status;
    if (*path != '/') {
        char directory[PATH_MAX];
        if (depth > 0 || strlen(path) >= PATH_MAX || getcwd(directory, sizeof directory) == NULL || *directory != '/')
            return UNUSUAL;
        put_text(put_text(put_text(absolute, directory), "/"), path);
        path = absolute;
    }
    int fd = open_inside(path, O_PATH);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? NO : UNUSUAL;
    bool known = fstat(fd, &status) == 0;
    close(fd);
    if (!known || !S_ISREG(status.st_mode) || faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0)
        return UNUSUAL;
    return check_interpreter(path, depth);
}

const char *find_command(const char *name, const char *path)
{
    static char found[PATH_MAX];
    if (*name == 0)
        return NULL;
    if (strchr(name, '/'))
        return check(name, 0) == YES ? name : NULL;
    for (path = path ? path : DEFAULT_PATH;; path++) {
        size_t size = strcspn(path, ":");
        if (size + strlen(name) + 3 > sizeof found)
            return NULL;
        memcpy(found, path, size);
        found[size] = 0;
        if (size == 0)
            put_text(found, ".");
        if (found[strlen(found) - 1] != '/')
            put_text(found + strlen(found), "/");
        put_text(found + strlen(found), name);
        enum found answer = check(found, 0);
        if (answer != NO)
            return answer == YES ? found : NULL;
        path += size;
        if (*path == 0)
            return NULL;
    }
}
