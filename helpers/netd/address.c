#include "address.h"

#include <arpa/inet.h>
#include <string.h>

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}; /* ::ffff:0:0/96 */

bool address_parse(const char *text, struct address *address)
{
    *address = (struct address){0};
    if (strcmp(text, "-") == 0)
        return true;
    address->family = strchr(text, ':') ? AF_INET6 : AF_INET;
    return inet_pton(address->family, text, address->bytes) == 1;
}

bool address_equal(const struct address *one, const struct address *other)
{
    return one->family == other->family && memcmp(one->bytes, other->bytes, sizeof one->bytes) == 0;
}

bool address_is_loopback(const struct address *address)
{
    static const uint8_t one[16] = {[15] = 1};
    if (address->family == AF_INET)
        return address->bytes[0] == 127;
    if (memcmp(address->bytes, mapped, sizeof mapped) == 0)
        return address->bytes[12] == 127;
    return memcmp(address->bytes, one, sizeof one) == 0;
}

bool address_is_link_local(const struct address *address)
{
    return address->family == AF_INET6 && address->bytes[0] == 0xfe && (address->bytes[1] & 0xc0) == 0x80;
}

socklen_t address_to_socket(const struct address *address, uint16_t port, union socket_address *result)
{
    memset(result, 0, sizeof *result);
    if (address->family == AF_INET) {
        result->four.sin_family = AF_INET;
        result->four.sin_port = htons(port);
        memcpy(&result->four.sin_addr, address->bytes, 4);
        return sizeof result->four;
    }
    result->six.sin6_family = AF_INET6;
    result->six.sin6_port = htons(port);
    memcpy(&result->six.sin6_addr, address->bytes, 16);
    return sizeof result->six;
}

void address_from_socket(const union socket_address *from, struct address *address, uint16_t *port)
{
    *address = (struct address){.family = AF_INET};
    if (from->any.sa_family == AF_INET) {
        *port = ntohs(from->four.sin_port);
        memcpy(address->bytes, &from->four.sin_addr, 4);
        return;
    }
    *port = ntohs(from->six.sin6_port);
    const uint8_t *bytes = from->six.sin6_addr.s6_addr;
    if (memcmp(bytes, mapped, sizeof mapped) == 0) {
        memcpy(address->bytes, bytes + sizeof mapped, 4);
        return;
    }
    address->family = AF_INET6;
    memcpy(address->bytes, bytes, 16);
}
