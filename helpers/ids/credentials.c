/* The credentials of all processes, each set kept once. A process carries the number of its set in a limit that
   nothing uses, the soft RLIMIT_RTTIME: fork(2) copies it, execve(2) keeps it, and with the process it is gone.
   No table of processes could be as exact. Sets are never changed and never given up: their number is bounded. */

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "lists.h"

#define HANDLE_BASE (UINT64_C(1) << 40) /* microseconds: twelve days without a pause, of a process in real time */
#define SETS 16384u
#define GROUPS_KEPT (1u << 18)
#define BUCKETS 1024u
#define ALL UINT64_MAX
#define BIT(capability) (UINT64_C(1) << (capability))

static struct credentials sets[SETS];
static uint16_t next_set[SETS], bucket[BUCKETS];
static atomic_uint set_count = 1; /* a set is whole before it counts */
static uint32_t kept[GROUPS_KEPT];
static uint32_t kept_count;
static pthread_mutex_t adding = PTHREAD_MUTEX_INITIALIZER;

void credentials_begin(void)
{
    sets[0].permitted = sets[0].effective = ALL; /* root's; at run time: the table would be in the program's file */
}

bool credentials_given(void)
{
    return set_count > 1;
}

const struct credentials *credentials_numbered(uint64_t limit)
{
    /* The container may have written anything there that it likes. */
    return &sets[limit >= HANDLE_BASE && limit - HANDLE_BASE < set_count ? limit - HANDLE_BASE : 0];
}

const struct credentials *credentials_of(pid_t task)
{
    struct rlimit limit;
    if (!credentials_given())
        return sets;
    return credentials_numbered(prlimit(task, RLIMIT_RTTIME, NULL, &limit) < 0 ? 0 : limit.rlim_cur);
}

const uint32_t *credentials_groups(const struct credentials *of)
{
    return kept + of->groups;
}

static uint32_t hash_of(const struct credentials *set)
{
    const uint32_t words[] = {set->ruid, set->euid, set->suid, set->fsuid, set->rgid, set->egid, set->sgid, set->fsgid,
                              set->groups, set->group_count, set->keep, (uint32_t)set->permitted, (uint32_t)(set->permitted >> 32),
                              (uint32_t)set->effective, (uint32_t)(set->effective >> 32), (uint32_t)set->ambient};
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        hash = (hash ^ words[i]) * 16777619u;
    return (hash ^ hash >> 16) % BUCKETS;
}

/* Where these groups are kept; GROUPS_KEPT: there is no room. */
static uint32_t keep_groups(const uint32_t *groups, uint32_t count)
{
    if (!count)
        return 0;
    for (uint32_t set = 0; set < set_count; set++)
        if (sets[set].group_count == count && !memcmp(kept + sets[set].groups, groups, count * sizeof *groups))
            return sets[set].groups;
    if (count > GROUPS_KEPT - kept_count)
        return GROUPS_KEPT;
    memcpy(kept + kept_count, groups, count * sizeof *groups);
    kept_count += count;
    return kept_count - count;
}

static int find_number(const struct credentials *wanted, const uint32_t *groups)
{
    struct credentials set = *wanted;
    if (groups && (set.groups = keep_groups(groups, set.group_count)) == GROUPS_KEPT)
        return -ENOMEM;
    if (memcmp(&set, &sets[0], sizeof set) == 0)
        return 0;
    uint32_t hash = hash_of(&set), found;
    for (found = bucket[hash]; found && memcmp(&set, &sets[found], sizeof set) != 0; found = next_set[found])
        ;
    if (!found) {
        if (set_count == SETS)
            return -EAGAIN; /* as where the user's processes are too many (setuid(2)) */
        found = set_count;
        sets[found] = set;
        set_count = found + 1;
        next_set[found] = bucket[hash];
        bucket[hash] = (uint16_t)found;
    }
    return (int)found;
}

static int number_of(const struct credentials *wanted, const uint32_t *groups)
{
    pthread_mutex_lock(&adding);
    int number = find_number(wanted, groups);
    pthread_mutex_unlock(&adding);
    return number;
}

int64_t credentials_set(const struct request *r, const struct credentials *changed, const uint32_t *groups)
{
    int number = number_of(changed, groups);
    if (number < 0)
        return number;
    struct rlimit limit = {number ? HANDLE_BASE + (uint64_t)number : RLIM_INFINITY, RLIM_INFINITY};
    /* A call waits for us as long as a file system of the container's likes: its number may be a stranger's by now. */
    if (!request_valid(r))
        return GONE;
    return prlimit(r->task, RLIMIT_RTTIME, &limit, NULL) < 0 ? -errno : 0;
}

static int by_number(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

void credentials_sort(uint32_t *groups, uint32_t count)
{
    qsort(groups, count, sizeof *groups, by_number);
}

const struct credentials *credentials_beginning(uint32_t uid, uint32_t gid, uint32_t *groups, uint32_t count)
{
    const uint64_t all = uid ? 0 : ALL;
    const struct credentials set = {uid, uid, uid, uid, gid, gid, gid, gid, 0, count, 0, 0, all, all, 0};
    credentials_sort(groups, count);
    int number = number_of(&set, groups);
    return number < 0 ? NULL : &sets[number];
}

void credentials_adjust(const struct credentials *old, struct credentials *changed)
{
    bool was_root = !old->ruid || !old->euid || !old->suid;
    bool is_root = !changed->ruid || !changed->euid || !changed->suid;
    if (was_root && !is_root) {
        changed->ambient = 0;
        if (!old->keep)
            changed->permitted = changed->effective = 0;
    }
    if (!old->euid && changed->euid)
        changed->effective = 0; /* a program that keeps its capabilities raises them again by capset(2) */
    if (old->euid && !changed->euid)
        changed->effective = changed->permitted;
}

bool credentials_in_group(const struct credentials *of, uint32_t gid)
{
    if (gid == of->fsgid)
        return true;
    for (uint32_t i = 0; i < of->group_count; i++)
        if (kept[of->groups + i] == gid)
            return true;
    return false;
}

bool credentials_have(const struct credentials *of, int capability)
{
    return of->effective >> capability & 1;
}

bool credentials_over_files(const struct credentials *of)
{
    const uint64_t all = BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_FOWNER) | BIT(CAP_FSETID) |
                         BIT(CAP_SYS_PTRACE); /* the links of other processes */
    return (of->effective & all) == all;
}

bool credentials_own(const struct credentials *by, const struct owner *owner)
{
    return by->fsuid == owner->uid || credentials_have(by, CAP_FOWNER);
}

/* generic_permission() of fs/namei.c. */
bool credentials_may(const struct credentials *by, int fd, const struct stat *st, const struct owner *owner, mode_t wanted)
{
    if (credentials_over_files(by))
        return true;
    const int listed = by->fsuid == owner->uid ? -1 : list_lets(fd, by, st, owner, wanted);
    const int shift = by->fsuid == owner->uid ? 6 : credentials_in_group(by, owner->gid) ? 3 : 0;
    if (listed < 0 ? (st->st_mode >> shift & wanted) == wanted : listed)
        return true;
    if (credentials_have(by, CAP_DAC_OVERRIDE) && (S_ISDIR(st->st_mode) || !(wanted & S_IXOTH) || st->st_mode & 0111))
        return true;
    return credentials_have(by, CAP_DAC_READ_SEARCH) && (S_ISDIR(st->st_mode) ? !(wanted & S_IWOTH) : wanted == S_IROTH);
}
