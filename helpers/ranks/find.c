#include "ranks/find.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/text.h"
#include "ranks/environment.h"

#define INITIAL_USER_NAMESPACE 0xEFFFFFFDu /* PROC_USER_INIT_INO in include/linux/proc_ns.h */
#define LONGEST_JOB 40
#define ENDING ".facts"

/* What batch systems call a job; rootless/paths.py. */
static const char *const jobs[][2] = {
    {"slurm-", "SLURM_JOB_ID"}, {"pbs-", "PBS_JOBID"}, {"lsf-", "LSB_JOBID"}, {"flux-", "FLUX_JOB_ID"}, {"sge-", "JOB_ID"},
};

static const char *variable(const char *name)
{
    const char *word = getenv(name);
    return word ? word : "";
}

/* Puts "-job-slurm-1234", or nothing outside of a job. False for a name that is none. */
static bool put_job(char *p)
{
    *p = 0;
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++) {
        const char *word = variable(jobs[i][1]);
        if (*word == 0 || (strcmp(jobs[i][1], "JOB_ID") == 0 && getenv("SGE_ROOT") == NULL))
            continue;
        p = put_text(put_text(p, "-job-"), jobs[i][0]);
        for (size_t n = 0; word[n] && n < LONGEST_JOB; n++) {
            if ((unsigned char)word[n] >= 128)
                return false;
            *p++ = isalnum((unsigned char)word[n]) || strchr("._-", word[n]) ? word[n] : '_';
        }
        *p = 0;
        return true;
    }
    return true;
}

static bool is_private(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == getuid() && !(status.st_mode & 077);
}

static bool make_private(const char *path)
{
    return is_private(path) || (mkdir(path, 0700) == 0 && is_private(path));
}

int open_shared(void)
{
    static char path[PATH_MAX + 256];
    char job[LONGEST_JOB + 32];
    struct stat status;
    const char *session = variable("XDG_RUNTIME_DIR");
    /* In another user namespace, the session's for one, all is called otherwise. */
    if (stat("/proc/self/ns/user", &status) < 0 || status.st_ino != INITIAL_USER_NAMESPACE || getuid() != geteuid() || !put_job(job))
        return -1;
    if (*session == '/' && strlen(session) < PATH_MAX && is_private(session))
        put_text(put_text(put_text(path, session), "/rootless"), job);
    else {
        char *end = put_number(put_text(path, "/tmp/rootless-"), getuid());
        if (*job && !make_private(path))
            return -1;
        if (*job)
            put_text(put_number(put_text(end, "/rootless-"), getuid()), job);
    }
    if (!make_private(path))
        return -1;
    put_text(path + strlen(path), "/shared");
    if (!make_private(path))
        return -1;
    return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* FNV-1a. */
static uint64_t add_to_hash(uint64_t hash, const char *text)
{
    do
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    while (*text++);
    return hash;
}

bool hash_words(char **argv, char *directory, size_t size, char *hash)
{
    uint64_t number = 0xcbf29ce484222325u;
    if (getcwd(directory, size) == NULL || *directory != '/')
        return false;
    number = add_to_hash(number, directory);
    for (char **word = argv + 1; *word; word++)
        number = add_to_hash(number, *word);
    for (int i = HASH_SIZE - 2; i >= 0; i--, number >>= 4)
        hash[i] = "0123456789abcdef"[number & 15];
    hash[HASH_SIZE - 1] = 0;
    return true;
}

bool is_current(int shared, const struct facts *facts)
{
    char name[NAME_MAX + 1], id[128];
    if (strlen(facts->key) > NAME_MAX - 8 || strchr(facts->key, '/'))
        return false;
    put_text(put_text(name, facts->key), ".id");
    int fd = openat(shared, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t size = fd < 0 ? -1 : read(fd, id, sizeof id);
    if (fd >= 0)
        close(fd);
    return size > 0 && (size_t)size == strlen(facts->id) && memcmp(id, facts->id, (size_t)size) == 0;
}

static bool is_launcher(const char *identity)
{
    struct stat status;
    return stat("/proc/self/exe", &status) == 0 && is_identity(&status, identity);
}

static bool is_asked(const struct facts *facts, char **argv, const char *directory)
{
    for (size_t i = 0; i < facts->argv.count; i++)
        if (*++argv == NULL || strcmp(*argv, facts->argv.words[i]) != 0)
            return false;
    return argv[1] == NULL && strcmp(directory, facts->directory) == 0 && is_launcher(facts->launcher) &&
           (facts->session == 0 || facts->session == (uint64_t)getsid(0)) && is_same_environment(facts) && same_files(&facts->host_files);
}

enum facts_found find_facts(int shared, const char *hash, char **argv, const char *directory, struct facts *facts)
{
    int again = openat(shared, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *names = again < 0 ? NULL : fdopendir(again);
    enum facts_found found = NONE;
    if (names == NULL)
        return DIFFERENT;
    for (struct dirent *each; found != FOUND && (each = readdir(names));) {
        size_t size = strlen(each->d_name);
        if (strncmp(each->d_name, hash, HASH_SIZE - 1) != 0 || size < sizeof ENDING || strcmp(each->d_name + size + 1 - sizeof ENDING, ENDING) != 0)
            continue;
        if (!read_facts(shared, each->d_name, facts) || !is_current(shared, facts))
            continue;
        found = is_asked(facts, argv, directory) ? FOUND : DIFFERENT;
    }
    closedir(names);
    return found;
}
