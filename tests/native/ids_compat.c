/* System calls of 32-bit x86 made by a 64-bit program, whose memory is below 4 GiB: static, not PIE, on a stack of its own.
   What calls point to is laid out anew; of calls that there are with ids of 16 bits every second is such a one. */

#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "ids_compat.h"

static const struct { int native, number, half; } numbers[] = {
    {SYS_openat, 295, 0}, {SYS_unlinkat, 301, 0}, {SYS_renameat2, 353, 0}, {SYS_linkat, 303, 0}, {SYS_faccessat, 307, 0},
    {SYS_faccessat2, 439, 0}, {SYS_chdir, 12, 0}, {SYS_openat2, 437, 0}, {SYS_mkdirat, 296, 0}, {SYS_mknodat, 297, 0},
    {SYS_symlinkat, 304, 0}, {SYS_fchownat, 298, 0}, {SYS_fchown, 207, 95}, {SYS_fchmodat, 306, 0}, {SYS_statx, 383, 0},
    {SYS_newfstatat, 300, 0}, {SYS_fstat, 197, 108}, {SYS_setuid, 213, 23}, {SYS_setgid, 214, 46}, {SYS_setreuid, 203, 70},
    {SYS_setregid, 204, 71}, {SYS_setresuid, 208, 164}, {SYS_setresgid, 210, 170}, {SYS_setfsuid, 215, 138},
    {SYS_setfsgid, 216, 139}, {SYS_setgroups, 206, 81}, {SYS_getgroups, 205, 80}, {SYS_getresuid, 209, 165},
    {SYS_getresgid, 211, 171}, {SYS_getuid, 199, 24}, {SYS_geteuid, 201, 49}, {SYS_getgid, 200, 47}, {SYS_getegid, 202, 50},
    {SYS_capget, 184, 0}, {SYS_capset, 185, 0}, {SYS_prctl, 172, 0}, {SYS_truncate, 193, 0}, {SYS_execve, 11, 0},
    {SYS_getsockopt, 365, 0}, {SYS_bind, 361, 0}, {SYS_connect, 362, 0}, {SYS_kill, 37, 0}, {SYS_tkill, 238, 0},
    {SYS_tgkill, 270, 0}, {SYS_rt_sigqueueinfo, 178, 0}, {SYS_rt_tgsigqueueinfo, 335, 0}, {SYS_pidfd_send_signal, 424, 0},
    {SYS_pidfd_getfd, 438, 0}, {SYS_process_vm_readv, 347, 0}, {SYS_process_vm_writev, 348, 0}, {SYS_ptrace, 26, 0},
    {SYS_utimensat, 320, 0}, {SYS_utimes, 271, 0}, {SYS_futimesat, 299, 0}, {SYS_utime, 30, 0}, {SYS_setxattr, 226, 0},
    {SYS_fsetxattr, 228, 0}, {SYS_removexattr, 235, 0}, {SYS_fremovexattr, 237, 0}, {SYS_readlinkat, 305, 0},
    {SYS_fchdir, 133, 0}, {SYS_statfs, 99, 0}, {SYS_inotify_add_watch, 292, 0}, {SYS_getxattr, 229, 0}, {SYS_lgetxattr, 230, 0},
    {SYS_listxattr, 232, 0}, {SYS_setpriority, 97, 0}, {SYS_ioprio_set, 289, 0}, {SYS_prlimit64, 340, 0},
    {SYS_sched_setaffinity, 241, 0}, {SYS_sched_setscheduler, 156, 0}, {SYS_sendto, 369, 0},
};

static long make(long number, const uint32_t a[6])
{
    long result;
    register long six __asm__("r12") = a[5];
    __asm__ volatile("push %%rbp; mov %%r12, %%rbp; int $0x80; pop %%rbp"
                     : "=a"(result), "+r"(six)
                     : "a"(number), "b"((long)a[0]), "c"((long)a[1]), "d"((long)a[2]), "S"((long)a[3]), "D"((long)a[4])
                     : "memory", "r8", "r9", "r10", "r11");
    return result;
}

static uint32_t low(const void *p)
{
    if ((uintptr_t)p >> 32)
        fprintf(stderr, "an address of 64 bits\n"), exit(1);
    return (uint32_t)(uintptr_t)p;
}

/* What the kernel or its stand-in wrote is what stat(2) of 64 bits says. */
static void same_stat(const unsigned char *made, int half, struct stat *st)
{
    uint64_t ino, size;
    uint32_t mtime;
    if (half) {
        uint16_t mode, uid, gid;
        uint32_t ino32, size32;
        memcpy(&ino32, made + 4, 4), memcpy(&mode, made + 8, 2), memcpy(&uid, made + 12, 2), memcpy(&gid, made + 14, 2);
        memcpy(&size32, made + 20, 4), memcpy(&mtime, made + 40, 4);
        ino = ino32, size = size32, st->st_mode = mode, st->st_uid = uid, st->st_gid = gid;
    } else {
        memcpy(&st->st_mode, made + 16, 4), memcpy(&st->st_uid, made + 24, 4), memcpy(&st->st_gid, made + 28, 4);
        memcpy(&size, made + 44, 8), memcpy(&mtime, made + 72, 4), memcpy(&ino, made + 88, 8);
    }
    if (ino != st->st_ino || size != (uint64_t)st->st_size || mtime != (uint32_t)st->st_mtime)
        printf("another file: %lu %lu, %lu bytes\n", (unsigned long)ino, (unsigned long)st->st_ino, (unsigned long)size);
}

long compat_call(long number, ...)
{
    static unsigned turn;
    static uint32_t words[64];
    static unsigned char made[256];
    static char names[4][512];
    static uint16_t halves[70000];
    long a[6], result;
    uint32_t args[6];
    int i, half = 0, found = -1;
    va_list list;
    va_start(list, number);
    for (i = 0; i < 6; i++)
        a[i] = i < 5 ? va_arg(list, long) : 0;
    va_end(list);
    for (i = 0; i < 6; i++)
        args[i] = (uint32_t)a[i];
    for (i = 0; i < (int)(sizeof numbers / sizeof *numbers); i++)
        if (numbers[i].native == number)
            found = i;
    if (found < 0)
        fprintf(stderr, "call %ld has no number\n", number), exit(1);
    half = numbers[found].half && ++turn & 1;
    const long chosen = half ? numbers[found].half : numbers[found].number;
    const int stats = number == SYS_newfstatat ? 2 : number == SYS_fstat ? 1 : -1;
    struct stat *st = stats < 0 ? NULL : (struct stat *)a[stats];
    if (st && (long)st != 8)
        args[stats] = low(made);
    if (number == SYS_execve) {
        for (i = 0; ((char **)a[1])[i]; i++)
            strcpy(names[i], ((char **)a[1])[i]), words[i] = low(names[i]);
        words[i] = words[i + 1] = 0;
        args[1] = low(words), args[2] = low(words + i);
    } else if (a[2] && (number == SYS_utimensat || number == SYS_futimesat)) {
        for (i = 0; i < 4; i++)
            words[i] = (uint32_t)((long *)a[2])[i];
        args[2] = low(words);
    } else if (a[1] && (number == SYS_utimes || number == SYS_utime)) {
        for (i = 0; i < (number == SYS_utime ? 2 : 4); i++)
            words[i] = (uint32_t)((long *)a[1])[i];
        args[1] = low(words);
    } else if (number == SYS_process_vm_readv || number == SYS_process_vm_writev) {
        for (i = 0; i < 2; i++)
            words[i] = (uint32_t)((long *)a[1])[i], words[i + 2] = (uint32_t)((long *)a[3])[i];
        args[1] = low(words), args[3] = low(words + 2);
    } else if (half && number == SYS_setgroups && a[1] != 8 && a[0] >= 0 && a[0] < 128) {
        for (i = 0; i < a[0]; i++)
            halves[i] = (uint16_t)((uint32_t *)a[1])[i];
        args[1] = low(halves);
    } else if (half && number == SYS_getgroups)
        args[1] = low(halves);
    else if (half && (number == SYS_getresuid || number == SYS_getresgid) && a[0] != 8)
        for (i = 0; i < 3; i++)
            args[i] = low(halves + i);
    if ((number == SYS_bind || number == SYS_connect || number == SYS_getsockopt) && ++turn & 1) {
        memcpy(words, args, sizeof args);
        result = make(102, (uint32_t[]){number == SYS_bind ? 2 : number == SYS_connect ? 3 : 15, low(words), 0, 0, 0, 0});
    } else
        result = make(chosen, args);
    if (result >= 0 && st && syscall(number, a[0], a[1], a[2], a[3]) == 0)
        same_stat(made, half, st);
    if (result >= 0 && half && number == SYS_getgroups && a[0])
        for (i = 0; i < result; i++)
            ((uint32_t *)a[1])[i] = halves[i];
    if (result >= 0 && half && (number == SYS_getresuid || number == SYS_getresgid))
        for (i = 0; i < 3; i++)
            *(uint32_t *)a[i] = halves[i];
    errno = result < 0 ? (int)-result : 0;
    return result < 0 ? -1 : result;
}

static int (*wanted)(const char *, int);
static char script[512];
static int where, ended;

static void enter(void)
{
    ended = wanted(script, where);
}

int on_low_stack(int (*run)(const char *, int), const char *of, int at)
{
    static ucontext_t here, there;
    const size_t size = 1 << 20;
    snprintf(script, sizeof script, "%s", of);
    wanted = run, where = at;
    getcontext(&there);
    there.uc_stack.ss_sp = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    there.uc_stack.ss_size = size;
    there.uc_link = &here;
    makecontext(&there, enter, 0);
    swapcontext(&here, &there);
    return ended;
}
