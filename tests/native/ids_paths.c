/* Of ids_calls' kind: makes sequences of calls by every way to a file (links, /proc, descriptors, mounts, another root) and by every kind of
   user. `ids_paths BASE`: reads scripts from stdin, each ended by a line ".", makes one after the other in a new process in BASE/NUMBER/w, and
   says what came of each call, and what the directory is then. What the image has there is taken as it is. */

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "ids_paths.h"

#define SCRIPT 59 /* the script, in a descriptor that exec keeps; behind it those of the script's own */

static dev_t proc_device;
static char text[1 << 16], *lines[1024], directory[256];

void own_links(void)
{
}

void say(const char *what, long result)
{
    printf("%s %ld %d\n", what, result < 0 ? -1 : result, result < 0 ? errno : 0);
}

void say_file(const char *what, long result, const struct stat *st)
{
    if (result < 0)
        say(what, result);
    else if (S_ISLNK(st->st_mode) && st->st_dev == proc_device)
        printf("%s %o\n", what, st->st_mode); /* a link of a process's in /proc, which is the kernel's root's there */
    else
        printf("%s %u:%u %o\n", what, st->st_uid, st->st_gid, st->st_mode);
}

/* A word of the script as a path: @d the directory, @n its name, @p our number, @t the target's, @0 to @3 the descriptors' numbers, @e nothing. */
static void expand(const char *word, char path[512])
{
    char *to = path;
    for (; *word && to < path + 400; word++) {
        if (*word != '@') {
            *to++ = *word;
            continue;
        }
        switch (*++word) {
        case 'd': to += sprintf(to, "%s", directory); break;
        case 'n': to += sprintf(to, "%s", strrchr(directory, '/') + 1); break;
        case 'p': to += sprintf(to, "%d", getpid()); break;
        case 't': to += sprintf(to, "%d", target); break;
        case 'e': break;
        default: to += sprintf(to, "%d", SLOT(*word - '0'));
        }
    }
    *to = 0;
}

static void execute(int at, int dirfd, const char *path, int flags)
{
    char number[16];
    struct stat st;
    snprintf(number, sizeof number, "%d", at + 1);
    /* What is no program of ours would be one of the machine's. */
    if (fstatat(dirfd, path, &st, flags & AT_EMPTY_PATH) == 0 && S_ISREG(st.st_mode) && st.st_size && st.st_size < 4096)
        return;
    fflush(stdout);
    say("exec", CALL(SYS_execveat, dirfd, path, (char *[]){(char *)"ids_paths", directory, number, NULL}, (char *[]){NULL}, flags));
}

static void step(int at)
{
    struct words w = {.count = 0};
    char copy[512], *rest = copy;
    snprintf(copy, sizeof copy, "%s", lines[at]);
    for (char *word; w.count < 8 && (word = strsep(&rest, " ")); w.count++) {
        w.number[w.count] = strtol(word, NULL, 0);
        expand(word, w.path[w.count]);
        w.at[w.count] = *word == '-' ? AT_FDCWD : SLOT(*word - '0');
    }
    const char *op = w.path[0];
    if (!strcmp(op, "exec"))
        execute(at, w.at[1], w.path[2], (int)w.number[3]);
    else if (!strcmp(op, "badexec"))
        say(op, CALL(SYS_execveat, w.at[1], w.path[2], 8, NULL, 0)); /* the kernel refuses it when it has looked at the file */
    else if (!strcmp(op, "fork")) {
        fflush(stdout);
        pid_t pid = fork();
        if (pid) {
            waitpid(pid, NULL, 0);
            _exit(0);
        }
    } else if (!step_of_ids(&w, lines[at]) && !step_of_files(&w) && !step_of_others(op, lines[at]))
        printf("unknown %s\n", lines[at]);
    CALL(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0); /* a change of ids gives our own files in /proc to root */
}

static void run(int at)
{
    struct stat proc;
    proc_device = stat("/proc", &proc) == 0 ? proc.st_dev : 0;
    const ssize_t size = pread(SCRIPT, text, sizeof text - 1, 0);
    int count = 0;
    text[size > 0 ? size : 0] = 0;
    for (char *line = strtok(text, "\n"); line && count < 1023; line = strtok(NULL, "\n"))
        lines[count++] = line;
    for (; at < count; at++)
        step(at);
}

static void copy_program(const char *name, mode_t mode)
{
    char part[1 << 16];
    int from = open("/proc/self/exe", O_RDONLY), to = open(name, O_WRONLY | O_CREAT | O_EXCL, 0755);
    for (ssize_t size; (size = read(from, part, sizeof part)) > 0;)
        if (write(to, part, (size_t)size) != size)
            exit(1);
    fchmod(to, mode);
    close(from);
    close(to);
}

static const struct { const char *name, *target; mode_t mode; unsigned uid, gid; } tree[] = {
    {"a", NULL, S_IFREG | 0644, 33, 44}, {"b", NULL, S_IFREG | 0644, 0, 0}, {"r", NULL, S_IFREG | 0600, 0, 0},
    {"w", NULL, S_IFREG | 0666, 0, 0}, {"u", NULL, S_IFREG | 06755, 1000, 44}, {"p", NULL, S_IFIFO | 0640, 33, 44},
    {"d", NULL, S_IFDIR | 0777, 33, 44}, {"d/x", NULL, S_IFREG | 0600, 33, 44}, {"d/y", NULL, S_IFREG | 0644, 0, 0},
    {"t", NULL, S_IFDIR | 01777, 0, 0}, {"t/a", NULL, S_IFREG | 0644, 33, 44}, {"t/b", NULL, S_IFREG | 0644, 1000, 1000},
    {"t/d", NULL, S_IFDIR | 0755, 33, 33}, {"G", NULL, S_IFDIR | 02775, 0, 44}, {"G/f", NULL, S_IFREG | 0664, 33, 44},
    {"c", NULL, S_IFDIR | 0700, 33, 33}, {"c/x", NULL, S_IFREG | 0644, 33, 33}, {"c/e", NULL, S_IFDIR | 0777, 0, 0},
    {"c/e/z", NULL, S_IFREG | 0644, 33, 33}, {"q", NULL, S_IFDIR | 0700, 0, 0}, {"q/x", NULL, S_IFREG | 0644, 0, 0},
    {"m", NULL, S_IFDIR | 0755, 33, 33}, {"n", NULL, S_IFREG | 0604, 1000, 33},
    {"l", "a", S_IFLNK, 0, 0}, {"la", "@d/a", S_IFLNK, 1000, 1000}, {"ld", "d", S_IFLNK, 33, 44}, {"lc", "c/x", S_IFLNK, 33, 33},
    {"l1", "l2", S_IFLNK, 0, 0}, {"l2", "@d/l3", S_IFLNK, 33, 33}, {"l3", "d/../a", S_IFLNK, 0, 0}, {"loop", "loop", S_IFLNK, 0, 0},
    {"lself", "/proc/self", S_IFLNK, 0, 0}, {"lcwd", "/proc/self/cwd", S_IFLNK, 33, 33}, {"lroot", "/proc/self/root@d", S_IFLNK, 0, 0},
    {"lfd", "/proc/self/fd/60", S_IFLNK, 0, 0}, {"d/up", "../b", S_IFLNK, 33, 44}, {"d/out", "../c/x", S_IFLNK, 0, 0},
    {"none", "nothere", S_IFLNK, 0, 0}, {"new", "d/new", S_IFLNK, 33, 33}, {"lq", "q", S_IFLNK, 0, 0}, {"t/l", "../r", S_IFLNK, 33, 33},
    {"ls", "./s", S_IFLNK, 0, 0}, {"lexe", "/proc/self/exe", S_IFLNK, 0, 0},
};

static void make_tree(void)
{
    for (size_t i = 0; i < sizeof tree / sizeof *tree; i++) {
        char target[512];
        const mode_t type = tree[i].mode & S_IFMT;
        expand(tree[i].target ? tree[i].target : "", target);
        if (type == S_IFLNK ? symlink(target, tree[i].name) : type == S_IFDIR ? mkdir(tree[i].name, 0777) : mknod(tree[i].name, type | 0600, 0))
            exit(1);
        if (fchownat(AT_FDCWD, tree[i].name, tree[i].uid, tree[i].gid, AT_SYMLINK_NOFOLLOW) < 0)
            exit(1);
        if (type != S_IFLNK)
            chmod(tree[i].name, tree[i].mode & 07777);
    }
    copy_program("prog", 0755);
    copy_program("s", 0755);
    copy_program("g", 0755);
    if (chown("s", 33, 44) < 0 || chown("g", 1000, 44) < 0)
        exit(1);
    chmod("s", 06755);
    chmod("g", 02751);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void list(const char *path, int depth)
{
    struct dirent **names;
    int count = scandir(path, &names, NULL, by_name);
    for (int i = 0; i < count; i++) {
        char name[512], value[64];
        struct stat st;
        if (!strcmp(names[i]->d_name, ".") || !strcmp(names[i]->d_name, ".."))
            continue;
        snprintf(name, sizeof name, "%s/%s", path, names[i]->d_name);
        if (lstat(name, &st) == 0) {
            const bool own = S_ISREG(st.st_mode) || S_ISDIR(st.st_mode), set = st.st_mtime < 1000;
            printf("%s %u:%u %o %lu %ld %s", name, st.st_uid, st.st_gid, st.st_mode, S_ISDIR(st.st_mode) ? 0ul : (unsigned long)st.st_nlink,
                   S_ISREG(st.st_mode) ? (long)st.st_size : 0, set ? "set" : "");
            static const char *const known[] = {"user.x", "system.posix_acl_access", "system.posix_acl_default", "security.capability"};
            for (size_t each = 0; each < 4 && own; each++) {
                const ssize_t size = getxattr(name, known[each], value, sizeof value);
                if (size >= 0)
                    printf(" %s", known[each]);
                for (ssize_t byte = 0; byte < size && known[each][0] == 's' && known[each][1] == 'y'; byte++)
                    printf("%02x", (unsigned char)value[byte]);
            }
            putchar('\n');
            if (S_ISDIR(st.st_mode) && depth < 8)
                list(name, depth + 1);
        }
        free(names[i]);
    }
    if (count >= 0)
        free(names);
}

/* The next script, from stdin; whether there is one. */
static int next_script(void)
{
    char line[512];
    int fd = -1;
    while (fgets(line, sizeof line, stdin)) {
        if (fd < 0)
            fd = memfd_create("script", 0);
        if (!strcmp(line, ".\n")) {
            dup2(fd, SCRIPT);
            close(fd);
            return 1;
        }
        if (write(fd, line, strlen(line)) < 0)
            exit(1);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 2) {
        snprintf(directory, sizeof directory, "%s", argv[1]);
        run(atoi(argv[2]));
        return 0;
    }
    mkdir(argv[1], 0777);
    for (int number = 0; next_script(); number++) {
        snprintf(directory, sizeof directory, "%s/%d", argv[1], number);
        mkdir(directory, 0777);
        strcat(directory, "/w"); /* what is done to its parent is not done to the next one's */
        const bool made = mkdir(directory, 0777) == 0;
        if (chdir(directory) < 0)
            return 1;
        umask(0);
        if (made) {
            chmod(".", 0777);
            make_tree();
        }
        umask(022);
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            CALL(SYS_setgroups, 0, NULL);
            run(0);
            exit(0);
        }
        int status = 0;
        waitpid(pid, &status, 0);
        printf("ended %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
        list(".", 0);
        printf("end\n");
        fflush(stdout);
    }
}
