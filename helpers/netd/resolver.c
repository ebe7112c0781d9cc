#include "resolver.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "dns.h"
#include "gateway.h"
#include "upstream.h"

#define MESSAGES_IN_TURN 32

bool resolver_send(const struct client *client, const uint8_t *answer, size_t size)
{
    uint8_t head[DNS_UDP_MIN];
    if (client->connection)
        return connection_send(client->connection, answer, size);
    if (size > client->udp_max) {
        size = dns_truncate(answer, size, head);
        answer = head;
    }
    /* A client whose buffer is full loses the answer, as from any other server. */
    sendto(client->resolver->udp.fd, answer, size, MSG_DONTWAIT | MSG_NOSIGNAL, &client->address.any, client->address_size);
    return true;
}

static uint8_t room[DNS_ANSWER_MAX];

static bool send_code(const struct client *client, const uint8_t *query, const struct question *question, int code)
{
    struct answer answer;
    dns_begin(&answer, query, question, room, sizeof room);
    answer.code = code;
    return resolver_send(client, room, dns_finish(&answer));
}

bool resolver_send_code(const struct client *client, const uint8_t *query, size_t size, int code)
{
    struct question question;
    return dns_read(query, size, &question) < 0 || send_code(client, query, &question, code);
}

/* All addresses of a name, each time from another one on. */
static void add_addresses(struct answer *answer, const struct network **found, size_t count, uint16_t type)
{
    static size_t turn;
    size_t first = count > 1 ? turn++ % count : 0;
    for (size_t i = 0; i < count; i++) {
        const struct network *network = found[(first + i) % count];
        if (network->address4.family && (type == TYPE_A || type == TYPE_ANY))
            dns_add_address(answer, &network->address4);
        if (network->address6.family && (type == TYPE_AAAA || type == TYPE_ANY))
            dns_add_address(answer, &network->address6);
    }
}

/* Answers what is known here. */
static bool answer_known(const struct container *container, struct answer *answer)
{
    static const struct network *found[ANSWERS_MAX];
    const struct question *question = answer->question;
    char name[2 * NAME_LENGTH_MAX + 2];
    struct address address;
    if (!question->plain || !*question->name || (question->class != CLASS_IN && question->class != CLASS_ANY))
        return false;
    size_t count = names_find(container, question->name, found);
    answer->own = true;
    if (count) {
        /* Of another type there is nothing, which is no error: musl takes "no such name" for both families. */
        add_addresses(answer, found, count, question->type);
        return true;
    }
    if (question->type == TYPE_PTR && dns_reverse(question->name, &address) && names_reverse(container, &address, name)) {
        dns_add_name(answer, name);
        return true;
    }
    answer->own = false;
    return false;
}

/* Names that a container may not ask outside do not exist: so a client goes on with its search list. */
static bool may_forward(const struct container *container, const struct question *question)
{
    return !container->internal && !(container->ndots && *question->name && !strchr(question->name, '.'));
}

bool resolver_take(const struct client *client, const uint8_t *message, size_t size)
{
    struct question question;
    struct answer answer;
    int code = dns_read(message, size, &question);
    if (code < 0)
        return true;
    if (code > 0)
        return send_code(client, message, &question, code);
    struct client asker = *client;
    asker.udp_max = question.udp_max;
    size_t limit = asker.connection ? sizeof room : question.udp_max < DNS_UDP_MAX ? question.udp_max : DNS_UDP_MAX;
    dns_begin(&answer, message, &question, room, limit);
    const struct container *container = client->container;
    if (!answer_known(container, &answer)) {
        if (may_forward(container, &question))
            return upstream_ask(&asker, message, size);
        answer.code = NAME_ERROR;
    }
    return resolver_send(&asker, room, dns_finish(&answer));
}

static void receive(struct source *source, uint32_t events)
{
    static uint8_t message[DNS_QUERY_MAX];
    (void)events;
    struct client client = {.resolver = CONTAINER_OF(source, struct resolver, udp), .udp_max = DNS_UDP_MIN};
    for (int i = 0; i < MESSAGES_IN_TURN; i++) {
        client.address_size = sizeof client.address;
        ssize_t size = recvfrom(source->fd, message, sizeof message, MSG_DONTWAIT | MSG_TRUNC, &client.address.any, &client.address_size);
        if (size < 0)
            return;
        client.container = resolver_client(client.resolver, &client.address);
        if (client.container && (size_t)size <= sizeof message)
            resolver_take(&client, message, (size_t)size);
    }
}

struct container *resolver_client(const struct resolver *resolver, const union socket_address *address)
{
    struct address from;
    uint16_t port;
    if (resolver->container)
        return resolver->container;
    address_from_socket(address, &from, &port);
    struct container *container = container_with_address(&from);
    return container && gateway_serves(container, resolver) ? container : NULL;
}

struct resolver *resolver_open(struct container *container, int udp, int tcp)
{
    struct resolver *resolver = calloc(1, sizeof *resolver);
    if (!resolver) {
        close(udp);
        close(tcp);
        return NULL;
    }
    resolver->container = container;
    resolver->udp = (struct source){.ready = receive, .fd = udp};
    resolver->tcp = (struct source){.ready = connections_accept, .fd = tcp};
    if (source_add(&resolver->udp, EPOLLIN) && source_add(&resolver->tcp, EPOLLIN))
        return resolver;
    resolver_close(resolver);
    return NULL;
}

void resolver_close(struct resolver *resolver)
{
    rest_end(&resolver->rest);
    upstream_forget_resolver(resolver);
    connections_close(resolver, NULL);
    source_remove(&resolver->udp);
    source_remove(&resolver->tcp);
    close(resolver->udp.fd);
    close(resolver->tcp.fd);
    free(resolver);
}
