#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/descriptor.h"
#include "lib/text.h"
#include "names.h"
#include "registry.h"
#include "request.h"
#include "undo.h"

static const char out_of_memory[] = "there is no memory";

/* Names are compared in lower case, as DNS does with those of ASCII. */
static void lower(char *text)
{
    for (; *text; text++)
        if (*text >= 'A' && *text <= 'Z')
            *text = (char)(*text - 'A' + 'a');
}

static const char *read_network(struct container *container, char **words)
{
    if (container->network_count == NETWORKS_MAX)
        return "there are too many networks";
    struct network network = {0};
    if (!address_parse(words[2], &network.address4) || !address_parse(words[3], &network.address6) ||
        network.address4.family == AF_INET6 || network.address6.family == AF_INET)
        return "a network's addresses are one of IPv4 and one of IPv6, or -";
    if (strlen(words[1]) > NAME_LENGTH_MAX)
        return "a network's name is too long";
    struct network *grown = realloc(container->networks, (container->network_count + 1) * sizeof network);
    if (grown)
        container->networks = grown;
    network.name = grown ? strdup(words[1]) : NULL;
    if (!network.name)
        return out_of_memory;
    container->networks[container->network_count++] = network;
    return NULL;
}

static const char *read_name(struct container *container, char **words)
{
    size_t network = 0, count = 0;
    while (network < container->network_count && strcmp(container->networks[network].name, words[1]) != 0)
        network++;
    if (network == container->network_count)
        return "a name is on a network that the container does not have";
    for (const struct name *name = container->names; name; name = name->next)
        count += name->network == network;
    if (count == NAMES_MAX)
        return "there are too many names on a network";
    if (strlen(words[2]) > NAME_LENGTH_MAX)
        return "a name is too long";
    lower(words[2]);
    return names_add(container, network, words[2]) ? NULL : out_of_memory;
}

/* An alias that this container alone has for a name. */
static const char *read_link(struct container *container, char **words)
{
    size_t network = 0, count = 0;
    while (network < container->network_count && strcmp(container->networks[network].name, words[1]) != 0)
        network++;
    if (network == container->network_count)
        return "a link is on a network that the container does not have";
    for (const struct link *link = container->links; link; link = link->next)
        count++;
    if (count == LINKS_MAX)
        return "there are too many links";
    if (strlen(words[2]) > NAME_LENGTH_MAX || strlen(words[3]) > NAME_LENGTH_MAX)
        return "a name is too long";
    lower(words[2]);
    lower(words[3]);
    return links_add(container, network, words[2], words[3]) ? NULL : out_of_memory;
}

static const char *read_gateway(struct container *container, char **words)
{
    struct address gateway;
    if (!address_parse(words[1], &gateway) || !gateway.family)
        return "a gateway is given by its address";
    container->gateways[gateway.family == AF_INET6] = gateway;
    return NULL;
}

static const char *read_server(struct container *container, char **words)
{
    struct address server;
    if (container->server_count == SERVERS_MAX)
        return "there are too many servers";
    if (!address_parse(words[1], &server) || !server.family)
        return "a server is given by its address";
    container->servers[container->server_count++] = server;
    return NULL;
}

static const char *read_port(struct container *container, struct request *request, char **words)
{
    uint64_t number;
    struct port wanted = {.udp = *words[0] == 'u'};
    if (container->port_count == PORTS_MAX)
        return "there are too many ports";
    if (!address_parse(words[2], &wanted.target) || !wanted.target.family ||
        !parse_number(words[3], UINT16_MAX, &number) || !number || !address_parse(words[4], &wanted.fallback))
        return "a port leads to an address and a port";
    wanted.target_port = (uint16_t)number;
    wanted.source.fd = request_take(request, words[1]);
    if (wanted.source.fd < 0)
        return "a port needs a socket of its own";
    struct port *port = malloc(sizeof *port);
    if (!port) {
        close(wanted.source.fd);
        return out_of_memory;
    }
    *port = wanted;
    socklen_t size = sizeof port->cookie;
    getsockopt(port->source.fd, SOL_SOCKET, SO_COOKIE, &port->cookie, &size);
    set_nonblocking(port->source.fd);
    port->next = container->ports;
    container->ports = port;
    container->port_count++;
    return NULL;
}

static const char *read_dns(struct container *container, struct request *request, char **words)
{
    if (container->dns_udp >= 0)
        return "there is one resolver";
    container->dns_udp = request_take(request, words[1]);
    container->dns_tcp = request_take(request, words[2]);
    if (container->dns_udp < 0 || container->dns_tcp < 0)
        return "the resolver needs two sockets";
    set_nonblocking(container->dns_udp);
    set_nonblocking(container->dns_tcp);
    return NULL;
}

static const char *read_watch(struct container *container, struct request *request, char **words)
{
    if (container->pidfd.fd >= 0)
        return "one process is watched";
    container->pidfd.fd = request_take(request, words[1]);
    return container->pidfd.fd < 0 ? "there is nothing to watch" : NULL;
}

static const char *read_line(struct container *container, struct request *request, char **words, size_t count)
{
    const char *word = words[0];
    if (count == 5 && (strcmp(word, "tcp") == 0 || strcmp(word, "udp") == 0))
        return read_port(container, request, words);
    if (count == 2 && strcmp(word, "undo") == 0)
        return undo_add(container, words[1]) ? NULL : "an undo is one netlink message, in hexadecimal digits";
    if (count == 4 && strcmp(word, "network") == 0)
        return read_network(container, words);
    if (count == 3 && strcmp(word, "name") == 0)
        return read_name(container, words);
    if (count == 4 && strcmp(word, "link") == 0)
        return read_link(container, words);
    if (count == 3 && strcmp(word, "dns") == 0)
        return read_dns(container, request, words);
    if (count == 2 && strcmp(word, "gateway") == 0)
        return read_gateway(container, words);
    if (count == 2 && strcmp(word, "server") == 0)
        return read_server(container, words);
    if (count == 2 && strcmp(word, "watch") == 0)
        return read_watch(container, request, words);
    if (count == 1 && strcmp(word, "ndots") == 0) {
        container->ndots = true;
        return NULL;
    }
    if (count == 1 && strcmp(word, "internal") == 0) {
        container->internal = true;
        return NULL;
    }
    return "a line is not understood";
}

const char *settings_read(struct container *container, struct request *request, char *lines)
{
    char *words[WORDS_MAX];
    size_t count;
    const char *reason = NULL;
    while (!reason && (count = request_words(&lines, words)))
        reason = read_line(container, request, words, count);
    return reason;
}
