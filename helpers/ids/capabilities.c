/* Capabilities, as far as ids decide over them: the kernel takes none from who is root for it. */

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "ids.h"
#include "lib/text.h"

/* <linux/capability.h>: one or two words each of effective, permitted and inheritable, by the version. */
#define VERSION_1 0x19980330u
#define VERSION_3 0x20080522u
/* CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID, CAP_LINUX_IMMUTABLE, CAP_MKNOD; CAP_MAC_OVERRIDE */
#define OVER_FILES UINT64_C(0x10800021f)
struct header {
    uint32_t version;
    int32_t pid;
};
struct data {
    uint32_t effective, permitted, inheritable;
};

/* Whether the kernel leaves it this capability (--cap-drop): of what we cannot emulate, nothing is given. */
bool holds_capability(const struct request *r, int capability)
{
    struct header header = {VERSION_3, r->task};
    struct data data[2];
    return syscall(SYS_capget, &header, data) == 0 && data[capability / 32].effective >> capability % 32 & 1;
}

bool has_in_force(const struct request *r, const struct credentials *by, int capability)
{
    return credentials_have(by, capability) && holds_capability(r, capability);
}

bool acts_as_owner(const struct request *r, const struct stat *st, int capability)
{
    return st->st_uid == geteuid() || holds_capability(r, capability);
}

void capabilities_follow(struct credentials *changed, bool root)
{
    if (root)
        changed->effective |= changed->permitted & OVER_FILES;
    else
        changed->effective &= ~OVER_FILES;
}

/* struct vfs_cap_data of <linux/capability.h>, in the form that getxattr(2) gives it */
#define FILE_VERSION 0xff000000u
#define FILE_VERSION_1 0x01000000u
#define FILE_VERSION_3 0x03000000u
#define FILE_EFFECTIVE 1u

struct file_capabilities capabilities_of_file(int fd)
{
    uint32_t data[6] = {0};
    char name[24];
    put_number(name, (uint64_t)fd);
    const ssize_t size = getxattr(name, "security.capability", data, sizeof data);
    const uint32_t version = data[0] & FILE_VERSION;
    if (size < 12 || version < FILE_VERSION_1 || version > FILE_VERSION_3)
        return (struct file_capabilities){false, false, 0, 0};
    const bool two = version != FILE_VERSION_1; /* words each */
    return (struct file_capabilities){true, data[0] & FILE_EFFECTIVE, data[1] | (two ? (uint64_t)data[3] << 32 : 0),
                                      data[2] | (two ? (uint64_t)data[4] << 32 : 0)};
}

static uint64_t both(uint32_t low, uint32_t high)
{
    return low | (uint64_t)high << 32;
}

/* What the kernel leaves the task: permitted, and handed on. */
static uint64_t left_to(pid_t task, uint64_t *inheritable)
{
    struct header header = {VERSION_3, task};
    struct data data[2] = {{0, 0, 0}, {0, 0, 0}};
    syscall(SYS_capget, &header, data);
    *inheritable = both(data[0].inheritable, data[1].inheritable);
    return both(data[0].permitted, data[1].permitted);
}

static uint64_t inheritable_of(pid_t task)
{
    uint64_t inheritable;
    left_to(task, &inheritable);
    return inheritable;
}

uint64_t capabilities_gained(const struct request *r, const struct file_capabilities *file)
{
    return file->permitted | (file->inheritable ? file->inheritable & inheritable_of(r->task) : 0);
}

/* prctl(PR_CAP_AMBIENT): those that a program keeps which is nobody's special one. */
static int64_t ambient(const struct request *r, struct credentials *changed)
{
    const uint64_t how = r->args[1], capability = r->args[2];
    const bool clears = how == PR_CAP_AMBIENT_CLEAR_ALL;
    if (r->args[3] || r->args[4] || capability > (clears ? 0 : 63))
        return CONTINUE; /* the error is the kernel's to tell */
    const uint64_t bit = UINT64_C(1) << capability;
    switch (how) {
    case PR_CAP_AMBIENT_IS_SET: return changed->ambient & bit ? CONTINUE : 0;
    case PR_CAP_AMBIENT_CLEAR_ALL: changed->ambient = 0; return 0;
    case PR_CAP_AMBIENT_LOWER: changed->ambient &= ~bit; return 0;
    case PR_CAP_AMBIENT_RAISE:
        if (!(changed->permitted & inheritable_of(r->task) & bit))
            return -EPERM;
        changed->ambient |= bit;
        return 0;
    default: return CONTINUE;
    }
}

int64_t call_control(const struct request *r)
{
    struct credentials changed = *credentials_of(r->task);
    if ((int)r->args[0] == PR_CAP_AMBIENT) {
        const int64_t result = ambient(r, &changed);
        if (result != 0 || r->args[1] == PR_CAP_AMBIENT_IS_SET)
            return result;
    } else if (r->args[1] <= 1)
        changed.keep = (uint32_t)r->args[1];
    else
        return CONTINUE;
    const int64_t result = credentials_set(r, &changed, NULL);
    return result < 0 ? result : CONTINUE;
}

/* Of the caller itself; 0, or CONTINUE or an error. */
static int64_t read_header(const struct request *r, struct header *header)
{
    int64_t result = request_read(r, r->args[0], header, sizeof *header);
    if (result < 0)
        return result;
    return !r->args[1] || (header->pid && header->pid != inner_pid(r->task)) ? CONTINUE : 0;
}

/* cap_capset() of security/commoncap.c. */
int64_t call_set_capabilities(const struct request *r)
{
    struct header header;
    struct data data[2] = {{0, 0, 0}, {0, 0, 0}};
    struct credentials changed = *credentials_of(r->task);
    int64_t result = read_header(r, &header);
    if (result == 0)
        result = request_read(r, r->args[1], data, header.version == VERSION_1 ? sizeof *data : sizeof data);
    if (result != 0)
        return result == GONE ? GONE : CONTINUE;
    const uint64_t effective = both(data[0].effective, data[1].effective), permitted = both(data[0].permitted, data[1].permitted);
    const uint64_t inheritable = both(data[0].inheritable, data[1].inheritable);
    uint64_t handed_on;
    const uint64_t had = left_to(r->task, &handed_on) & changed.permitted;
    if (inheritable & ~(had | handed_on) && !has_in_force(r, &changed, CAP_SETPCAP))
        return -EPERM;
    if (permitted & ~had || effective & ~permitted)
        return -EPERM;
    changed.permitted = permitted;
    changed.effective = effective;
    changed.ambient &= permitted & inheritable;
    if (memcmp(&changed, credentials_of(r->task), sizeof changed) != 0 && (result = credentials_set(r, &changed, NULL)) < 0)
        return result;
    return CONTINUE;
}

int64_t call_get_capabilities(const struct request *r)
{
    struct header header;
    struct data data[2];
    const struct credentials *of = credentials_of(r->task);
    if (!~(of->permitted & of->effective))
        return CONTINUE;
    int64_t result = read_header(r, &header);
    if (result != 0)
        return result == GONE ? GONE : CONTINUE;
    struct header real = {header.version, r->task};
    if (syscall(SYS_capget, &real, data) < 0)
        return CONTINUE;
    for (int i = 0; i < 2; i++) {
        data[i].effective &= (uint32_t)(of->effective >> 32 * i);
        data[i].permitted &= (uint32_t)(of->permitted >> 32 * i);
    }
    return request_write(r, r->args[1], data, header.version == VERSION_1 ? sizeof *data : sizeof data);
}
