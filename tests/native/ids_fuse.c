/* Of ids_attacks: file systems whose servers are in the container, and need what answers for ids. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

void fuse(void);

/* A file system whose server asks for its ids before each answer. `next`: the file system that it looks at first, as another
   server's whole work is to look at this one. */
static void serve_files(int fuse, const char *next)
{
    static char in[1 << 17];
    struct {
        struct fuse_out_header header;
        union {
            struct fuse_init_out init;
            struct fuse_entry_out entry;
            struct fuse_attr_out attr;
        } body;
    } out;
    const struct fuse_in_header *header = (void *)in;
    while (read(fuse, in, sizeof in) > 0) {
        struct stat st;
        memset(&out, 0, sizeof out);
        if (header->opcode == FUSE_FORGET || header->opcode == FUSE_BATCH_FORGET || header->opcode == FUSE_INTERRUPT)
            continue;
        if (header->opcode != FUSE_INIT && (syscall(SYS_getuid) != 0 || (next && stat(next, &st) < 0)))
            _exit(1);
        size_t size = 0;
        const struct fuse_attr attr = {.ino = 2, .mode = header->nodeid == 1 && header->opcode == FUSE_GETATTR ? S_IFDIR | 0755 : S_IFREG | 0644, .nlink = 1};
        if (header->opcode == FUSE_INIT) {
            out.body.init = (struct fuse_init_out){.major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION, .max_write = 4096};
            size = sizeof out.body.init;
        } else if (header->opcode == FUSE_LOOKUP) {
            out.body.entry = (struct fuse_entry_out){.nodeid = 2, .entry_valid = 600, .attr_valid = 600, .attr = attr};
            size = sizeof out.body.entry;
        } else if (header->opcode == FUSE_GETATTR) {
            out.body.attr = (struct fuse_attr_out){.attr_valid = 600, .attr = attr};
            size = sizeof out.body.attr;
        } else
            out.header.error = -ENOSYS;
        out.header.len = (uint32_t)(sizeof out.header + size);
        out.header.unique = header->unique;
        if (write(fuse, &out, out.header.len) < 0 && errno != ENOENT)
            _exit(1);
    }
    _exit(0);
}

/* Eight file systems, each of which looks at the next before it answers: as many calls wait at once. */
void fuse(void)
{
    enum { DEEP = 8 };
    struct stat st;
    for (int i = 0; i < DEEP; i++) {
        char options[128], here[16], next[24];
        int fd = open("/dev/fuse", O_RDWR);
        snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
        snprintf(here, sizeof here, "m%d", i);
        snprintf(next, sizeof next, "m%d/x", i - 1);
        mkdir(here, 0755);
        if (mount("test", here, "fuse.test", MS_NOSUID | MS_NODEV, options) < 0)
            _exit(1);
        if (fork() == 0)
            serve_files(fd, i ? next : NULL);
        close(fd);
    }
    printf("file %o\n", stat("m7/x", &st) < 0 ? errno : st.st_mode);
    for (int i = 0; i < DEEP; i++) {
        char here[16];
        snprintf(here, sizeof here, "m%d", i);
        umount2(here, MNT_DETACH);
    }
}
