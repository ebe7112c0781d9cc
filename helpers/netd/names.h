/* What containers are called on their networks, and which addresses they have. */
#ifndef ROOTLESS_NETD_NAMES_H
#define ROOTLESS_NETD_NAMES_H

#include "registry.h"

#define NAME_LENGTH_MAX 253 /* of a domain name as text */
#define ANSWERS_MAX 1024

struct name {
    struct name *next;        /* of the container, in the order of the `set` */
    struct name *same_bucket;
    struct container *container;
    uint32_t hash;
    uint8_t network;          /* index in container->networks */
    char text[];              /* lower case */
};

/* An alias that one container alone has for a name on a network. */
struct link {
    struct link *next;
    uint8_t network;
    char *target; /* behind the alias's NUL */
    char alias[];
};

/* Adds a name to a container that is not indexed. Returns false without memory. */
bool names_add(struct container *container, size_t network, const char *text);
bool links_add(struct container *container, size_t network, const char *alias, const char *target);
/* Frees its names and links. */
void names_free(struct container *container);

/* Makes a container's names and addresses known, and unknown again. */
void names_index(struct container *container);
void names_forget(struct container *container);

/* The networks on which `text`, a name in lower case as `asker` says it, is known: entries of the containers that have
   it, at most ANSWERS_MAX, on the first network of the asker that knows it. Returns their number. */
size_t names_find(const struct container *asker, const char *text, const struct network **found);

/* The name "name.network" of the container with this address, for an asker on the same network: written into text,
   which has room for 2 * NAME_LENGTH_MAX. False: nobody has it. */
bool names_reverse(const struct container *asker, const struct address *address, char *text);

#endif
