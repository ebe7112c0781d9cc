/* DNS messages, RFC 1035: one question read, an answer written. What is read comes from a container. */
#ifndef ROOTLESS_NETD_DNS_H
#define ROOTLESS_NETD_DNS_H

#include "address.h"
#include "names.h"

#define DNS_HEADER 12
#define DNS_QUERY_MAX 1232  /* of a question that we take, with all that it carries */
#define DNS_ANSWER_MAX 65535
#define DNS_UDP_MIN 512     /* what everybody takes over UDP */
#define DNS_UDP_MAX 1232    /* what we send over UDP: no fragments on any path */

enum { TYPE_A = 1, TYPE_PTR = 12, TYPE_AAAA = 28, TYPE_OPT = 41, TYPE_ANY = 255 };
enum { CLASS_IN = 1, CLASS_ANY = 255 };
enum { NO_ERROR = 0, FORMAT_ERROR = 1, SERVER_FAILURE = 2, NAME_ERROR = 3, NOT_IMPLEMENTED = 4, BAD_VERSION = 16 };

struct question {
    size_t end;     /* of the question in the message; 0: there is none that could be repeated in an answer */
    uint16_t type, class;
    size_t udp_max; /* of an answer over UDP, as the client says */
    bool extended;  /* the client speaks EDNS, RFC 6891 */
    bool plain;     /* the name has nothing but printable characters, and no dot in a label */
    char name[NAME_LENGTH_MAX + 1]; /* in lower case, without the last dot */
};

/* Reads a message of a client. Returns NO_ERROR, the code to answer with, or -1 if no answer is due. */
int dns_read(const uint8_t *message, size_t size, struct question *question);

/* Whether `message` answers the question of `query`, with this id. */
bool dns_answers(const uint8_t *message, size_t size, const uint8_t *query, size_t query_size, uint16_t id);
int dns_code(const uint8_t *message);
/* Writes what is sent instead of an answer that is too large for UDP, so that the client asks over TCP: its header and
   question. `bytes` has room for DNS_UDP_MIN. Returns the size. */
size_t dns_truncate(const uint8_t *answer, size_t size, uint8_t *bytes);

/* The address that a name of in-addr.arpa or ip6.arpa stands for. */
bool dns_reverse(const char *name, struct address *address);

struct answer {
    uint8_t *bytes; /* room for `limit` */
    size_t size, limit;
    const struct question *question;
    uint16_t count;
    int code;
    bool own; /* of a name that is ours */
    bool truncated;
};

/* Begins the answer to a question that dns_read() has read from `query`. */
void dns_begin(struct answer *answer, const uint8_t *query, const struct question *question, uint8_t *bytes, size_t limit);
/* Adds a record of the question's name. What does not fit is left out and makes the answer truncated. */
void dns_add_address(struct answer *answer, const struct address *address);
void dns_add_name(struct answer *answer, const char *name);
/* Returns its size. */
size_t dns_finish(struct answer *answer);

#endif
