/* Calls of 32-bit programs on a 64-bit machine: x86 only. An ARM program has the one id. */
#ifndef ROOTLESS_IDS_COMPAT_H
#define ROOTLESS_IDS_COMPAT_H

#include "ids.h"

#define AUDIT_ARCH_I386 0x40000003u
#define NOT_ANSWERED -1        /* stat(2) of before 1995: ENOSYS */
#define SOCKET_CALL_OF_ANY -2  /* socketcall(2) */
#define SOCKET_CALL 102
enum { SOCKET_BIND = 2, SOCKET_CONNECT = 3, SOCKET_OPTION = 15 };

struct compat {
    int nr, native;
    enum form form;
};
extern const struct compat compat_calls[];
extern const size_t compat_count;

#endif
