/* Of ids_attacks: every call with wrong arguments. */

#define _GNU_SOURCE
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

void pointers(void);

static const long calls[] = {
    SYS_newfstatat, SYS_fstat, SYS_statx, SYS_stat, SYS_lstat, SYS_openat, SYS_open, SYS_creat, SYS_mkdirat, SYS_mkdir,
    SYS_symlinkat, SYS_symlink, SYS_mknodat, SYS_mknod, SYS_fchmod, SYS_fchmodat, SYS_chmod, SYS_chown, SYS_lchown,
    SYS_fchown, SYS_fchownat, SYS_getresuid, SYS_getresgid, SYS_getgroups, SYS_setgroups, SYS_setxattr, SYS_lsetxattr,
    SYS_fsetxattr, SYS_getsockopt, SYS_bind, SYS_capset, SYS_capget, SYS_execve, SYS_execveat, SYS_prlimit64, SYS_setrlimit, SYS_prctl,
};
#define CALLS (sizeof calls / sizeof *calls)

#ifdef __x86_64__
static const int narrow[] = {
    5, 8, 9, 11, 12, 14, 16, 18, 23, 26, 30, 33, 38, 39, 70, 75, 80, 81, 83, 85, 102, 106, 107, 108, 164, 165, 171, 182, 184, 185, 195, 196,
    197, 205, 206, 209, 226, 271, 292, 295, 300, 320, 340, 358, 361, 362, 365, 383, 412, 435, 437,
};

/* As a 32-bit program makes it; the upper halves of what it gives the kernel does not look at. */
static void call_narrow(int number, long a, long b, long c, long d, long e)
{
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"((long)number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e) : "memory", "r8", "r9", "r10", "r11");
}
#endif

/* Every call with every kind of wrong argument in every place. A child each: execve(2) might succeed, setrlimit(2) hurt. */
void pointers(void)
{
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(page + 4096, 4096);
    memset(page, 'a', 4096); /* a text without an end, before memory that is not there */
    const long wrong[] = {0, 8, -1, (long)page, (long)(page + 4095), (long)0x7fffffffffff, (long)0x8000000000000000ul, INT32_MAX, INT32_MIN};
    const size_t kinds = sizeof wrong / sizeof *wrong;
    for (size_t call = 0; call < CALLS; call++) {
        pid_t pid = fork();
        if (pid == 0) {
            for (size_t i = 0; i < kinds; i++)
                for (size_t j = 0; j < kinds; j++)
                    syscall(calls[call], wrong[i], wrong[j], wrong[(i + j) % kinds], wrong[(i * j) % kinds], wrong[(i + 2 * j) % kinds]);
            _exit(0);
        }
        waitpid(pid, NULL, 0);
    }
#ifdef __x86_64__
    for (size_t call = 0; call < sizeof narrow / sizeof *narrow; call++) {
        pid_t pid = fork();
        if (pid == 0) {
            char *below = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
            const long given[] = {0, 2, 15, -1, (long)(below + 4095), (long)below | 1l << 40, INT32_MAX, INT32_MIN};
            const size_t count = sizeof given / sizeof *given;
            memset(below, 3, 4096);
            for (size_t i = 0; i < count; i++)
                for (size_t j = 0; j < count; j++)
                    call_narrow(narrow[call], given[i], given[j], given[(i + j) % count], given[(i * j) % count], given[(i + 2 * j) % count]);
            _exit(0);
        }
        waitpid(pid, NULL, 0);
    }
#endif
}
