/* Capabilities, as far as ids decide over them: the kernel takes none from who is root for it. */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "ids.h"

/* <linux/capability.h>: one or two words each of effective, permitted and inheritable, by the version. */
#define VERSION_1 0x19980330u
#define VERSION_3 0x20080522u
/* CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID, CAP_LINUX_IMMUTABLE, CAP_MKNOD; CAP_MAC_OVERRIDE */
static const uint32_t over_files[2] = {0x0800021f, 1};
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
    return by->effective && holds_capability(r, capability);
}

bool acts_as_owner(const struct request *r, const struct stat *st, int capability)
{
    return st->st_uid == geteuid() || holds_capability(r, capability);
}

int64_t call_keep_capabilities(const struct request *r)
{
    struct credentials changed = *credentials_of(r->task);
    if (r->args[1] <= 1) {
        changed.keep = (uint32_t)r->args[1];
        int64_t result = credentials_set(r, &changed, NULL);
        if (result < 0)
            return result;
    }
    return CONTINUE;
}

/* Of the caller itself; 0, or CONTINUE or an error. */
static int64_t read_header(const struct request *r, struct header *header)
{
    int64_t result = request_read(r, r->args[0], header, sizeof *header);
    if (result < 0)
        return result;
    return !r->args[1] || (header->pid && header->pid != inner_pid(r->task)) ? CONTINUE : 0;
}

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
    uint32_t effective = data[0].effective | data[1].effective, permitted = data[0].permitted | data[1].permitted;
    if ((permitted && !changed.permitted) || (effective && !changed.permitted))
        return -EPERM;
    /* Which of them the kernel knows, and asks for at every call. */
    changed.permitted = permitted != 0;
    changed.effective = ((data[0].effective & ~over_files[0]) | (data[1].effective & ~over_files[1])) != 0;
    changed.files = (data[0].effective & over_files[0]) != 0;
    if (memcmp(&changed, credentials_of(r->task), sizeof changed) != 0 && (result = credentials_set(r, &changed, NULL)) < 0)
        return result;
    return CONTINUE;
}

int64_t call_get_capabilities(const struct request *r)
{
    struct header header;
    struct data data[2];
    const struct credentials *of = credentials_of(r->task);
    if (of->permitted && of->effective && of->files)
        return CONTINUE;
    int64_t result = read_header(r, &header);
    if (result != 0)
        return result == GONE ? GONE : CONTINUE;
    struct header real = {header.version, r->task};
    if (syscall(SYS_capget, &real, data) < 0)
        return CONTINUE;
    for (int i = 0; i < 2; i++) {
        data[i].effective &= (of->effective ? ~over_files[i] : 0) | (of->files ? over_files[i] : 0);
        data[i].permitted &= of->permitted ? ~0u : 0;
    }
    return request_write(r, r->args[1], data, header.version == VERSION_1 ? sizeof *data : sizeof data);
}
