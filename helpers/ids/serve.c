/* One thread takes the calls, one after the other, and answers them. Where it waits for a file system that does not answer,
   others do: the container may be that file system's server, and its answer may need ours. */

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/descriptor.h"
#include "lib/footprint.h"
#include "lib/text.h"
#include "serve.h"

int listening_fd = -1;

/* The container's processes share one listener, each process of exec has one of its own. */
#define LISTENERS 512
static struct pollfd polls[1 + LISTENERS];
static const struct credentials *first[1 + LISTENERS]; /* of a filter's first process, until that has asked for something */
static nfds_t count = 1, last_served;
static bool served; /* ever */
/* Who polls, receives and accepts. */
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

struct beginning {
    uint32_t uid, gid;
    uint32_t groups[512];
};

static void respond(int listener, const struct seccomp_notif *n, int64_t result)
{
    struct seccomp_notif_resp response = {.id = n->id};
    if (result == CONTINUE)
        response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    else if (result < 0)
        response.error = (int32_t)result;
    else
        response.val = result;
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response); /* ENOENT: the task has been killed meanwhile */
}

static struct request request_of(int listener, const struct seccomp_notif *n)
{
    return (struct request){listener, n->id, (pid_t)n->pid, n->data.nr, n->data.args, WIDE};
}

static int receive_listener(int connection, struct beginning *beginning, uint32_t *groups)
{
    struct iovec data = {beginning, sizeof *beginning};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_LEN(sizeof(int))}; /* no second descriptor fits */
    /* Who connects sends at once: nobody waits for one that does not. */
    ssize_t received = recvmsg(connection, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(int)))
        return -1;
    int fd;
    memcpy(&fd, CMSG_DATA(header), sizeof fd);
    char name[24], text[64];
    put_number(name, (uint64_t)fd);
    ssize_t size = readlink(name, text, sizeof text - 1);
    text[size > 0 ? size : 0] = 0;
    const ssize_t least = offsetof(struct beginning, groups);
    *groups = received < least ? 0 : (uint32_t)(received - least) / sizeof *beginning->groups;
    if (received >= least && received % (ssize_t)sizeof *beginning->groups == 0 && strcmp(text, "anon_inode:seccomp notify") == 0)
        return fd;
    close(fd);
    return -1;
}

static void accept_one(int socket)
{
    int connection = accept4(socket, NULL, NULL, SOCK_CLOEXEC);
    if (connection < 0)
        return;
    struct pollfd sent = {.fd = connection, .events = POLLIN};
    static struct beginning beginning;
    uint32_t groups = 0;
    int listener = -1;
    if (same_user(connection) && count <= LISTENERS && poll(&sent, 1, 1000) == 1)
        listener = receive_listener(connection, &beginning, &groups);
    const struct credentials *begins = listener < 0 ? NULL : credentials_beginning(beginning.uid, beginning.gid, beginning.groups, groups);
    if (begins) {
        /* Who asks wakes us on his own processor, and we him (Linux 6.6; else it is slower). */
        ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
        first[count] = begins;
        polls[count++] = (struct pollfd){.fd = listener, .events = POLLIN};
        (void)!send(connection, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    } else if (listener >= 0)
        close(listener);
    close(connection);
}

/* Takes the next call; its listener, or -1. With the turn. */
static int receive(struct seccomp_notif *n)
{
    if (served && count == 1)
        _exit(0); /* the last process has ended */
    if (poll(polls, count, -1) < 0)
        return -1; /* EINTR, or no memory for the moment */
    int listener = -1;
    for (nfds_t turns = count - 1; turns > 0 && listener < 0; turns--) {
        nfds_t i = last_served = last_served + 1 < count ? last_served + 1 : 1;
        if (polls[i].revents & POLLIN) {
            memset(n, 0, sizeof *n);
            if (ioctl(polls[i].fd, SECCOMP_IOCTL_NOTIF_RECV, n) < 0)
                continue; /* the task has been killed meanwhile */
            listener = polls[i].fd;
            const struct request r = request_of(listener, n);
            if (n->pid && first[i]) {
                if (credentials_set(&r, first[i], NULL) < 0) {
                    respond(listener, n, -EPERM);
                    listener = -1;
                } else
                    first[i] = NULL;
            }
        } else if (polls[i].revents) { /* the last process of the filter has ended */
            close(polls[i].fd);
            polls[i] = polls[--count];
            first[i] = first[count];
        }
    }
    if (polls[0].revents)
        accept_one(polls[0].fd);
    served = served || count > 1;
    return listener;
}

static void answer_one(int listener, const struct seccomp_notif *n)
{
    const struct request r = request_of(listener, n);
    /* A task without a number for us is in no pid namespace below ours. */
    int64_t result = !n->pid ? CONTINUE : n->data.arch == AUDIT_ARCH_NATIVE ? answer(&r) : compat_answer(&r);
    if (result != ANSWERED && result != GONE)
        respond(listener, n, result);
}

/* How many calls each thread has begun and ended: odd while it is at one. */
#define THREADS 16u
#define STACK (192u << 10)
#define PATIENCE_NS 50000000
static atomic_uint begun[THREADS];
static atomic_bool used[THREADS], watched;
static sem_t work;

static bool free_but(unsigned self)
{
    for (unsigned i = 0; i < THREADS; i++)
        if (i != self && used[i] && !(begun[i] & 1))
            return true;
    return false;
}

static void *serve_as(void *number)
{
    const unsigned self = (unsigned)(uintptr_t)number;
    bool more = !self || unshare(CLONE_FS) == 0;
    while (more) {
        struct seccomp_notif n;
        pthread_mutex_lock(&turn);
        int listener = receive(&n);
        begun[self]++;
        pthread_mutex_unlock(&turn);
        if (!watched && !atomic_exchange(&watched, true))
            sem_post(&work);
        if (listener >= 0)
            answer_one(listener, &n);
        begun[self]++;
        more = !self || !free_but(self); /* what was waited for has come */
    }
    used[self] = false;
    return NULL;
}

static bool start_thread(void *(*run)(void *), unsigned number)
{
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    bool started = pthread_create(&thread, &attributes, run, (void *)(uintptr_t)number) == 0;
    pthread_attr_destroy(&attributes);
    return started;
}

/* Starts another thread where all that there are have been at the same call for a while. While nobody asks for anything
   it sleeps. */
static void *watch(void *unused)
{
    const struct timespec patience = {0, PATIENCE_NS};
    unsigned seen[THREADS];
    (void)unused;
    for (;;) {
        while (sem_wait(&work) < 0)
            ;
        for (bool busy = true; busy;) {
            bool stuck = true;
            unsigned unused_one = THREADS;
            for (unsigned i = 0; i < THREADS; i++)
                seen[i] = begun[i];
            nanosleep(&patience, NULL);
            for (unsigned i = 0; i < THREADS; i++)
                if (!used[i])
                    unused_one = i;
                else if (!(begun[i] & 1) || begun[i] != seen[i])
                    stuck = false;
            if (stuck && unused_one < THREADS) {
                begun[unused_one] = 0;
                used[unused_one] = true;
                if (!start_thread(serve_as, unused_one))
                    used[unused_one] = false;
            }
            watched = false;
            busy = false;
            for (unsigned i = 0; i < THREADS; i++)
                busy = busy || (used[i] && begun[i] & 1);
            if (busy && atomic_exchange(&watched, true))
                busy = false; /* one has just asked for us */
        }
    }
    return NULL;
}

void serve(void)
{
    polls[0] = (struct pollfd){.fd = listening_fd, .events = POLLIN};
    sem_init(&work, 0, 0);
    if (!start_thread(watch, 0))
        usage_error("rootless-ids", strerror(EAGAIN));
    trim_footprint();
    used[0] = true;
    serve_as(NULL);
    _exit(1);
}
