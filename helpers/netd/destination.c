#include "destination.h"

#include <errno.h>
#include <string.h>

#include "route.h"

/* What leads into the host itself or to many, or has a meaning on one link only. Here rather than by the host's routes
   alone, since a host may route any of these. */
static bool is_never_outside(const struct address *to)
{
    static const uint8_t zeros[12], mapped[12] = {[10] = 0xff, [11] = 0xff};
    const uint8_t *bytes = to->bytes;
    if (to->family == AF_INET)
        return bytes[0] == 0 || bytes[0] == 127 || bytes[0] >= 224;
    return memcmp(bytes, zeros, sizeof zeros) == 0 ||      /* ::, ::1 and the old way to write an address of IPv4 */
           memcmp(bytes, mapped, sizeof mapped) == 0 ||    /* connect(2) takes it for the address of IPv4 */
           (bytes[0] == 0xfe && (bytes[1] & 0x80)) ||      /* link-local, site-local */
           bytes[0] == 0xff;
}

enum destination destination_of(const struct address *to, int *error)
{
    *error = 0;
    if (is_never_outside(to))
        return DESTINATION_REFUSED;
    switch (route_in_hub(to)) {
    case ROUTE_LOCAL:
        return DESTINATION_HUB;
    case ROUTE_NETWORK: /* of another network: the kernel's own answer for what is forbidden */
        *error = EACCES;
        return DESTINATION_REFUSED;
    case ROUTE_GROUP:
        return DESTINATION_REFUSED;
    default:
        break;
    }
    switch (route_in_host(to)) {
    case ROUTE_LOOPBACK:
        *error = ECONNREFUSED;
        return DESTINATION_REFUSED;
    case ROUTE_GROUP:
        return DESTINATION_REFUSED;
    case ROUTE_NONE:
        *error = errno;
        return DESTINATION_REFUSED;
    default:
        return DESTINATION_OUTSIDE;
    }
}
