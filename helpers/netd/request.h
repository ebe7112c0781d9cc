/* Requests of our own user: text in lines, with descriptors. docs/development/netd.md. */
#ifndef ROOTLESS_NETD_REQUEST_H
#define ROOTLESS_NETD_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#define DESCRIPTORS_MAX 253 /* SCM_MAX_FD of the kernel */
#define REQUEST_MAX (128 * 1024)
#define ANSWER_MAX (160 * 1024)
#define WORDS_MAX 6

struct request {
    char *text; /* ends with NUL; is cut into words */
    int descriptors[DESCRIPTORS_MAX]; /* -1: taken */
    size_t descriptor_count;
    char *answer; /* room for ANSWER_MAX */
};

/* Does it, and writes the answer. Descriptors that nobody took are still the caller's. */
void request_answer(struct request *request);

/* Cuts the next line off *text and into words. Returns their number, or 0 at the end. */
size_t request_words(char **text, char *words[WORDS_MAX]);

/* The descriptor with this number in the request, the caller's from then on, or -1. */
int request_take(struct request *request, const char *number);

/* settings.c. Reads the lines after `set ID` or `more ID`. Returns NULL, or what is wrong with them. */
struct container;
const char *settings_read(struct container *container, struct request *request, char *lines);

/* server.c. Serves the socket that listens at `listening`. False with errno. */
bool server_open(int listening);

#endif
