#include "syn.h"

#include <errno.h>
#include <string.h>

#define TCP 6
#define ICMP 1
#define ICMP6 58
#define HEADER4 20
#define HEADER6 40
#define TCP_HEADER 20
#define HOPS 64
enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };

/* Where in a header of TCP. */
enum { SOURCE = 0, DESTINATION = 2, SEQUENCE = 4, ACKNOWLEDGEMENT = 8, OFFSET = 12, FLAGS = 13, CHECKSUM = 16 };

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(uint8_t *p, size_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static uint32_t add(uint32_t sum, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
    return sum;
}

static uint16_t fold(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static size_t address_size(const struct address *address)
{
    return address->family == AF_INET ? 4 : 16;
}

/* The sum over addresses, protocol and length that precedes `size` bytes at `body`, and these. */
static uint16_t checksum(const struct address *from, const struct address *to, uint8_t protocol, const uint8_t *body, size_t size)
{
    uint32_t sum = add(0, from->bytes, address_size(from));
    sum = add(sum, to->bytes, address_size(to));
    return fold(add(sum + protocol + (uint32_t)size, body, size));
}

/* Writes the header of a packet with `size` bytes after it. Returns the place of these. */
static uint8_t *put_header(uint8_t *packet, const struct address *from, const struct address *to, uint8_t protocol, size_t size)
{
    if (from->family == AF_INET) {
        memset(packet, 0, HEADER4);
        packet[0] = 0x45;
        put16(packet + 2, HEADER4 + size);
        packet[6] = 0x40; /* not to be fragmented */
        packet[8] = HOPS;
        packet[9] = protocol;
        memcpy(packet + 12, from->bytes, 4);
        memcpy(packet + 16, to->bytes, 4);
        put16(packet + 10, fold(add(0, packet, HEADER4)));
        return packet + HEADER4;
    }
    memset(packet, 0, HEADER6);
    packet[0] = 0x60;
    put16(packet + 4, size);
    packet[6] = protocol;
    packet[7] = HOPS;
    memcpy(packet + 8, from->bytes, 16);
    memcpy(packet + 24, to->bytes, 16);
    return packet + HEADER6;
}

bool syn_parse(const uint8_t *packet, size_t size, struct syn *syn)
{
    size_t header, total;
    memset(syn, 0, offsetof(struct syn, bytes));
    if (size >= HEADER4 && packet[0] == 0x45) {
        bool fragment = get16(packet + 6) & 0x3fff; /* an offset, or more to come */
        header = HEADER4;
        total = get16(packet + 2);
        if (packet[9] != TCP || fragment)
            return false;
        syn->from.family = syn->to.family = AF_INET;
        memcpy(syn->from.bytes, packet + 12, 4);
        memcpy(syn->to.bytes, packet + 16, 4);
    } else if (size >= HEADER6 && packet[0] >> 4 == 6) {
        header = HEADER6;
        total = HEADER6 + (size_t)get16(packet + 4);
        if (packet[6] != TCP)
            return false;
        syn->from.family = syn->to.family = AF_INET6;
        memcpy(syn->from.bytes, packet + 8, 16);
        memcpy(syn->to.bytes, packet + 24, 16);
    } else {
        return false;
    }
    if (total > size || total < header + TCP_HEADER)
        return false;
    const uint8_t *tcp = packet + header;
    size_t tcp_size = (size_t)(tcp[OFFSET] >> 4) * 4;
    if (tcp_size < TCP_HEADER || header + tcp_size > total || (tcp[FLAGS] & (FIN | SYN | RST | ACK)) != SYN)
        return false;
    syn->from_port = get16(tcp + SOURCE);
    syn->to_port = get16(tcp + DESTINATION);
    if (!syn->from_port || !syn->to_port)
        return false;

    /* Written anew, since data is left out: of TCP Fast Open, which the sender sends again. */
    uint8_t *copy = put_header(syn->bytes, &syn->from, &syn->to, TCP, tcp_size);
    memcpy(copy, tcp, tcp_size);
    put16(copy + CHECKSUM, 0);
    put16(copy + CHECKSUM, checksum(&syn->from, &syn->to, TCP, copy, tcp_size));
    syn->size = (uint16_t)(header + tcp_size);
    return true;
}

static const uint8_t *tcp_of(const struct syn *syn)
{
    return syn->bytes + (syn->from.family == AF_INET ? HEADER4 : HEADER6);
}

size_t syn_refuse(const struct syn *syn, uint8_t packet[SYN_MAX])
{
    const uint8_t *asked = tcp_of(syn);
    uint8_t *tcp = put_header(packet, &syn->to, &syn->from, TCP, TCP_HEADER);
    memset(tcp, 0, TCP_HEADER);
    memcpy(tcp + SOURCE, asked + DESTINATION, 2);
    memcpy(tcp + DESTINATION, asked + SOURCE, 2);
    uint32_t next = ((uint32_t)get16(asked + SEQUENCE) << 16 | get16(asked + SEQUENCE + 2)) + 1;
    put16(tcp + ACKNOWLEDGEMENT, next >> 16);
    put16(tcp + ACKNOWLEDGEMENT + 2, next & 0xffff);
    tcp[OFFSET] = TCP_HEADER / 4 << 4;
    tcp[FLAGS] = RST | ACK;
    put16(tcp + CHECKSUM, checksum(&syn->to, &syn->from, TCP, tcp, TCP_HEADER));
    return (size_t)(tcp - packet) + TCP_HEADER;
}

/* The code of "destination unreachable" that gives the sender the same errno, or -1. */
static int code_of(int error, bool six)
{
    switch (error) {
    case ENETUNREACH:
        return 0;
    case EHOSTUNREACH:
        return six ? 3 : 1;
    case EACCES:
    case EPERM:
        return six ? 1 : 13; /* prohibited by the administrator: EACCES with IPv6, EHOSTUNREACH with IPv4 */
    default:
        return -1;
    }
}

size_t syn_unreachable(const struct syn *syn, int error, uint8_t packet[ICMP_SIZE])
{
    bool six = syn->from.family == AF_INET6;
    int code = code_of(error, six);
    if (code < 0)
        return 0;
    size_t size = 8 + (size_t)syn->size;
    uint8_t *icmp = put_header(packet, &syn->to, &syn->from, six ? ICMP6 : ICMP, size);
    memset(icmp, 0, 8);
    icmp[0] = six ? 1 : 3; /* destination unreachable */
    icmp[1] = (uint8_t)code;
    memcpy(icmp + 8, syn->bytes, syn->size);
    put16(icmp + 2, six ? checksum(&syn->to, &syn->from, ICMP6, icmp, size) : fold(add(0, icmp, size)));
    return (size_t)(icmp - packet) + size;
}
