/* A rank without an MPI library: what such a library does that a container may forbid.

   rank cma DIR N      of N ranks: read the next one's memory (process_vm_readv), as MPI's single copy within a node does
   rank pmi            the wire protocol PMI-1 over the descriptor PMI_FD: put, barrier, get, as MPI_Init does */

#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static char memory[1 << 20];

static void await(const char *path, long *pid, unsigned long *address)
{
    for (;;) {
        FILE *file = fopen(path, "r");
        int found = file ? fscanf(file, "%ld %lx\n", pid, address) : 0;
        if (file)
            fclose(file);
        if (found == 2)
            return;
        usleep(10000);
    }
}

static void announce(const char *directory, const char *kind, int rank)
{
    char new[256], path[256];
    snprintf(new, sizeof new, "%s/.%s.%d", directory, kind, rank);
    snprintf(path, sizeof path, "%s/%s.%d", directory, kind, rank);
    FILE *file = fopen(new, "w");
    if (!file)
        exit(2);
    fprintf(file, "%ld %lx\n", (long)getpid(), (unsigned long)memory);
    fclose(file);
    rename(new, path);
}

static int single_copy(const char *directory, int ranks)
{
    static char copy[sizeof memory];
    int rank = atoi(getenv("SLURM_PROCID")), next = (rank + 1) % ranks;
    char path[256];
    long pid;
    unsigned long address;
    memset(memory, 'a' + rank, sizeof memory);
    announce(directory, "here", rank);
    snprintf(path, sizeof path, "%s/here.%d", directory, next);
    await(path, &pid, &address);
    struct iovec to = {copy, sizeof copy}, from = {(void *)address, sizeof memory};
    if (process_vm_readv((pid_t)pid, &to, 1, &from, 1, 0) != (ssize_t)sizeof copy) {
        perror("process_vm_readv");
        return 1;
    }
    printf("%d read %c\n", rank, copy[sizeof copy - 1]);
    fflush(stdout);
    announce(directory, "done", rank); /* nobody ends before all have read */
    for (int i = 0; i < ranks; i++) {
        snprintf(path, sizeof path, "%s/done.%d", directory, i);
        await(path, &pid, &address);
    }
    return 0;
}

/* The answer to a command, of which the value after `key`, "name=", is returned. */
static char *ask(FILE *to, FILE *from, const char *command, const char *key)
{
    static char line[4096], value[1024];
    fprintf(to, "%s\n", command);
    fflush(to);
    if (!fgets(line, sizeof line, from))
        exit(3);
    char *found = strstr(line, key);
    if (!found || sscanf(found + strlen(key), "%1023[^ \n]", value) != 1) {
        fprintf(stderr, "%s: %s", command, line);
        exit(4);
    }
    return value;
}

static int speak_pmi(void)
{
    int fd = atoi(getenv("PMI_FD")), rank = atoi(getenv("PMI_RANK")), size = atoi(getenv("PMI_SIZE"));
    FILE *to = fdopen(fd, "w"), *from = fdopen(dup(fd), "r");
    char command[512], name[256], expected[64];
    if (!to || !from)
        return 2;
    ask(to, from, "cmd=init pmi_version=1 pmi_subversion=1", "rc=");
    snprintf(name, sizeof name, "%s", ask(to, from, "cmd=get_my_kvsname", "kvsname="));
    snprintf(command, sizeof command, "cmd=put kvsname=%s key=rank%d value=of-%d", name, rank, rank);
    ask(to, from, command, "rc=");
    ask(to, from, "cmd=barrier_in", "cmd=");
    snprintf(command, sizeof command, "cmd=get kvsname=%s key=rank%d", name, (rank + 1) % size);
    snprintf(expected, sizeof expected, "of-%d", (rank + 1) % size);
    int same = strcmp(ask(to, from, command, "value="), expected) == 0;
    ask(to, from, "cmd=finalize", "cmd=");
    printf("%d of %d: %s\n", rank, size, same ? "ring" : "broken");
    return !same;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "cma") == 0)
        return single_copy(argv[2], atoi(argv[3]));
    if (argc == 2 && strcmp(argv[1], "pmi") == 0)
        return speak_pmi();
    return 64;
}
