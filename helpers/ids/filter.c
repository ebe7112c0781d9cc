/* The filter of a level. It stands beside the container's own filter, whose refusals are stronger than our answers. */

#include <errno.h>
#include <unistd.h>

#include "compat.h"

#define NUMBER offsetof(struct seccomp_data, nr)
#define ARCHITECTURE offsetof(struct seccomp_data, arch)
/* The lower and the upper half of an argument, on a machine whose lower half comes first. */
#define LOW(argument) (offsetof(struct seccomp_data, args) + 8 * (size_t)(argument))
#define HIGH(argument) (LOW(argument) + 4)
#define X32_BIT 0x40000000u
/* Linux 6.13, the same on every architecture. */
#define SET_ATTRIBUTE_AT 463
#define BEHIND_ATTRIBUTES_AT 467
#define STEP 16 /* calls of 32-bit programs that are looked at one after the other */

static struct sock_filter program[1024];
static size_t length;

static void put(unsigned code, size_t operand, unsigned yes, unsigned no)
{
    program[length++] = (struct sock_filter){(uint16_t)code, (uint8_t)yes, (uint8_t)no, (uint32_t)operand};
}

static void put_call(int nr, const struct call *call, uint32_t action)
{
    put(BPF_EQUAL, (size_t)nr, 0, 0);
    size_t start = length;
    if (call->condition == UNLESS) {
        put(BPF_LOAD, LOW(call->argument), 0, 0);
        put(BPF_EQUAL, call->value, 0, 1);
        put(BPF_RETURN, SECCOMP_RET_ALLOW, 0, 0);
    } else if (call->condition != ALWAYS && call->condition != LIMIT) {
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
    if (call->condition == LIMIT) { /* prlimit(2) that only asks has no new limit; of another process it is asked for */
        put(BPF_LOAD, LOW(call->argument), 0, 0);
        put(BPF_EQUAL, call->value, 0, 5);
        put(BPF_LOAD, LOW(call->second), 0, 0);
        put(BPF_EQUAL, 0, 0, 2);
        put(BPF_LOAD, HIGH(call->second), 0, 0);
        put(BPF_EQUAL, 0, 1, 0);
        put(BPF_RETURN, SECCOMP_RET_ERRNO, 0, 0);
        put(BPF_LOAD, LOW(0), 0, 0);
        put(BPF_EQUAL, 0, 0, 1);
        put(BPF_RETURN, SECCOMP_RET_ALLOW, 0, 0);
    }
    put(BPF_RETURN, action, 0, 0);
    program[start - 1].jf = (uint8_t)(length - start);
}

/* Whether anything is done at a call of the table at this level, and what. */
static bool action_of(const struct call *call, enum level level, uint32_t *action)
{
    *action = call->condition == SILENT || level == LEVEL_FAKE ? SECCOMP_RET_ERRNO : SECCOMP_RET_USER_NOTIF;
    return level == LEVEL_FAKE ? call->level == LEVEL_FAKE : call->level <= level;
}

static void put_compat(const struct compat *compat, enum level level)
{
    uint32_t action;
    if (compat->native == NOT_ANSWERED && level == LEVEL_FULL) {
        put(BPF_EQUAL, (size_t)compat->nr, 0, 1);
        put(BPF_RETURN, SECCOMP_RET_ERRNO | ENOSYS, 0, 0);
    }
    if (compat->native == SOCKET_CALL_OF_ANY && level != LEVEL_FAKE) {
        put(BPF_EQUAL, SOCKET_CALL, 0, 6);
        put(BPF_LOAD, LOW(0), 0, 0);
        put(BPF_EQUAL, SOCKET_OPTION, 2, 0);
        put(BPF_EQUAL, level == LEVEL_FULL ? SOCKET_BIND : SOCKET_OPTION, 1, 0);
        put(BPF_EQUAL, level == LEVEL_FULL ? SOCKET_CONNECT : SOCKET_OPTION, 0, 1);
        put(BPF_RETURN, SECCOMP_RET_USER_NOTIF, 0, 0);
        put(BPF_RETURN, SECCOMP_RET_ALLOW, 0, 0);
    }
    for (size_t i = 0; i < call_count; i++)
        if (calls[i].nr == compat->native && action_of(&calls[i], level, &action))
            put_call(compat->nr, &calls[i], action);
}

/* What changes attributes or reads them beside the calls that are answered: there is none such, as on an older kernel, and programs do without. */
static void put_unanswered(enum level level)
{
    if (level == LEVEL_FAKE)
        return;
    put(BPF_AT_LEAST, SET_ATTRIBUTE_AT, 0, 2);
    put(BPF_AT_LEAST, BEHIND_ATTRIBUTES_AT, 1, 0);
    put(BPF_RETURN, SECCOMP_RET_ERRNO | ENOSYS, 0, 0);
}

/* A call of another architecture's. */
static void put_compat_calls(enum level level)
{
    put(BPF_EQUAL, AUDIT_ARCH_I386, 1, 0);
    put(BPF_RETURN, SECCOMP_RET_ALLOW, 0, 0);
    put(BPF_LOAD, NUMBER, 0, 0);
    put_unanswered(level);
    for (size_t i = 0; i < compat_count; i += STEP) {
        const size_t end = i + STEP < compat_count ? i + STEP : compat_count;
        put(BPF_AT_LEAST, (size_t)compat_calls[end - 1].nr + 1, 0, 1);
        const size_t jump = length;
        put(BPF_GO, 0, 0, 0);
        for (size_t each = i; each < end; each++)
            put_compat(&compat_calls[each], level);
        put(BPF_RETURN, SECCOMP_RET_ALLOW, 0, 0);
        program[jump].k = (uint32_t)(length - jump - 1);
    }
    put(BPF_RETURN, SECCOMP_RET_ALLOW, 0, 0);
}

bool filter_write(enum level level)
{
    uint32_t action;
    if (!AUDIT_ARCH_NATIVE) {
        errno = ENOSYS;
        return false;
    }
    put(BPF_LOAD, ARCHITECTURE, 0, 0);
    put(BPF_EQUAL, AUDIT_ARCH_NATIVE, 1, 0);
    const size_t jump = length;
    put(BPF_GO, 0, 0, 0);
    put(BPF_LOAD, NUMBER, 0, 0);
#ifdef __x86_64__
    put(BPF_AT_LEAST, X32_BIT, 0, 1);
    put(BPF_RETURN, SECCOMP_RET_ERRNO | ENOSYS, 0, 0);
#endif
    put_unanswered(level);
    for (size_t i = 0; i < call_count; i++)
        if (action_of(&calls[i], level, &action))
            put_call(calls[i].nr, &calls[i], action);
    put(BPF_RETURN, SECCOMP_RET_ALLOW, 0, 0);
    program[jump].k = (uint32_t)(length - jump - 1);
    put_compat_calls(level);
    const size_t size = length * sizeof *program;
    return write(1, program, size) == (ssize_t)size;
}
