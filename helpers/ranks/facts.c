#include "ranks/facts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/text.h"

#define FORM "rootless-rank 1"
#define LARGEST_BYTES (1 << 20)
#define MOST_WORDS (1 << 16)

struct reader {
    char *next, *end;
    bool failed;
};

static char *take_text(struct reader *reader)
{
    char *found = reader->next, *end = reader->failed ? NULL : memchr(found, 0, (size_t)(reader->end - found));
    static char nothing[1];
    if (end == NULL) {
        reader->failed = true;
        return nothing;
    }
    reader->next = end + 1;
    return found;
}

static uint64_t take_number(struct reader *reader)
{
    uint64_t number = 0;
    if (!parse_number(take_text(reader), UINT64_MAX, &number))
        reader->failed = true;
    return number;
}

static void take_list(struct reader *reader, struct list *list)
{
    uint64_t count = take_number(reader);
    if (reader->failed || count > MOST_WORDS || !(list->words = calloc(count + 1, sizeof *list->words))) {
        reader->failed = true;
        return;
    }
    list->count = count;
    for (size_t i = 0; i < count; i++)
        list->words[i] = take_text(reader);
}

/* The whole file, of a size that is told; NULL where it is not as it should be. */
static char *read_private(int directory, const char *name, size_t *size)
{
    struct stat status;
    size_t length = 0;
    ssize_t n = 1;
    char *text = NULL;
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return NULL;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == getuid() && !(status.st_mode & 077) &&
        status.st_size > 0 && status.st_size <= LARGEST_BYTES && (text = malloc((size_t)status.st_size)))
        while (length < (size_t)status.st_size && (n = read(fd, text + length, (size_t)status.st_size - length)) > 0)
            length += (size_t)n;
    close(fd);
    *size = length;
    return text && n > 0 ? text : NULL;
}

bool read_facts(int directory, const char *name, struct facts *facts)
{
    size_t size;
    char *text = read_private(directory, name, &size);
    if (text == NULL)
        return false;
    struct reader reader = {text, text + size, false};
    if (strcmp(take_text(&reader), FORM) != 0)
        return false;
    facts->launcher = take_text(&reader);
    facts->key = take_text(&reader);
    facts->id = take_text(&reader);
    facts->directory = take_text(&reader);
    take_list(&reader, &facts->argv);
    take_list(&reader, &facts->environment);
    take_list(&reader, &facts->prefixes);
    take_list(&reader, &facts->names);
    take_list(&reader, &facts->strict);
    take_list(&reader, &facts->host_files);
    facts->session = take_number(&reader);
    facts->pid = take_number(&reader);
    facts->start_time = take_number(&reader);
    facts->boot = take_text(&reader);
    facts->pid_namespace = take_number(&reader);
    facts->monitor_pid = take_number(&reader);
    facts->monitor_start_time = take_number(&reader);
    facts->namespaces = take_number(&reader);
    facts->uid = take_number(&reader);
    facts->gid = take_number(&reader);
    facts->keeps_groups = take_number(&reader);
    take_list(&reader, &facts->groups);
    facts->home = take_text(&reader);
    take_list(&reader, &facts->container_files);
    facts->umask = take_number(&reader);
    take_list(&reader, &facts->limits);
    facts->effective = take_number(&reader);
    facts->permitted = take_number(&reader);
    facts->inheritable = take_number(&reader);
    facts->bounding = take_number(&reader);
    facts->last_cap = take_number(&reader);
    facts->no_new_privileges = take_number(&reader);
    facts->work_directory = take_text(&reader);
    facts->every = take_number(&reader);
    take_list(&reader, &facts->image_environment);
    take_list(&reader, &facts->added_environment);
    take_list(&reader, &facts->fixed_environment);
    take_list(&reader, &facts->command);
    facts->wait_s = take_text(&reader);
    facts->program = take_text(&reader);
    facts->filter_flags = take_number(&reader);
    facts->filter_kills = take_number(&reader);
    facts->filter_size = take_number(&reader);
    facts->filter = (const unsigned char *)reader.next;
    return !reader.failed && facts->filter_size == (uint64_t)(reader.end - reader.next) && facts->filter_size % 8 == 0 &&
           facts->filter_size / 8 <= 4096 && facts->command.count > 0 && facts->last_cap < 64 && facts->pid > 0 &&
           facts->pid < 1u << 30 && facts->limits.count % 3 == 0;
}

static char *put_time(char *p, struct timespec when)
{
    p = put_number(p, (uint64_t)when.tv_sec);
    return put_number(put_text(p, "."), (uint64_t)when.tv_nsec);
}

bool is_identity(const struct stat *status, const char *text)
{
    char found[160], *p = put_number(found, status->st_dev);
    p = put_number(put_text(p, " "), status->st_ino);
    p = put_number(put_text(p, " "), (uint64_t)status->st_size);
    p = put_time(put_text(p, " "), status->st_mtim);
    put_time(put_text(p, " "), status->st_ctim);
    return strcmp(found, text) == 0;
}

bool same_files(const struct list *files)
{
    for (size_t i = 0; i + 1 < files->count; i += 2) {
        struct stat status;
        const char *known = files->words[i + 1];
        if (stat(files->words[i], &status) == 0 ? !is_identity(&status, known) : errno != ENOENT || *known)
            return false;
    }
    return files->count % 2 == 0;
}
