/* Of ids_calls: a process's own links in /proc, by every name, and ways around the bits of files. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef COMPAT
#define CALL(...) (errno = 0, syscall(__VA_ARGS__))
#endif

void own_links(void);
void say(const char *what, long result);
void say_stat(const char *what, long result, const struct stat *st);

/* Where a link of its own leads, the bits hold; by whatever name. The link itself is /proc's. */
void own_links(void)
{
    static const char *const ways[] = {"/proc/self", "/proc/thread-self", "/proc/%1$d", "/proc/%1$d/task/%1$d", "/proc/self/task/%1$d", "own", "own/task/%1$d"};
    static const char *const ends[] = {"root/etc/shadow", "cwd/c/x", "cwd/a", "fd/%2$d/x", "fd/%3$d", "root", "cwd", "cwd/", "fd/%2$d/../a", "nothere"};
    char path[64], format[64];
    struct stat st, seen;
    const int directory = (int)CALL(SYS_openat, AT_FDCWD, "c", O_PATH, 0), file = (int)CALL(SYS_openat, AT_FDCWD, "a", O_PATH, 0);
    CALL(SYS_symlinkat, "/proc/self", AT_FDCWD, "own");
    /* Of who is root a link that leads to /proc/self is left to the kernel, which tells its own ids. */
    for (size_t i = 0; i < sizeof ways / sizeof *ways - (geteuid() ? 0 : 2); i++)
        for (size_t end = 0; end < sizeof ends / sizeof *ends; end++) {
            snprintf(format, sizeof format, "%s/%s", ways[i], ends[end]);
            snprintf(path, sizeof path, format, getpid(), directory, file);
            int fd = (int)CALL(SYS_openat, AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0); /* it may be a pipe */
            say(format, fd < 0 ? fd : 0);
            close(fd);
            say_stat("leads", CALL(SYS_newfstatat, AT_FDCWD, path, &seen, 0), &seen);
            fd = (int)CALL(SYS_newfstatat, AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW);
            say("itself", fd < 0 ? fd : (long)(st.st_mode & S_IFMT));
            CALL(SYS_fchownat, AT_FDCWD, path, 7, 8, AT_SYMLINK_NOFOLLOW); /* of the link: the file stays whose it is */
        }
    /* Ways around the bits: out of what is the kernel's own, and by links that are longer together than any path. */
    static const char *const around[] = {"/proc/..", "/proc/self/../..", "/proc/sys/kernel/../../..", "/dev/pts/../..", "/proc/net/../root",
                                         "/proc//self//root", "/proc/./self/root", "/proc/sys/../thread-self/root", "//proc/self/fd/../root"};
    static char here[256], long_path[4096];
    if (!getcwd(here, sizeof here))
        say("where", -1);
    for (size_t i = 0; i < sizeof around / sizeof *around; i++) {
        snprintf(long_path, sizeof long_path, "%s%s/c/x", around[i], here);
        const int fd = (int)CALL(SYS_openat, AT_FDCWD, long_path, O_RDONLY | O_NONBLOCK, 0);
        say(around[i], fd < 0 ? fd : 0);
        close(fd);
    }
    for (int i = 0; i < 4; i++) {
        int size = i ? sprintf(long_path, "long%d", i - 1) : sprintf(long_path, ".");
        for (; size < 4000; size += 2)
            strcpy(long_path + size, "/.");
        strcpy(long_path + size, i < 3 ? "" : "/c/x");
        snprintf(path, sizeof path, "long%d", i);
        CALL(SYS_symlinkat, long_path, AT_FDCWD, path);
    }
    const int plain = (int)CALL(SYS_openat, AT_FDCWD, "c/x", O_RDONLY | O_NONBLOCK, 0);
    const int by_links = (int)CALL(SYS_openat, AT_FDCWD, "long3", O_RDONLY | O_NONBLOCK, 0);
    say("long", plain < 0 ? by_links : 0); /* what may be opened is refused by such */
    close(plain);
    close(by_links);
    snprintf(path, sizeof path, "/proc/%d/cwd/made", getpid());
    const int made = (int)CALL(SYS_openat, AT_FDCWD, path, O_CREAT | O_EXCL | O_WRONLY, 0644);
    say("made", made < 0 ? made : 0);
    close(made);
    say_stat("made", CALL(SYS_newfstatat, AT_FDCWD, "made", &st, AT_SYMLINK_NOFOLLOW), &st);
    close(directory);
    close(file);
}
