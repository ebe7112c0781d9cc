#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ids.h"
#include "lib/text.h"

bool request_valid(const struct request *r)
{
    return ioctl(r->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &r->id) == 0;
}

/* As many bytes as can be read there, or GONE. */
static int64_t read_some(const struct request *r, uint64_t address, void *buffer, size_t size)
{
    struct iovec ours = {buffer, size}, theirs = {(void *)(uintptr_t)address, size};
    ssize_t count = process_vm_readv(r->task, &ours, 1, &theirs, 1, 0);
    /* Only now do we know that it was the memory of the task, and not of another that has its number since. */
    if (!request_valid(r))
        return GONE;
    return count < 0 ? -EFAULT : count;
}

int64_t request_read(const struct request *r, uint64_t address, void *buffer, size_t size)
{
    int64_t count = read_some(r, address, buffer, size);
    return count < 0 ? count : (size_t)count == size ? 0 : -EFAULT;
}

#define SHORT 256u

int64_t request_text(const struct request *r, uint64_t address, char *buffer, size_t size)
{
    size_t length = 0;
    while (length < size) {
        /* To the end of a page, and no further: the next may not be there. Most are short. */
        size_t part = 4096 - ((address + length) & 4095), most = length ? size - length : SHORT < size ? SHORT : size;
        if (part > most)
            part = most;
        int64_t count = read_some(r, address + length, buffer + length, part);
        if (count < 0)
            return count;
        char *end = memchr(buffer + length, 0, (size_t)count);
        if (end)
            return end - buffer;
        if ((size_t)count < part)
            return -EFAULT;
        length += part;
    }
    return -ENAMETOOLONG;
}

static int open_of_task(pid_t task, const char *name, int flags)
{
    char path[64];
    put_text(put_text(put_number(path, (uint64_t)task), "/"), name);
    return openat(proc_fd, path, flags | O_CLOEXEC);
}

int64_t request_write(const struct request *r, uint64_t address, const void *buffer, size_t size)
{
    /* An open file stays with the memory that it was opened for: whoever has the task's number while we write is
       another. process_vm_writev(2), by number, could be made to write into a stranger. */
    int memory = open_of_task(r->task, "mem", O_WRONLY);
    if (memory < 0)
        return request_valid(r) ? -EFAULT : GONE;
    int64_t result = GONE;
    if (request_valid(r))
        result = pwrite(memory, buffer, size, (off_t)address) == (ssize_t)size ? 0 : -EFAULT;
    close(memory);
    return result;
}

#define STATUS_SIZE 4096

/* The line that begins with `name`, "\nNAME:\t", in text; NULL: there is none. The line of the groups may be longer than all others. */
static char *status_line(pid_t task, const char *name, char text[STATUS_SIZE])
{
    int fd = open_of_task(task, "status", O_RDONLY);
    char *found = NULL;
    size_t kept = 0;
    ssize_t size;
    while (fd >= 0 && !found && (size = read(fd, text + kept, STATUS_SIZE - 1 - kept)) > 0) {
        kept += (size_t)size;
        text[kept] = 0;
        found = strstr(text, name);
        char *end = found ? strchr(found + 1, '\n') : NULL, *last = strrchr(text, '\n');
        if (end)
            *end = 0;
        else {
            found = NULL;
            kept = last ? strlen(last) : 0;
            kept = kept == STATUS_SIZE - 1 ? 0 : kept;
            memmove(text, last ? last : text, kept);
        }
    }
    if (fd >= 0)
        close(fd);
    return found;
}

long request_status(pid_t task, const char *name, int base)
{
    char text[STATUS_SIZE];
    /* The first line is the task's own name, in which the kernel escapes line ends. */
    char *found = status_line(task, name, text);
    return found ? strtol(found + strlen(name), NULL, base) : -1;
}

/* The last number of the line. */
static long innermost(pid_t task, const char *name)
{
    char text[STATUS_SIZE];
    char *line = status_line(task, name, text), *last = line ? strrchr(line, '\t') : NULL;
    return last ? strtol(last + 1, NULL, 10) : -1;
}

long inner_pid(pid_t task)
{
    return innermost(task, "\nNStgid:\t");
}

long inner_tid(pid_t task)
{
    return innermost(task, "\nNSpid:\t");
}
