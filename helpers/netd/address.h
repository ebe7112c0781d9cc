/* Addresses of either family. */
#ifndef ROOTLESS_NETD_ADDRESS_H
#define ROOTLESS_NETD_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct address {
    uint8_t family; /* AF_INET, AF_INET6; 0: none */
    uint8_t bytes[16]; /* the first four of them with AF_INET; the rest are 0 */
};

union socket_address {
    struct sockaddr any;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
};

/* "-" is no address. */
bool address_parse(const char *text, struct address *address);
bool address_equal(const struct address *one, const struct address *other);
/* 127.0.0.0/8, ::1, and the former mapped into IPv6: nobody outside of a network namespace has it. */
bool address_is_loopback(const struct address *address);

/* fe80::/10: it means nothing without an interface, and those of the host are not the hub's. */
bool address_is_link_local(const struct address *address);

/* Returns the length. */
socklen_t address_to_socket(const struct address *address, uint16_t port, union socket_address *result);
/* A mapped address of IPv4 becomes one of IPv4. */
void address_from_socket(const union socket_address *from, struct address *address, uint16_t *port);

#endif
