/* The calls that ask for ids and set them, with the rules of Linux (kernel/sys.c, kernel/groups.c). */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ids.h"

int64_t call_get_id(const struct request *r)
{
    const struct credentials *of = credentials_of(r->task);
    const uint32_t id = r->nr == SYS_getuid ? of->ruid : r->nr == SYS_geteuid ? of->euid : r->nr == SYS_getgid ? of->rgid : of->egid;
    return r->form == HALF ? half_of(id) : id;
}

/* Ids for the task, each of the size that it expects. */
static int64_t write_ids(const struct request *r, uint64_t address, const uint32_t *ids, uint32_t count)
{
    if (r->form != HALF)
        return request_write(r, address, ids, count * sizeof *ids);
    uint16_t *halves = calloc(count, sizeof *halves);
    if (!halves)
        return -ENOMEM;
    for (uint32_t i = 0; i < count; i++)
        halves[i] = (uint16_t)half_of(ids[i]);
    int64_t result = request_write(r, address, halves, count * sizeof *halves);
    free(halves);
    return result;
}

int64_t call_get_three(const struct request *r)
{
    const struct credentials *of = credentials_of(r->task);
    const uint32_t uids[] = {of->ruid, of->euid, of->suid}, gids[] = {of->rgid, of->egid, of->sgid};
    const uint32_t *ids = r->nr == SYS_getresuid ? uids : gids;
    for (int i = 0; i < 3; i++) {
        int64_t result = write_ids(r, r->args[i], &ids[i], 1);
        if (result < 0)
            return result;
    }
    return 0;
}

int64_t call_get_groups(const struct request *r)
{
    const struct credentials *of = credentials_of(r->task);
    int room = (int)r->args[0];
    if (room < 0)
        return -EINVAL;
    if (room && of->group_count) {
        if ((uint32_t)room < of->group_count)
            return -EINVAL;
        int64_t result = write_ids(r, r->args[1], credentials_groups(of), of->group_count);
        if (result < 0)
            return result;
    }
    return of->group_count;
}

static bool is_one_of(uint32_t id, uint32_t a, uint32_t b, uint32_t c)
{
    return id == NO_ID || id == a || id == b || id == c;
}

/* The three ids of one kind and that of files, which the calls treat alike. */
struct ids {
    uint32_t *real, *effective, *saved, *files;
};

static int set_one(struct ids ids, uint32_t id, bool privileged)
{
    if (id == NO_ID)
        return -EINVAL;
    if (privileged)
        *ids.real = *ids.saved = id;
    else if (id != *ids.real && id != *ids.saved)
        return -EPERM;
    *ids.effective = *ids.files = id;
    return 0;
}

static int set_two(struct ids ids, uint32_t real, uint32_t effective, bool privileged)
{
    uint32_t old = *ids.real;
    if (!privileged && (!is_one_of(real, *ids.real, *ids.effective, *ids.effective) ||
                        !is_one_of(effective, *ids.real, *ids.effective, *ids.saved)))
        return -EPERM;
    if (real != NO_ID)
        *ids.real = real;
    if (effective != NO_ID)
        *ids.effective = effective;
    if (real != NO_ID || (effective != NO_ID && effective != old))
        *ids.saved = *ids.effective;
    *ids.files = *ids.effective;
    return 0;
}

static int set_three(struct ids ids, uint32_t real, uint32_t effective, uint32_t saved, bool privileged)
{
    /* What changes nothing leaves the id of files as it is, too. */
    if ((real == NO_ID || real == *ids.real) && (saved == NO_ID || saved == *ids.saved) &&
        (effective == NO_ID || (effective == *ids.effective && effective == *ids.files)))
        return 0;
    if (!privileged && (!is_one_of(real, *ids.real, *ids.effective, *ids.saved) ||
                        !is_one_of(effective, *ids.real, *ids.effective, *ids.saved) ||
                        !is_one_of(saved, *ids.real, *ids.effective, *ids.saved)))
        return -EPERM;
    if (real != NO_ID)
        *ids.real = real;
    if (effective != NO_ID)
        *ids.effective = effective;
    if (saved != NO_ID)
        *ids.saved = saved;
    *ids.files = *ids.effective;
    return 0;
}

int64_t call_set_ids(const struct request *r)
{
    const struct credentials *old = credentials_of(r->task);
    struct credentials changed = *old;
    struct ids uids = {&changed.ruid, &changed.euid, &changed.suid, &changed.fsuid};
    struct ids gids = {&changed.rgid, &changed.egid, &changed.sgid, &changed.fsgid};
    uint32_t a = (uint32_t)r->args[0], b = (uint32_t)r->args[1], c = (uint32_t)r->args[2];
    bool of_users = r->nr == SYS_setuid || r->nr == SYS_setreuid || r->nr == SYS_setresuid || r->nr == SYS_setfsuid;
    bool privileged = has_in_force(r, old, of_users ? CAP_SETUID : CAP_SETGID);
    struct ids ids = of_users ? uids : gids;
    int result = 0;
    switch (r->nr) {
    case SYS_setuid: case SYS_setgid: result = set_one(ids, a, privileged); break;
    case SYS_setreuid: case SYS_setregid: result = set_two(ids, a, b, privileged); break;
    case SYS_setresuid: case SYS_setresgid: result = set_three(ids, a, b, c, privileged); break;
    default: { /* setfsuid(2) and setfsgid(2) have no errors: they tell what it was */
        uint32_t was = *ids.files;
        if (a != NO_ID && (privileged || a == was || is_one_of(a, *ids.real, *ids.effective, *ids.saved))) {
            *ids.files = a;
            if (of_users && !was != !a)
                capabilities_follow(&changed, !a);
            credentials_set(r, &changed, NULL);
        }
        return was;
    }
    }
    if (result < 0)
        return result;
    if (of_users)
        credentials_adjust(old, &changed);
    return credentials_set(r, &changed, NULL);
}

int64_t call_set_groups(const struct request *r)
{
    struct credentials changed = *credentials_of(r->task);
    int count = (int)r->args[0];
    if (!has_in_force(r, &changed, CAP_SETGID))
        return -EPERM;
    if (count < 0 || (uint32_t)count > GROUPS_LIMIT)
        return -EINVAL;
    uint32_t *groups = calloc((size_t)count + 1, sizeof *groups);
    if (!groups)
        return -ENOMEM;
    const size_t size = r->form == HALF ? sizeof(uint16_t) : sizeof *groups;
    int64_t result = count ? request_read(r, r->args[1], groups, (size_t)count * size) : 0;
    for (int i = count; i-- > 0 && r->form == HALF;) /* from the end on: they are widened where they are */
        groups[i] = ((const uint16_t *)groups)[i];
    for (int i = 0; result == 0 && i < count; i++)
        if (groups[i] == NO_ID)
            result = -EINVAL;
    if (result == 0) {
        credentials_sort(groups, (uint32_t)count);
        changed.group_count = (uint32_t)count;
        if (!count)
            changed.groups = 0;
        result = credentials_set(r, &changed, groups);
    }
    free(groups);
    return result;
}
