#include "resolver.h"

#include <unistd.h>

bool resolver_open(struct container *container, int udp, int tcp)
{
    (void)container;
    close(udp);
    close(tcp);
    return true;
}

void resolver_close(struct container *container)
{
    (void)container;
}
