#include "dns.h"

#include <stdlib.h>
#include <string.h>

#define RECORDS_MAX 8 /* behind the question of a query: its OPT, a TSIG, hardly more */
#define LABEL_MAX 63
#define NAME_BYTES_MAX 255
#define OPT_SIZE 11

/* A container that has been started again has other addresses. */
#define TTL_SECONDS 5

/* The header's second 16 bits. */
enum { IS_ANSWER = 0x8000, OPCODE = 0x7800, AUTHORITATIVE = 0x0400, TRUNCATED = 0x0200, WANTED = 0x0100, AVAILABLE = 0x0080, CODE = 0x000f };

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint8_t *put16(uint8_t *p, unsigned number)
{
    p[0] = (uint8_t)(number >> 8);
    p[1] = (uint8_t)number;
    return p + 2;
}

/* Reads the question's name at `at`. Returns where it ends, or 0. A question has nothing before it that a compressed
   name could point to. */
static size_t read_name(const uint8_t *message, size_t size, size_t at, struct question *question)
{
    char *text = question->name;
    size_t length = 0, start = at;
    question->plain = true;
    for (;;) {
        if (at >= size)
            return 0;
        size_t label = message[at++];
        if (!label)
            break;
        if (label > LABEL_MAX || at + label >= size || at + label - start >= NAME_BYTES_MAX)
            return 0;
        if (length)
            text[length++] = '.';
        for (; label; label--) {
            uint8_t byte = message[at++];
            if (byte <= ' ' || byte >= 0x7f || byte == '.')
                question->plain = false;
            text[length++] = (char)(byte >= 'A' && byte <= 'Z' ? byte - 'A' + 'a' : byte);
        }
    }
    text[length] = 0;
    return at;
}

/* Returns where a name ends that is not looked at, or 0. */
static size_t skip_name(const uint8_t *message, size_t size, size_t at)
{
    while (at < size) {
        uint8_t label = message[at++];
        if (!label)
            return at;
        if (label >= 0xc0)
            return at + 1; /* a pointer is the last part */
        if (label > LABEL_MAX)
            return 0;
        at += label;
    }
    return 0;
}

/* The records behind the question, for the one of EDNS. */
static int read_records(const uint8_t *message, size_t size, struct question *question)
{
    size_t at = question->end, count = get16(message + 10);
    if (get16(message + 6) || get16(message + 8) || count > RECORDS_MAX)
        return FORMAT_ERROR;
    for (; count; count--) {
        size_t name = at;
        at = skip_name(message, size, at);
        if (!at || at + 10 > size)
            return FORMAT_ERROR;
        const uint8_t *record = message + at;
        at += 10 + get16(record + 8);
        if (at > size)
            return FORMAT_ERROR;
        if (get16(record) != TYPE_OPT)
            continue;
        if (question->extended || message[name])
            return FORMAT_ERROR; /* there is one at most, of the root */
        question->extended = true;
        if (get16(record + 2) > question->udp_max)
            question->udp_max = get16(record + 2);
        if (record[5]) /* the version */
            return BAD_VERSION;
    }
    return NO_ERROR;
}

int dns_read(const uint8_t *message, size_t size, struct question *question)
{
    question->end = 0;
    question->udp_max = DNS_UDP_MIN;
    question->extended = false;
    if (size < DNS_HEADER || get16(message + 2) & IS_ANSWER)
        return -1;
    if (get16(message + 2) & OPCODE)
        return NOT_IMPLEMENTED;
    if (get16(message + 4) != 1)
        return FORMAT_ERROR;
    size_t at = read_name(message, size, DNS_HEADER, question);
    if (!at || at + 4 > size)
        return FORMAT_ERROR;
    question->type = get16(message + at);
    question->class = get16(message + at + 2);
    question->end = at + 4;
    return read_records(message, size, question);
}

int dns_code(const uint8_t *message)
{
    return get16(message + 2) & CODE;
}

static uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte - 'A' + 'a') : byte;
}

bool dns_answers(const uint8_t *message, size_t size, const uint8_t *query, size_t query_size, uint16_t id)
{
    if (size < DNS_HEADER || get16(message) != id || !(get16(message + 2) & IS_ANSWER))
        return false;
    if (!get16(message + 4)) /* some servers leave the question out where they refuse */
        return dns_code(message) != NO_ERROR && dns_code(message) != NAME_ERROR;
    size_t end = skip_name(query, query_size, DNS_HEADER) + 4;
    if (get16(message + 4) != 1 || size < end)
        return false;
    for (size_t i = DNS_HEADER; i < end; i++)
        if (lower(message[i]) != lower(query[i]))
            return false;
    return true;
}

size_t dns_truncate(const uint8_t *answer, size_t size, uint8_t *bytes)
{
    size_t end = get16(answer + 4) ? skip_name(answer, size, DNS_HEADER) + 4 : DNS_HEADER;
    if (end > DNS_UDP_MIN || end > size || end < DNS_HEADER)
        end = DNS_HEADER;
    memcpy(bytes, answer, end);
    put16(bytes + 2, get16(bytes + 2) | TRUNCATED);
    put16(bytes + 4, end > DNS_HEADER);
    memset(bytes + 6, 0, 6);
    return end;
}

static bool ends_with(const char *name, const char *suffix, size_t *rest)
{
    size_t length = strlen(name), end = strlen(suffix);
    if (length <= end || strcmp(name + length - end, suffix) != 0)
        return false;
    *rest = length - end;
    return true;
}

/* "2.0.18.172": the last number of an address comes first. */
static bool reverse_four(const char *name, size_t length, struct address *address)
{
    size_t at = 0;
    for (int part = 3; part >= 0; part--) {
        unsigned number = 0, digits = 0;
        for (; at < length && name[at] >= '0' && name[at] <= '9' && digits < 3; at++, digits++)
            number = number * 10 + (unsigned)(name[at] - '0');
        if (!digits || number > 255 || (part ? at >= length || name[at++] != '.' : at != length))
            return false;
        address->bytes[part] = (uint8_t)number;
    }
    address->family = AF_INET;
    return true;
}

static bool reverse_six(const char *name, size_t length, struct address *address)
{
    if (length != 63)
        return false;
    for (size_t i = 0; i < 32; i++) {
        char digit = name[2 * i];
        bool decimal = digit >= '0' && digit <= '9';
        if ((!decimal && (digit < 'a' || digit > 'f')) || (i < 31 && name[2 * i + 1] != '.'))
            return false;
        unsigned number = (unsigned)(decimal ? digit - '0' : digit - 'a' + 10);
        address->bytes[15 - i / 2] |= (uint8_t)(i % 2 ? number << 4 : number);
    }
    address->family = AF_INET6;
    return true;
}

bool dns_reverse(const char *name, struct address *address)
{
    size_t length;
    *address = (struct address){0};
    if (ends_with(name, ".in-addr.arpa", &length))
        return reverse_four(name, length, address);
    return ends_with(name, ".ip6.arpa", &length) && reverse_six(name, length, address);
}

void dns_begin(struct answer *answer, const uint8_t *query, const struct question *question, uint8_t *bytes, size_t limit)
{
    *answer = (struct answer){.bytes = bytes, .limit = limit, .question = question};
    size_t end = question->end ? question->end : DNS_HEADER;
    memcpy(bytes, query, end);
    put16(bytes + 4, question->end != 0);
    memset(bytes + 6, 0, 6);
    answer->size = end;
    if (question->extended)
        answer->limit -= OPT_SIZE;
}

/* Begins a record of the question's name, with so many bytes of data to come, or returns NULL. */
static uint8_t *add(struct answer *answer, unsigned type, size_t size)
{
    if (answer->size + 12 + size > answer->limit) {
        answer->truncated = true;
        return NULL;
    }
    uint8_t *p = answer->bytes + answer->size;
    p = put16(p, 0xc000 | DNS_HEADER); /* the name stands there */
    p = put16(put16(p, type), CLASS_IN);
    p = put16(put16(p, 0), TTL_SECONDS);
    p = put16(p, (unsigned)size);
    answer->size += 12 + size;
    answer->count++;
    return p;
}

void dns_add_address(struct answer *answer, const struct address *address)
{
    size_t size = address->family == AF_INET ? 4 : 16;
    uint8_t *p = add(answer, address->family == AF_INET ? TYPE_A : TYPE_AAAA, size);
    if (p)
        memcpy(p, address->bytes, size);
}

void dns_add_name(struct answer *answer, const char *name)
{
    uint8_t bytes[NAME_BYTES_MAX];
    size_t size = 0;
    while (*name) {
        size_t label = strcspn(name, ".");
        if (!label || label > LABEL_MAX || size + label + 2 > sizeof bytes)
            return; /* a name that DNS cannot say */
        bytes[size++] = (uint8_t)label;
        memcpy(bytes + size, name, label);
        size += label;
        name += label + (name[label] == '.');
    }
    bytes[size++] = 0;
    uint8_t *p = add(answer, TYPE_PTR, size);
    if (p)
        memcpy(p, bytes, size);
}

size_t dns_finish(struct answer *answer)
{
    uint8_t *bytes = answer->bytes;
    unsigned asked = get16(bytes + 2);
    put16(bytes + 2, IS_ANSWER | AVAILABLE | (asked & (OPCODE | WANTED)) | (answer->own ? AUTHORITATIVE : 0) |
                         (answer->truncated ? TRUNCATED : 0) | (unsigned)(answer->code & CODE));
    put16(bytes + 6, answer->count);
    if (answer->question->extended) {
        uint8_t *p = bytes + answer->size;
        *p++ = 0;
        p = put16(put16(p, TYPE_OPT), DNS_UDP_MAX);
        *p++ = (uint8_t)(answer->code >> 4);
        *p++ = 0;
        put16(put16(p, 0), 0);
        put16(bytes + 10, 1);
        answer->size += OPT_SIZE;
    }
    return answer->size;
}
