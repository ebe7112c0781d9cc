/* Numbers and times as text, without stdio: it would be most of the program's memory. */
#ifndef ROOTLESS_TEXT_H
#define ROOTLESS_TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Room for "2026-01-02T03:04:05.123456789Z" and its NUL. */
#define TIMESTAMP_SIZE 31

/* Each puts its text at p, ends it with NUL and returns the place of that NUL; the caller
   has seen to the room (20 digits at most for a number). */
char *put_text(char *p, const char *text);
char *put_number(char *p, uint64_t number);
char *put_timestamp(char *p, const struct timespec *when);

/* The whole of text as a decimal number no larger than limit; false if it is anything else. */
bool parse_number(const char *text, uint64_t limit, uint64_t *number);

#endif
