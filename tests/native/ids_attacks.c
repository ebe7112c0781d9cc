/* What a container does to the program that emulates its ids: `ids_attacks NAME`. Each attack ends by itself, and says
   "survived" once an honest question has got its answer. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

void fuse(void);     /* ids_fuse.c */
void pointers(void); /* ids_pointers.c */
void threads(void);  /* ids_threads.c */

static void paths(void)
{
    static char path[1 << 20];
    struct stat st;
    memset(path, '/', sizeof path - 1);
    syscall(SYS_newfstatat, AT_FDCWD, path, &st, 0);
    syscall(SYS_fchownat, AT_FDCWD, path, 1, 1, 0);
    for (size_t i = 1; i < sizeof path - 1; i += 2)
        path[i] = '.';
    for (size_t length = 4090; length < 4100; length++) {
        char one[4200];
        memcpy(one, path, length);
        one[length] = 0;
        syscall(SYS_fchownat, AT_FDCWD, one, 1, 1, 0);
        syscall(SYS_mkdirat, AT_FDCWD, one, 0700);
        memcpy(one, "/proc/self/", 11);
        syscall(SYS_newfstatat, AT_FDCWD, one, &st, 0);
    }
    symlink("loop", "loop");
    syscall(SYS_fchownat, AT_FDCWD, "loop/loop", 1, 1, 0);
    syscall(SYS_setresuid, 5, 5, 5);
    syscall(SYS_openat, AT_FDCWD, "loop", O_CREAT | O_WRONLY, 0600);
    syscall(SYS_openat, AT_FDCWD, "/proc/self/fd/99999999999999999999", O_CREAT, 0600);
}

static char shared_path[2][64] = {"a", "/proc/self/root/proc/1/fd/3"};
static volatile int stop;

static void *racer(void *unused)
{
    (void)unused;
    char turn = 0;
    while (!stop) {
        memcpy(shared_path[0], ++turn & 1 ? "/proc/self/fd/1" : "./././././././a", 16);
        memset(shared_path[0] + 8, turn & 2 ? 0 : '/', 4);
    }
    return NULL;
}

static void races(void)
{
    pthread_t thread;
    struct stat st;
    pthread_create(&thread, NULL, racer, NULL);
    for (int i = 0; i < 3000; i++) {
        syscall(SYS_fchownat, AT_FDCWD, shared_path[0], i % 7, 1, 0);
        syscall(SYS_newfstatat, AT_FDCWD, shared_path[0], &st, 0);
        syscall(SYS_newfstatat, AT_FDCWD, shared_path[1], &st, 0);
        close((int)syscall(SYS_openat, AT_FDCWD, shared_path[0], O_CREAT | O_RDWR | O_NONBLOCK, 0600));
    }
    stop = 1;
    pthread_join(thread, NULL);
}

/* More sets of ids, groups and owners than there is room for: an error, and what is there stays. */
static void floods(void)
{
    static uint32_t groups[65536];
    int limits = 0;
    for (uint32_t i = 0; i < 65536; i++)
        groups[i] = i;
    for (uint32_t i = 0; i < 8; i++) {
        groups[0] = i + 70000;
        limits += syscall(SYS_setgroups, 65536, groups) < 0 && errno == ENOMEM;
    }
    for (uint32_t i = 0; i < 17000; i++)
        limits += syscall(SYS_setresuid, 0, 0, i) < 0 && errno == EAGAIN;
    if (limits < 2)
        printf("no limit was met\n");
    syscall(SYS_setresuid, 0, 0, 0);
    for (uint32_t i = 0; i < 33000; i++) {
        char name[16];
        snprintf(name, sizeof name, "p%u", i);
        mkfifo(name, 0600);
        if (syscall(SYS_fchownat, AT_FDCWD, name, 7, 7, 0) < 0 && errno == ENOSPC)
            limits |= 1 << 20;
        unlink(name);
    }
    printf("owners %s\n", limits >> 20 ? "bounded" : "unbounded");
}

/* Processes that are killed while they ask, and their numbers used again. */
static void kills(void)
{
    for (int i = 0; i < 300; i++) {
        pid_t pid = fork();
        if (pid == 0)
            for (struct stat st;;) {
                syscall(SYS_fchownat, AT_FDCWD, "a", 1, 1, 0);
                syscall(SYS_newfstatat, AT_FDCWD, "a", &st, 0);
                syscall(SYS_setresuid, 0, 0, 0);
            }
        for (volatile int wait = 0; wait < i * 300; wait++)
            ;
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
}

/* The number of a set of ids that it has not, from outside the filter's own reach: by another process's. */
static void handles(void)
{
    for (uint64_t i = 0; i < 2000; i++) {
        struct rlimit limit = {(UINT64_C(1) << 40) + i * i * 7919, RLIM_INFINITY};
        syscall(SYS_prlimit64, 0, RLIMIT_RTTIME, &limit, NULL);
        syscall(SYS_prlimit64, getppid(), RLIMIT_RTTIME, &limit, NULL);
        syscall(SYS_getuid);
    }
    struct rlimit few = {0, 0};
    setrlimit(RLIMIT_NOFILE, &few);
}

/* A socket whose name leads through the program's own descriptors, where the host's /proc is in the container: `in`. */
static void escape(void)
{
    char here[64], inside[80];
    if (!getcwd(here, sizeof here))
        _exit(1);
    snprintf(inside, sizeof inside, "in%s", here);
    for (char *slash = strchr(inside + 3, '/');; slash = strchr(slash + 1, '/')) {
        if (slash)
            *slash = 0;
        mkdir(inside, 0777);
        chmod(inside, 0777);
        if (!slash)
            break;
        *slash = '/';
    }
    mkdir("in/x", 0755);
    if (chroot("in") < 0 || chdir("/") < 0)
        _exit(1);
    int x = open("/x", O_PATH);
    syscall(SYS_setresuid, 5, 5, 5);
    for (int fd = 3; fd < 10; fd++) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        struct stat st;
        snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/..%s/socket%d", fd, here, fd);
        dup2(x, fd);
        if (syscall(SYS_bind, socket(AF_UNIX, SOCK_STREAM, 0), &address, sizeof address) < 0)
            printf("bind: %s\n", strerror(errno));
        else if (lstat(strstr(address.sun_path, "..") + 2, &st) == 0)
            printf("owner %u\n", st.st_uid);
    }
}

/* In a directory that is another user's for the kernel, too, without the capabilities to write there. */
static void dropped(void)
{
    static const struct { uint32_t version; int pid; } header = {0x20080522, 0};
    static const uint32_t none[6];
    const struct { uint16_t tag, bits; uint32_t id; } named[] = {{1, 7, -1}, {2, 7, 5}, {4, 7, -1}, {16, 7, -1}, {32, 7, -1}};
    char list[4 + sizeof named] = {2};
    memcpy(list + 4, named, sizeof named);
    syscall(SYS_setresuid, 1000, 1000, 1000);
    syscall(SYS_capset, &header, none);
    printf("list %d\n", syscall(SYS_setxattr, "in/theirs", "system.posix_acl_access", list, sizeof list, 0) < 0 ? errno : 0);
    printf("mkdir %d\n", mkdir("in/theirs/new", 0777) < 0 ? errno : 0);
    printf("open %d\n", open("in/theirs/file", O_CREAT | O_WRONLY, 0666) < 0 ? errno : 0);
    printf("chown %d\n", chown("in/theirs", 1000, -1) < 0 ? errno : 0);
}

static int asked;

static void *who_is_it(void *socket)
{
    struct ucred found;
    socklen_t size = sizeof found;
    asked = syscall(SYS_getsockopt, *(int *)socket, SOL_SOCKET, SO_PEERCRED, &found, &size) == 0 ? (int)found.uid : -errno;
    return NULL;
}

/* Who connected is not root: not for a server's second thread, and not when he has ended. */
static void peers(void)
{
    pthread_t thread;
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "listening"};
    int listening = socket(AF_UNIX, SOCK_STREAM, 0), go[2];
    if (pipe(go) < 0 || bind(listening, (struct sockaddr *)&address, sizeof address) < 0 || listen(listening, 5) < 0 || chmod("listening", 0777) < 0)
        _exit(1);
    pid_t pid = fork();
    if (pid == 0) {
        syscall(SYS_setresuid, 5, 5, 5);
        if (connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&address, sizeof address) < 0)
            _exit(1);
        close(go[1]);
        read(go[0], &pid, 1);
        _exit(0);
    }
    int accepted = accept(listening, NULL, NULL);
    pthread_create(&thread, NULL, who_is_it, &accepted);
    pthread_join(thread, NULL);
    printf("thread %d\n", asked);
    close(go[1]);
    waitpid(pid, NULL, 0);
    who_is_it(&accepted);
    printf("ended %d\n", asked);
}

int main(int argc, char **argv)
{
    static const struct { const char *name; void (*run)(void); } attacks[] = {
        {"pointers", pointers}, {"paths", paths}, {"races", races}, {"floods", floods}, {"kills", kills}, {"handles", handles},
        {"escape", escape}, {"peers", peers}, {"dropped", dropped},
        {"fuse", fuse}, {"threads", threads},
    };
    for (size_t i = 0; argc > 1 && i < sizeof attacks / sizeof *attacks; i++)
        if (!strcmp(argv[1], attacks[i].name)) {
            close(open("a", O_CREAT | O_WRONLY, 0666));
            pid_t pid = fork();
            if (pid == 0) {
                attacks[i].run();
                fflush(stdout);
                _exit(0);
            }
            int status;
            struct stat st;
            waitpid(pid, &status, 0);
            if (status == 0 && getuid() == 0 && chown("a", 12, 13) == 0 && stat("a", &st) == 0 && st.st_uid == 12 && st.st_gid == 13)
                printf("survived\n");
            else
                printf("status %d, uid %u, owner %u\n", status, getuid(), st.st_uid);
            return 0;
        }
    return 2;
}
