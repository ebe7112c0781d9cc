#include "names.h"

#include <stdlib.h>
#include <string.h>

#include "lib/text.h"

#define NAME_BUCKETS 1024
#define ADDRESS_BUCKETS 512

static struct name *buckets[NAME_BUCKETS];
static struct network *addresses[2][ADDRESS_BUCKETS]; /* IPv4, IPv6 */

static uint32_t hash_of(const void *bytes, size_t size)
{
    uint32_t hash = 2166136261u;
    for (const uint8_t *p = bytes; size--; p++)
        hash = (hash ^ *p) * 16777619u;
    return hash;
}

bool names_add(struct container *container, size_t network, const char *text)
{
    size_t length = strlen(text);
    struct name *name = malloc(sizeof *name + length + 1);
    if (!name)
        return false;
    *name = (struct name){.network = (uint8_t)network, .hash = hash_of(text, length)};
    memcpy(name->text, text, length + 1);
    if (container->last_name)
        container->last_name->next = name;
    else
        container->names = name;
    container->last_name = name;
    return true;
}

bool links_add(struct container *container, size_t network, const char *alias, const char *target)
{
    struct link *link = malloc(sizeof *link + strlen(alias) + strlen(target) + 2);
    if (!link)
        return false;
    link->network = (uint8_t)network;
    link->target = put_text(link->alias, alias) + 1;
    put_text(link->target, target);
    link->next = container->links;
    container->links = link;
    return true;
}

void names_free(struct container *container)
{
    while (container->links) {
        struct link *link = container->links;
        container->links = link->next;
        free(link);
    }
    while (container->names) {
        struct name *name = container->names;
        container->names = name->next;
        free(name);
    }
}

static struct network **bucket_of(const struct address *address)
{
    bool six = address->family == AF_INET6;
    return &addresses[six][hash_of(address->bytes, sizeof address->bytes) % ADDRESS_BUCKETS];
}

void names_index(struct container *container)
{
    for (struct name *name = container->names; name; name = name->next) {
        struct name **bucket = &buckets[name->hash % NAME_BUCKETS];
        name->container = container;
        name->same_bucket = *bucket;
        *bucket = name;
    }
    for (size_t i = 0; i < container->network_count; i++) {
        struct network *network = &container->networks[i];
        network->container = container;
        for (int six = 0; six < 2; six++) {
            const struct address *address = six ? &network->address6 : &network->address4;
            if (!address->family)
                continue;
            struct network **bucket = bucket_of(address);
            network->same_bucket[six] = *bucket;
            *bucket = network;
        }
    }
}

static void forget_address(struct network *network, int six)
{
    const struct address *address = six ? &network->address6 : &network->address4;
    if (!address->family)
        return;
    struct network **link = bucket_of(address);
    while (*link && *link != network)
        link = &(*link)->same_bucket[six];
    if (*link)
        *link = network->same_bucket[six];
}

void names_forget(struct container *container)
{
    for (struct name *name = container->names; name; name = name->next) {
        struct name **link = &buckets[name->hash % NAME_BUCKETS];
        while (*link && *link != name)
            link = &(*link)->same_bucket;
        if (*link)
            *link = name->same_bucket;
    }
    for (size_t i = 0; i < container->network_count; i++)
        for (int six = 0; six < 2; six++)
            forget_address(&container->networks[i], six);
}

static struct network *network_with_address(const struct address *address, const struct network *after)
{
    bool six = address->family == AF_INET6;
    struct network *network = after ? after->same_bucket[six] : *bucket_of(address);
    while (network && !address_equal(six ? &network->address6 : &network->address4, address))
        network = network->same_bucket[six];
    return network;
}

struct container *container_with_address(const struct address *address)
{
    struct network *network = network_with_address(address, NULL);
    return network ? network->container : NULL;
}

static size_t find_on(const struct network *where, const char *text, size_t length, const struct network **found)
{
    size_t count = 0;
    uint32_t hash = hash_of(text, length);
    for (const struct name *name = buckets[hash % NAME_BUCKETS]; name && count < ANSWERS_MAX; name = name->same_bucket) {
        if (name->hash != hash || strncmp(name->text, text, length) != 0 || name->text[length])
            continue;
        const struct network *network = &name->container->networks[name->network];
        if (strcmp(network->name, where->name) == 0)
            found[count++] = network;
    }
    return count;
}

size_t names_find(const struct container *asker, const char *text, const struct network **found)
{
    size_t length = strlen(text), count = 0;
    for (const struct link *link = asker->links; link && !count; link = link->next)
        if (strcmp(link->alias, text) == 0)
            count = find_on(&asker->networks[link->network], link->target, strlen(link->target), found);
    for (size_t i = 0; i < asker->network_count && !count; i++)
        count = find_on(&asker->networks[i], text, length, found);
    /* "a.b.c" is a name, or "a.b" on network "c", or "a" on network "b.c". */
    for (size_t dot = length; !count && dot-- > 1;) {
        if (text[dot] != '.')
            continue;
        for (size_t i = 0; i < asker->network_count && !count; i++)
            if (strcasecmp(asker->networks[i].name, text + dot + 1) == 0)
                count = find_on(&asker->networks[i], text, dot, found);
    }
    return count;
}

bool names_reverse(const struct container *asker, const struct address *address, char *text)
{
    for (struct network *network = network_with_address(address, NULL); network;
         network = network_with_address(address, network)) {
        const struct container *owner = network->container;
        for (size_t i = 0; i < asker->network_count; i++) {
            if (strcmp(asker->networks[i].name, network->name) != 0)
                continue;
            for (const struct name *name = owner->names; name; name = name->next)
                if (&owner->networks[name->network] == network) {
                    put_text(put_text(put_text(text, name->text), "."), network->name);
                    return true;
                }
        }
    }
    return false;
}
