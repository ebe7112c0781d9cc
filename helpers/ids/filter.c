/* The filter of a level. It stands beside the container's own filter, whose refusals are stronger than our answers. */

#include <errno.h>
#include <unistd.h>

#include "ids.h"

#define NUMBER offsetof(struct seccomp_data, nr)
#define ARCHITECTURE offsetof(struct seccomp_data, arch)
/* The lower and the upper half of an argument, on a machine whose lower half comes first. */
#define LOW(argument) (offsetof(struct seccomp_data, args) + 8 * (size_t)(argument))
#define HIGH(argument) (LOW(argument) + 4)
#define X32_BIT 0x40000000u

static struct sock_filter program[512];
static size_t length;

static void put(unsigned code, size_t operand, unsigned yes, unsigned no)
{
    program[length++] = (struct sock_filter){(uint16_t)code, (uint8_t)yes, (uint8_t)no, (uint32_t)operand};
}

static void put_call(const struct call *call, uint32_t action)
{
    put(BPF_EQUAL, (size_t)call->nr, 0, 0);
    size_t start = length;
    if (call->condition != ALWAYS) {
        put(BPF_LOAD, LOW(call->argument), 0, 0);
        if (call->condition == EITHER)
            put(BPF_EQUAL, call->second_value, 2, 0);
        put(call->condition == ANY_BIT ? BPF_ANY_BIT : BPF_EQUAL, call->value, 1, 0);
        put(BPF_RETURN, SECCOMP_RET_ALLOW, 0, 0);
    }
    if (call->condition == EQUAL_TWO) {
        put(BPF_LOAD, LOW(call->second), 0, 0);
        put(BPF_EQUAL, call->second_value, 1, 0);
        put(BPF_RETURN, SECCOMP_RET_ALLOW, 0, 0);
    }
    if (call->condition == SILENT_LIMIT) { /* prlimit(2) that only asks has no new limit */
        put(BPF_LOAD, LOW(call->second), 0, 0);
        put(BPF_EQUAL, 0, 0, 3);
        put(BPF_LOAD, HIGH(call->second), 0, 0);
        put(BPF_EQUAL, 0, 0, 1);
        put(BPF_RETURN, SECCOMP_RET_ALLOW, 0, 0);
    }
    put(BPF_RETURN, action, 0, 0);
    program[start - 1].jf = (uint8_t)(length - start);
}

bool filter_write(enum level level)
{
    if (!AUDIT_ARCH_NATIVE) {
        errno = ENOSYS;
        return false;
    }
    put(BPF_LOAD, ARCHITECTURE, 0, 0);
    put(BPF_EQUAL, AUDIT_ARCH_NATIVE, 1, 0);
    put(BPF_RETURN, SECCOMP_RET_ALLOW, 0, 0);
    put(BPF_LOAD, NUMBER, 0, 0);
#ifdef __x86_64__
    put(BPF_AT_LEAST, X32_BIT, 0, 1);
    put(BPF_RETURN, SECCOMP_RET_ERRNO | ENOSYS, 0, 0);
#endif
    for (size_t i = 0; i < call_count; i++) {
        const struct call *call = &calls[i];
        bool silent = call->condition == SILENT || call->condition == SILENT_LIMIT;
        if (level == LEVEL_FAKE ? call->level == LEVEL_FAKE : call->level <= level)
            put_call(call, silent || level == LEVEL_FAKE ? SECCOMP_RET_ERRNO : SECCOMP_RET_USER_NOTIF);
    }
    put(BPF_RETURN, SECCOMP_RET_ALLOW, 0, 0);
    const size_t size = length * sizeof *program;
    return write(1, program, size) == (ssize_t)size;
}
