/* For LD_PRELOAD: asks the kernel for a part that it does not have in place of one that it has.
 *
 * $KERNEL_LACKS is the name of a kind of link, queueing discipline, classifier or action ("u32"). Where a request of
 * netlink(7) has that word, the last letter becomes another one, and the kernel looks for such a module and says what a
 * kernel says that was built without it. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

ssize_t send(int socket, const void *data, size_t size, int flags)
{
    static ssize_t (*next)(int, const void *, size_t, int);
    const char *word = getenv("KERNEL_LACKS");
    int domain = 0;
    socklen_t length = sizeof domain;
    char copy[65536];
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "send");
    if (!word || size > sizeof copy || getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &length) < 0 || domain != AF_NETLINK)
        return next(socket, data, size, flags);
    memcpy(copy, data, size);
    size_t letters = strlen(word);
    for (char *found = copy; (found = memmem(found, (size_t)(copy + size - found), word, letters + 1)); found += letters)
        found[letters - 1] = 'X';
    return next(socket, copy, size, flags);
}
