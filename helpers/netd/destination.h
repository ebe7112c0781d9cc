/* Where a container may connect to through the gate. */
#ifndef ROOTLESS_NETD_DESTINATION_H
#define ROOTLESS_NETD_DESTINATION_H

#include "address.h"

enum destination {
    DESTINATION_OUTSIDE,
    DESTINATION_HUB,     /* an address of the hub itself */
    DESTINATION_REFUSED, /* with an errno of connect(2); 0: without a word */
};

enum destination destination_of(const struct address *to, int *error);

#endif
