#include "undo.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "hub.h"

#define MESSAGE_MAX 512
/* Of linux/netlink.h, which the C library does not bring. */
#define NETLINK_ROUTE 0
#define HEADER_SIZE 16 /* the message's length stands first */

struct undo {
    struct undo *next;
    size_t size;
    uint8_t message[];
};

static int netlink = -1;

bool undo_open(void)
{
    netlink = hub_socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    return netlink >= 0;
}

static int digit(char character)
{
    if (character >= '0' && character <= '9')
        return character - '0';
    return character >= 'a' && character <= 'f' ? character - 'a' + 10 : -1;
}

bool undo_add(struct container *container, const char *digits)
{
    size_t size = strlen(digits) / 2;
    uint32_t length;
    if (strlen(digits) % 2 || size < HEADER_SIZE || size > MESSAGE_MAX || container->undo_count == UNDO_MAX)
        return false;
    struct undo *undo = malloc(sizeof *undo + size);
    if (!undo)
        return false;
    for (size_t i = 0; i < size; i++) {
        int high = digit(digits[2 * i]), low = digit(digits[2 * i + 1]);
        if (high < 0 || low < 0) {
            free(undo);
            return false;
        }
        undo->message[i] = (uint8_t)(high << 4 | low);
    }
    memcpy(&length, undo->message, sizeof length);
    if (length != size) {
        free(undo);
        return false;
    }
    undo->size = size;
    undo->next = container->undos;
    container->undos = undo;
    container->undo_count++;
    return true;
}

void undo_run(struct container *container)
{
    char answer[1024];
    for (struct undo *undo = container->undos; undo; undo = undo->next) {
        if (send(netlink, undo->message, undo->size, 0) < 0)
            continue;
        /* rtnetlink does it all inside of send(2); what it says is of no use. */
        while (recv(netlink, answer, sizeof answer, MSG_DONTWAIT) > 0)
            ;
    }
}

void undo_free(struct container *container)
{
    while (container->undos) {
        struct undo *undo = container->undos;
        container->undos = undo->next;
        free(undo);
    }
}

bool undo_move(struct container *from, struct container *to)
{
    if (from->undo_count + to->undo_count > UNDO_MAX)
        return false;
    while (from->undos) {
        struct undo *undo = from->undos;
        from->undos = undo->next;
        undo->next = to->undos;
        to->undos = undo;
    }
    to->undo_count += from->undo_count;
    from->undo_count = 0;
    return true;
}
