#include "hub.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/socket.h>

#define STACK_SIZE (32 * 1024)

/* One call at a time: the main thread alone calls, and waits. */
static struct {
    sem_t asked, answered;
    int (*function)(void *argument);
    void *argument;
    int result, error;
    int namespace;
} hub;

static void *serve(void *unused)
{
    (void)unused;
    hub.result = setns(hub.namespace, CLONE_NEWNET);
    hub.error = errno;
    for (;;) {
        sem_post(&hub.answered);
        while (sem_wait(&hub.asked) < 0)
            ;
        hub.result = hub.function(hub.argument);
        hub.error = errno;
    }
    return NULL;
}

static int await_answer(void)
{
    while (sem_wait(&hub.answered) < 0)
        ;
    errno = hub.error;
    return hub.result;
}

bool hub_open(int namespace)
{
    pthread_t thread;
    pthread_attr_t attributes;
    hub.namespace = namespace;
    if (sem_init(&hub.asked, 0, 0) < 0 || sem_init(&hub.answered, 0, 0) < 0)
        return false;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int error = pthread_create(&thread, &attributes, serve, NULL);
    if (error) {
        errno = error;
        return false;
    }
    return await_answer() == 0;
}

int hub_call(int (*function)(void *argument), void *argument)
{
    hub.function = function;
    hub.argument = argument;
    sem_post(&hub.asked);
    return await_answer();
}

struct socket_request {
    int family, type, protocol;
};

static int make_socket(void *argument)
{
    const struct socket_request *request = argument;
    return socket(request->family, request->type, request->protocol);
}

int hub_socket(int family, int type, int protocol)
{
    struct socket_request request = {family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol};
    return hub_call(make_socket, &request);
}
