/* ids_calls and ids_others with every call made as a 32-bit program makes it, by `int 0x80`: -include this. */
#ifndef IDS_COMPAT_H
#define IDS_COMPAT_H

#define COMPAT 1
#define CALL(...) compat_call(__VA_ARGS__, 0L, 0L, 0L, 0L, 0L)

long compat_call(long number, ...);
/* Runs it on a stack that has addresses of 32 bits; its result. */
int on_low_stack(int (*run)(const char *script, int at), const char *script, int at);

#endif
