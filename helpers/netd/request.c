#include "request.h"

#include <string.h>
#include <unistd.h>

#include "gate.h"
#include "lib/text.h"
#include "registry.h"
#include "undo.h"
#include "uplink.h"

#define VERSION "1" /* of the protocol */

size_t request_words(char **text, char *words[WORDS_MAX])
{
    size_t count = 0;
    char *p = *text;
    if (!*p)
        return 0;
    while (count < WORDS_MAX) {
        words[count++] = p;
        p += strcspn(p, " \n");
        char end = *p;
        if (end)
            *p++ = 0;
        if (end != ' ')
            break;
    }
    *text = p;
    return count;
}

int request_take(struct request *request, const char *number)
{
    uint64_t index;
    if (!parse_number(number, DESCRIPTORS_MAX, &index) || index >= request->descriptor_count)
        return -1;
    int fd = request->descriptors[index];
    request->descriptors[index] = -1;
    return fd;
}

static void finish(struct request *request, const char *reason)
{
    if (reason)
        put_text(put_text(request->answer, "error "), reason);
    else
        put_text(request->answer, "ok");
}

static bool is_id(const char *text)
{
    return strlen(text) == ID_SIZE && strspn(text, "0123456789abcdef") == ID_SIZE;
}

static const char *set(struct request *request, const char *id, char *lines)
{
    struct container *fresh = container_new(id);
    if (!fresh)
        return "there is no memory";
    const char *reason = settings_read(fresh, request, lines);
    if (reason)
        container_free(fresh);
    return reason ? reason : registry_set(fresh);
}

/* Sockets and messages that did not fit into one packet. */
static const char *more(struct request *request, const char *id, char *lines)
{
    struct container *container = container_with_id(id), *extra = container ? container_new(id) : NULL;
    if (!extra)
        return "no such container";
    const char *reason = settings_read(extra, request, lines);
    if (!reason && (extra->network_count || extra->pidfd.fd >= 0 || extra->dns_udp >= 0 || extra->server_count))
        reason = "a container has more ports and undos, not more of anything else";
    if (!reason && (container->port_count + extra->port_count > PORTS_MAX))
        reason = "there are too many ports";
    if (!reason && !undo_move(extra, container))
        reason = "there are too many undos";
    struct port *ports = extra->ports;
    if (!reason) {
        extra->ports = NULL;
        reason = container_add_ports(container, ports);
    }
    container_free(extra);
    return reason;
}

static char *put_count(char *p, const char *word, uint64_t number)
{
    return put_number(put_text(put_text(put_text(p, " "), word), " "), number);
}

static void list(struct request *request)
{
    char *p = put_text(request->answer, "ok");
    for (const struct container *container = container_first(); container; container = container->next) {
        p = put_text(put_text(p, "\n"), container->id);
        p = put_count(p, "flows", container->flow_count);
        p = put_count(p, "queries", container->query_count);
        p = put_count(p, "sockets", container->port_count);
    }
}

static void status(struct request *request)
{
    char *p = put_text(request->answer, "ok\nversion " VERSION "\npid ");
    p = put_text(put_number(p, (uint64_t)getpid()), "\ngate ");
    p = put_text(put_text(p, gate_is_on() ? "on" : "off"), "\nuplink ");
    p = put_text(put_text(p, uplink_lives() ? "on" : "off"), "\ncontainers ");
    p = put_text(put_number(p, container_count()), "\nidle ");
    put_number(p, (uint64_t)registry_idle_ms() / 1000);
}

static const char *keep_uplink(struct request *request, char **words)
{
    int pidfd = request_take(request, words[1]), exit_pipe = request_take(request, words[2]);
    if (pidfd >= 0 && exit_pipe >= 0)
        return uplink_keep(pidfd, exit_pipe) ? NULL : "the uplink cannot be watched";
    const int given[] = {pidfd, exit_pipe};
    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        if (given[i] >= 0)
            close(given[i]);
    return "the uplink is a process and the pipe that it ends with";
}

void request_answer(struct request *request)
{
    char *rest = request->text, *words[WORDS_MAX];
    size_t count = request_words(&rest, words);
    const char *word = count ? words[0] : "";
    if (count == 2 && strcmp(word, "set") == 0 && is_id(words[1])) {
        finish(request, set(request, words[1], rest));
    } else if (count == 2 && strcmp(word, "more") == 0) {
        finish(request, more(request, words[1], rest));
    } else if (count == 2 && strcmp(word, "drop") == 0) {
        struct container *container = container_with_id(words[1]);
        if (container)
            container_end(container);
        finish(request, container ? NULL : "no such container");
    } else if (count == 3 && strcmp(word, "uplink") == 0) {
        finish(request, keep_uplink(request, words));
    } else if (count == 2 && strcmp(word, "gate") == 0 && strcmp(words[1], "on") == 0) {
        finish(request, gate_on() ? NULL : "the gate cannot be opened");
    } else if (count == 2 && strcmp(word, "gate") == 0 && strcmp(words[1], "off") == 0) {
        gate_off();
        finish(request, NULL);
    } else if (count == 1 && strcmp(word, "list") == 0) {
        list(request);
    } else if (count == 1 && strcmp(word, "status") == 0) {
        status(request);
    } else {
        finish(request, "the request is not understood");
    }
}
