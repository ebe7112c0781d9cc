/* Threads that become another user, and what cannot be told them: of ids_attacks, and with -DALONE a program of its own. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

void threads(void);

static pthread_barrier_t changed;

static void *who_am_i(void *id)
{
    pthread_barrier_wait(&changed);
    *(long *)id = syscall(SYS_getuid) * 1000 + syscall(SYS_getegid);
    return NULL;
}

/* By the C library, which sends each of its threads a signal. */
static void by_library(void)
{
    pthread_t thread[3];
    long id[3];
    pthread_barrier_init(&changed, NULL, 4);
    for (int i = 0; i < 3; i++)
        pthread_create(&thread[i], NULL, who_am_i, &id[i]);
    int result = setgroups(2, (const gid_t[]){5, 6}) | setresgid(33, 33, 33) | setresuid(33, 33, 33);
    pthread_barrier_wait(&changed);
    for (int i = 0; i < 3; i++)
        pthread_join(thread[i], NULL);
    printf("threads %d %ld %ld %ld %d\n", result, id[0], id[1], id[2], getgroups(0, NULL));
}

static void *become(void *result)
{
    const uint32_t groups[] = {5, 6};
    long *done = result;
    pthread_barrier_wait(&changed);
    *done = syscall(SYS_setgroups, 2, groups);
    pthread_barrier_wait(&changed);
    *done |= syscall(SYS_setresgid, -1, 33, -1);
    pthread_barrier_wait(&changed);
    *done |= syscall(SYS_setresgid, 33, 33, 33);
    pthread_barrier_wait(&changed);
    *done |= syscall(SYS_setreuid, 33, 33);
    pthread_barrier_wait(&changed);
    *done |= syscall(SYS_getuid) * 1000 + syscall(SYS_getegid);
    return NULL;
}

/* As Go does: each call by each thread, and the next once all have made it. */
static void by_each(void)
{
    pthread_t thread[3];
    long id[4];
    pthread_barrier_init(&changed, NULL, 4);
    for (int i = 0; i < 3; i++)
        pthread_create(&thread[i], NULL, become, &id[i]);
    become(&id[3]);
    for (int i = 0; i < 3; i++)
        pthread_join(thread[i], NULL);
    printf("each %ld %ld %ld %ld\n", id[0], id[1], id[2], id[3]);
}

static int send_as(int socket, uid_t uid)
{
    char data = 'd', control[CMSG_SPACE(sizeof(struct ucred))] = {0};
    struct iovec part = {&data, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    const struct ucred given = {getpid(), uid, uid};
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_CREDENTIALS;
    header->cmsg_len = CMSG_LEN(sizeof given);
    memcpy(CMSG_DATA(header), &given, sizeof given);
    return sendmsg(socket, &message, 0) < 0 ? errno : 0;
}

/* What stays the kernel's: the ids that go with a message, and those of /proc/PID/status. */
static void untold(void)
{
    int pair[2], on = 1;
    char data, line[256], control[CMSG_SPACE(sizeof(struct ucred))];
    unsigned uid = 99;
    struct ucred told;
    struct iovec part = {&data, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
    int own = send_as(pair[0], 33), root = send_as(pair[0], 0);
    if (recvmsg(pair[1], &message, 0) == 1)
        memcpy(&told, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof told);
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        sscanf(line, "Uid: %u", &uid);
    printf("message %d %d %u, status %u\n", own, root, told.uid, uid);
    /* And a path below a root of its own, which we do not walk: none, rather than one whose bits nobody looks at. */
    const uint64_t in_root[3] = {O_RDONLY, 0, 16};
    const long fd = syscall(437, open("/", O_RDONLY), "/etc/passwd", in_root, sizeof in_root);
    printf("in root %d\n", fd < 0 ? errno : 0);
    /* Who a file is said to belong to is written by chown(2) alone. */
    char mine[] = "/tmp/ids-record-XXXXXX";
    const int file = mkstemp(mine);
    const int set = fsetxattr(file, "user.containers.override_stat", "0:0:04755", 9, 0) < 0 ? errno : 0;
    printf("record %d %d\n", set, removexattr(mine, "user.containers.override_stat") < 0 ? errno : 0);
    unlink(mine);
}

void threads(void)
{
    static void (*const runs[])(void) = {by_library, by_each, untold};
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            if (runs[i] == untold && setresuid(33, 33, 33) < 0)
                _exit(1);
            runs[i]();
            exit(0);
        }
        waitpid(pid, NULL, 0);
    }
}

#ifdef ALONE
int main(void)
{
    threads();
    return 0;
}
#endif
