/* netd's DNS code over messages from stdin, each after its length in two bytes, as bytes of their own on the heap: an
   access beyond them is an error of the address sanitizer. Prints a line for each message: the code that dns_read()
   returns and, for a question, its type and name. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netd/dns.h"

static uint8_t *copy(const uint8_t *bytes, size_t size)
{
    uint8_t *made = malloc(size ? size : 1);
    memcpy(made, bytes, size);
    return made;
}

static void write_answers(const uint8_t *message, const struct question *question, int code)
{
    static const size_t limits[] = {DNS_UDP_MIN, DNS_UDP_MAX, DNS_ANSWER_MAX};
    struct address address = {.family = AF_INET, .bytes = {192, 0, 2, 1}};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct answer answer;
        uint8_t *room = malloc(limits[i]);
        dns_begin(&answer, message, question, room, limits[i]);
        answer.code = code;
        for (int count = 0; count < 100; count++) {
            address.family = count % 2 ? AF_INET : AF_INET6;
            dns_add_address(&answer, &address);
        }
        dns_add_name(&answer, question->end ? question->name : "a.b");
        if (dns_finish(&answer) > limits[i])
            abort();
        free(room);
    }
}

int main(void)
{
    uint8_t length[2], *before = NULL;
    size_t before_size = 0;
    while (fread(length, 1, 2, stdin) == 2) {
        static uint8_t bytes[65536];
        size_t size = fread(bytes, 1, (size_t)length[0] << 8 | length[1], stdin);
        uint8_t *message = copy(bytes, size), *room = malloc(DNS_UDP_MIN);
        struct question question;
        struct address address;
        int code = dns_read(message, size, &question);
        printf("%d", code);
        if (code == NO_ERROR) {
            printf(" %u %s %s", question.type, question.plain ? "plain" : "odd", question.plain ? question.name : "");
            dns_reverse(question.name, &address);
            if (!before)
                before = copy(message, before_size = size);
        }
        printf("\n");
        if (code >= 0)
            write_answers(message, &question, code);
        if (size >= DNS_HEADER)
            dns_truncate(message, size, room);
        if (before)
            dns_answers(message, size, before, before_size, (uint16_t)(message[0] << 8 | (size > 1 ? message[1] : 0)));
        free(message);
        free(room);
    }
    free(before);
    return 0;
}
