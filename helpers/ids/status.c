/* /proc/PID/status: ps(1), pgrep(1) and userdel(8) read there whose a process is, and for the kernel all are root's. Who opens it gets the
   text as it is at that moment, with the ids and capabilities that we know. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "create.h"
#include "search.h"
#include "lib/text.h"

#define NAME "status"
#define SIZE 16384 /* of the kernel's text */
#define NUMBER_SIZE 21
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif

/* Takes the last name off the path if it is the file's. */
static bool strip_name(char *path)
{
    const size_t length = strlen(path), size = sizeof NAME - 1;
    if (length < size || memcmp(path + length - size, NAME, size) != 0 || (length > size && path[length - size - 1] != '/'))
        return false;
    path[length - size] = 0;
    return true;
}

static char *put_four(char *p, const uint32_t ids[4])
{
    for (int i = 0; i < 4; i++)
        p = put_number(put_text(p, "\t"), ids[i]);
    return p;
}

static char *put_hex(char *p, uint64_t number)
{
    *p++ = '\t';
    for (int shift = 60; shift >= 0; shift -= 4)
        *p++ = "0123456789abcdef"[number >> shift & 15];
    *p = 0;
    return p;
}

static char *put_capabilities(char *p, const char *value, uint64_t had)
{
    return put_hex(p, strtoull(value, NULL, 16) & had);
}

/* What stands behind the name of a line, in place of `value`; NULL: that stays. */
static char *put_value(char *p, const char *line, const char *value, const struct credentials *of)
{
    static const char *const names[] = {"Uid:", "Gid:", "Groups:", "CapPrm:", "CapEff:", "CapAmb:"};
    size_t which = 0;
    while (which < sizeof names / sizeof *names && strncmp(line, names[which], strlen(names[which])) != 0)
        which++;
    switch (which) {
    case 0: return put_four(p, (const uint32_t[]){of->ruid, of->euid, of->suid, of->fsuid});
    case 1: return put_four(p, (const uint32_t[]){of->rgid, of->egid, of->sgid, of->fsgid});
    case 2:
        p = put_text(p, of->group_count ? "\t" : "\t ");
        for (uint32_t i = 0; i < of->group_count; i++)
            p = put_text(put_number(p, credentials_groups(of)[i]), " ");
        return p;
    case 3: return put_capabilities(p, value, of->permitted);
    case 4: return put_capabilities(p, value, of->effective);
    case 5: return put_capabilities(p, value, of->ambient);
    default: return NULL;
    }
}

/* The text for `of`, ours to free; NULL: there is no memory. */
static char *rewrite(char *text, const struct credentials *of)
{
    char *made = malloc(SIZE + 8 * NUMBER_SIZE + (size_t)of->group_count * NUMBER_SIZE), *p = made;
    for (char *line = text; made && *line;) {
        char *end = strchrnul(line, '\n'), *value = memchr(line, '\t', (size_t)(end - line));
        const bool ends = *end;
        *end = 0;
        char *put = NULL;
        if (value) {
            const char kept = *value;
            *value = 0;
            char *after = put_text(p, line);
            put = put_value(after, line, value + 1, of);
            *value = kept;
        }
        p = put_text(put ? put : put_text(p, line), ends ? "\n" : "");
        line = end + ends;
    }
    return made;
}

/* The task's own view of it, from the directory of the process: a descriptor to read from, or -1. */
static int made_for(int directory, const struct credentials *of)
{
    char *text = malloc(SIZE), name[24];
    int from = open_beneath(directory, NAME, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW, 0), made = -1;
    size_t size = 0;
    ssize_t part = 0;
    while (text && from >= 0 && size < SIZE - 1 && (part = read(from, text + size, SIZE - 1 - size)) > 0)
        size += (size_t)part;
    if (from >= 0)
        close(from);
    char *shown = NULL;
    if (text && from >= 0 && part == 0) {
        text[size] = 0;
        shown = rewrite(text, of);
    }
    int file = shown ? memfd_create(NAME, MFD_CLOEXEC | MFD_NOEXEC_SEAL) : -1;
    if (shown && file < 0 && errno == EINVAL)
        file = memfd_create(NAME, MFD_CLOEXEC);
    if (file >= 0 && write(file, shown, strlen(shown)) == (ssize_t)strlen(shown)) {
        put_number(name, (uint64_t)file);
        made = open(name, O_RDONLY | O_CLOEXEC); /* ours by its descriptor, and from its beginning */
    }
    if (file >= 0)
        close(file);
    free(shown);
    free(text);
    return made;
}

/* CONTINUE: it is another file, or the kernel's is right. */
static int64_t open_status(const struct request *r, int dirfd, uint64_t address, uint64_t flags)
{
    struct place place;
    struct found found;
    int64_t result = place_read(r, address, false, &place);
    if (result < 0 || !strip_name(place.path))
        return result == GONE ? GONE : CONTINUE;
    const bool here = !place.path[0];
    if (here)
        put_text(place.path, ".");
    result = place_resolve(r, dirfd, &place);
    if (result == 0)
        result = search(&place, credentials_of(r->task), true, &found);
    place_close(&place);
    if (result != 0)
        return result == GONE ? GONE : CONTINUE; /* the error is told as of any file */
    const struct credentials *of = found.file < 0 ? NULL : process_of_directory(found.file);
    int made = of && of != credentials_numbered(0) ? made_for(found.file, of) : -1;
    search_end(&found);
    if (made < 0)
        return CONTINUE;
    result = hand_over(r, made, flags);
    close(made);
    return result;
}

int64_t call_open(const struct request *r)
{
    const bool at = r->nr == SYS_openat;
    const uint64_t flags = r->args[at + 1];
    if (credentials_given() && !(flags & (O_ACCMODE | O_PATH | O_DIRECTORY | O_TRUNC | NEW_FILE))) {
        const int64_t result = open_status(r, at ? (int)r->args[0] : AT_FDCWD, r->args[at], flags);
        if (result != CONTINUE)
            return result;
    }
    return open_file(r);
}
