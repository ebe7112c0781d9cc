#include "ranks/become.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/text.h"
#include "ranks/command.h"
#include "ranks/kernel.h"

/* What Python ignores of its own accord is default there in the end, as are these. */
static const int reset[] = {SIGPIPE, SIGXFSZ, SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,
                            SIGCHLD, SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2};

enum { OVERFLOW_ID = 65534 };

static void reset_signals(void)
{
    sigset_t none;
    for (size_t i = 0; i < sizeof reset / sizeof *reset; i++)
        signal(reset[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Leaves the user's session keyring behind; as new_keyring of rootless/runtime/process/credentials.py. */
static bool take_keyring(bool filtered)
{
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0 || errno == ENOSYS || errno == EPERM)
        return true;
    return errno == EDQUOT && filtered;
}

static bool number_of(const char *word, uint64_t *number)
{
    return parse_number(word, UINT64_MAX, number);
}

static rlim_t limit_of(uint64_t number)
{
    return number >= (uint64_t)1 << 63 ? RLIM_INFINITY : (rlim_t)number;
}

static bool set_limits(const struct list *limits)
{
    for (size_t i = 0; i + 2 < limits->count; i += 3) {
        uint64_t resource, soft, hard;
        if (!number_of(limits->words[i], &resource) || !number_of(limits->words[i + 1], &soft) || !number_of(limits->words[i + 2], &hard))
            return false;
        struct rlimit limit = {.rlim_cur = limit_of(soft), .rlim_max = limit_of(hard)};
        if (setrlimit((int)resource, &limit) < 0)
            return false;
    }
    return true;
}

static bool set_groups(const struct facts *facts)
{
    if (facts->keeps_groups)
        return true;
    gid_t *groups = calloc(facts->groups.count + 1, sizeof *groups);
    for (size_t i = 0; groups && i < facts->groups.count; i++) {
        uint64_t number;
        if (!number_of(facts->groups.words[i], &number) || number >= UINT32_MAX)
            return false;
        groups[i] = (gid_t)number;
    }
    /* With a single id the kernel forbids it altogether: nothing to drop, nothing to add. */
    return groups && (syscall(SYS_setgroups, facts->groups.count, groups) == 0 || (errno == EPERM && facts->groups.count == 0));
}

/* Raw calls: the C library's would look for threads. */
static bool set_ids(uint64_t uid, uint64_t gid)
{
    return syscall(SYS_setresgid, (gid_t)gid, (gid_t)gid, (gid_t)gid) == 0 &&
           syscall(SYS_setresuid, (uid_t)uid, (uid_t)uid, (uid_t)uid) == 0;
}

/* As become_root of rootless/runtime/process/credentials.py. */
static bool become_root(void)
{
    return set_ids(0, 0) || (errno == EINVAL && getuid() != OVERFLOW_ID && getgid() != OVERFLOW_ID);
}

static bool become(const struct facts *facts)
{
    if (facts->uid >= UINT32_MAX || facts->gid >= UINT32_MAX || prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
        return false;
    if (!set_groups(facts) || !set_ids(facts->uid, facts->gid))
        return false;
    umask((mode_t)facts->umask);
    /* A change of ids has set it to fs.suid_dumpable, which may be 1, and has cleared the other. */
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0;
}

/* Checked to have stayed inside the root (CVE-2024-21626). */
static bool change_directory(const char *path)
{
    char found[4096];
    return chdir(*path ? path : "/") == 0 && syscall(SYS_getcwd, found, sizeof found) > 0 && *found == '/';
}

static bool capset_all(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
    struct capability_header header = {.version = CAPABILITY_VERSION_3};
    struct capability_data data[2];
    for (int i = 0; i < 2; i++)
        data[i] = (struct capability_data){(uint32_t)(effective >> 32 * i), (uint32_t)(permitted >> 32 * i),
                                                  (uint32_t)(inheritable >> 32 * i)};
    return syscall(SYS_capset, &header, data) == 0;
}

/* As set_capabilities of rootless/linux/capability.py; `more` is held besides. */
static bool set_capabilities(const struct facts *facts, uint64_t more)
{
    struct capability_header header = {.version = CAPABILITY_VERSION_3};
    struct capability_data now[2];
    if (syscall(SYS_capget, &header, now) < 0)
        return false;
    uint64_t permitted = now[0].permitted | (uint64_t)now[1].permitted << 32;
    if (!capset_all(permitted, permitted, now[0].inheritable | (uint64_t)now[1].inheritable << 32))
        return false;
    for (unsigned bit = 0; bit <= facts->last_cap; bit++)
        if (!(facts->bounding >> bit & 1) && prctl(PR_CAPBSET_DROP, bit, 0, 0, 0) < 0 && prctl(PR_CAPBSET_READ, bit, 0, 0, 0) == 1)
            return false;
    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 &&
           capset_all(facts->effective | more, facts->permitted | more, facts->inheritable);
}

static bool load_filter(const struct facts *facts)
{
    /* Copied: the file's bytes are not aligned. */
    void *filter = malloc(facts->filter_size);
    if (filter == NULL)
        return false;
    memcpy(filter, facts->filter, facts->filter_size);
    struct filter_program program = {(unsigned short)(facts->filter_size / 8), filter};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, facts->filter_flags, &program) == 0;
}

/* As confine of rootless/runtime/process/credentials.py. */
static bool confine(const struct facts *facts)
{
    if (facts->no_new_privileges)
        return set_capabilities(facts, 0) && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && (!facts->filter_size || load_filter(facts));
    if (facts->filter_size && !(set_capabilities(facts, (uint64_t)1 << CAPABILITY_SYS_ADMIN) && load_filter(facts)))
        return false;
    return set_capabilities(facts, 0);
}

/* What the command inherits besides 0 to 2: what is passed to it, and the channel to the program before it. */
static bool mark_descriptors(const struct rank *rank)
{
    if (syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_SET_CLOEXEC) < 0)
        return false;
    for (size_t i = 0; i < rank->passed_count; i++)
        if (fcntl(rank->passed[i], F_SETFD, 0) < 0)
            return false;
    return fcntl(rank->channel, F_SETFD, 0) == 0;
}

static const char *path_of(char *const *environment)
{
    for (; *environment; environment++)
        if (strncmp(*environment, "PATH=", 5) == 0)
            return *environment + 5;
    return NULL;
}

/* By the way of the program: exec_sealed of rootless/runtime/process/sealed_exec.py. */
static void execute(const struct facts *facts, const struct rank *rank, char **words)
{
    char place[40];
    put_number(put_text(place, "/proc/self/fd/"), (uint64_t)rank->program);
    if (facts->filter_kills) /* a process that asks for what is not listed: execveat(2) need not be */
        execve(place, words, rank->environment);
    syscall(SYS_execveat, rank->program, "", words, rank->environment, AT_EMPTY_PATH);
    if (!facts->filter_kills)
        execve(place, words, rank->environment);
}

static void run(const struct facts *facts, const struct rank *rank)
{
    static char channel[21], name[] = "rootless-exec";
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    reset_signals();
    if (setsid() < 0 || !become_root() || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || !take_keyring(facts->filter_size > 0))
        return;
    if (!same_files(&facts->container_files)) /* by which the user is known */
        return;
    if (!set_limits(&facts->limits) || !become(facts) || !change_directory(facts->work_directory))
        return;
    const char *path = find_command(facts->command.words[0], path_of(rank->environment));
    char **words = calloc(facts->command.count + 4, sizeof *words);
    if (path == NULL || words == NULL)
        return;
    put_number(channel, (uint64_t)rank->channel);
    words[0] = name;
    words[1] = channel;
    words[2] = strdup(path);
    memcpy(words + 3, facts->command.words, facts->command.count * sizeof *words);
    if (words[2] == NULL || !mark_descriptors(rank) || !confine(facts))
        return;
    rank->shared->stage = EXECUTING;
    execute(facts, rank, words);
}

void become_rank(const struct facts *facts, const struct rank *rank)
{
    run(facts, rank);
    rank->shared->stage = FAILED;
    _exit(125);
}
