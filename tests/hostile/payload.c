/* What hostile programs try, one verb each; static, so that it runs in any image.
 *
 * Every attempt prints one line: "OK ..." where it worked, else the name of the errno.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static int tell(long result)
{
	if (result < 0)
		printf("%s\n", strerrorname_np(errno));
	else
		printf("OK %ld\n", result);
	fflush(stdout);
	return 0;
}

/* call NUMBER ARG...: any system call; an argument "@text" is a pointer to the text. */
static int call(int argc, char **argv)
{
	long a[7] = {0};
	for (int i = 0; i < argc && i < 7; i++)
		a[i] = argv[i][0] == '@' ? (long)(argv[i] + 1) : strtol(argv[i], NULL, 0);
	return tell(syscall(a[0], a[1], a[2], a[3], a[4], a[5], a[6]));
}

/* socketcall CALL FAMILY TYPE: the 32-bit multiplexer, from 64 bits by int 0x80; its arguments lie below 4 GiB. */
static int socketcall(long call, int family, int type)
{
#ifdef __x86_64__
	unsigned *arguments = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	int result;
	arguments[0] = family, arguments[1] = type, arguments[2] = 0;
	arguments[3] = (unsigned)(long)(arguments + 8);
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(102), "b"(call), "c"(arguments) : "memory", "r8", "r9", "r10", "r11");
	if (result < 0)
		errno = -result;
	return tell(result < 0 ? -1 : result);
#else
	errno = ENOSYS;
	return tell(-1);
#endif
}

/* descriptors: every open one above 2, with what it is. */
static int descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;
	char path[64], target[PATH_MAX];
	while (d && (e = readdir(d))) {
		int fd = atoi(e->d_name);
		if (fd < 3 || fd == dirfd(d))
			continue;
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		ssize_t n = readlink(path, target, sizeof target - 1);
		printf("%d %.*s\n", fd, n < 0 ? 0 : (int)n, target);
	}
	return 0;
}

/* swap A B: exchange two names as fast as can be, until killed. */
static int swap(const char *a, const char *b)
{
	puts("swapping");
	fflush(stdout);
	for (;;)
		if (syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, 2) < 0 && errno != ENOENT)
			return tell(-1);
}

static void report(int pid, const char *what)
{
	char path[64], exe[PATH_MAX], line[256];
	snprintf(path, sizeof path, "/proc/%d/exe", pid);
	ssize_t n = readlink(path, exe, sizeof exe);
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	int fd = open(path, O_RDONLY);
	ssize_t m = fd < 0 ? 0 : read(fd, line, 20);
	close(fd);
	printf("caught %d %s: %.*s, %.*s\n", pid, what, n < 0 ? 0 : (int)n, exe, m < 0 ? 0 : (int)m, line);
	fflush(stdout);
}

static int ending(int pid)
{
	char path[64], line[512] = "";
	snprintf(path, sizeof path, "/proc/%d/statm", pid);
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof line - 1);
	close(fd);
	return n <= 0 || !strncmp(line, "0 ", 2);
}

/* Whether it runs a program of this image (where files are given one of those), or the one in sealed memory
 * that executes a command: that has no more rights than the command, and nothing to hide. */
static int is_known(int pid, const struct stat *self, const struct stat *root, char **files)
{
	static const char sealed[] = "/memfd:rootless-";
	struct stat other;
	char path[64], exe[PATH_MAX];
	snprintf(path, sizeof path, "/proc/%d/exe", pid);
	ssize_t n = readlink(path, exe, sizeof exe);
	if (n > 0 && !strncmp(exe, sealed, sizeof sealed - 1))
		return 1;
	if (stat(path, &other) < 0)
		return 0;
	for (char **file = files; *file; file++) {
		struct stat one;
		if (stat(*file, &one) == 0 && one.st_ino == other.st_ino && one.st_dev == other.st_dev)
			return 1;
	}
	return !*files && (other.st_dev == self->st_dev || other.st_dev == root->st_dev);
}

/* watch SECONDS FILE...: everything in /proc that is not of this image, looked into by every door. */
static int watch(int seconds, char **files)
{
	struct stat self, root;
	char path[64], buffer[256];
	static const char *const doors[] = {"exe", "root", "cwd", "environ", "mem", "maps", "fd/3", "map_files", "auxv"};
	time_t end = time(NULL) + seconds;
	stat("/proc/self/exe", &self);
	stat("/", &root);
	puts("watching");
	fflush(stdout);
	while (time(NULL) < end) {
		DIR *d = opendir("/proc");
		struct dirent *e;
		while ((e = readdir(d))) {
			int pid = atoi(e->d_name);
			if (pid <= 1 || pid == getpid())
				continue;
			/* One that is ending has no program any more; its root is the container's. */
			if (is_known(pid, &self, &root, files) || ending(pid))
				continue;
			for (size_t i = 0; i < sizeof doors / sizeof *doors; i++) {
				snprintf(path, sizeof path, "/proc/%d/%s", pid, doors[i]);
				int fd = open(path, O_RDONLY | O_NONBLOCK);
				if (fd < 0)
					continue;
				ssize_t n = read(fd, buffer, sizeof buffer);
				/* A directory may be opened and show no more than "." and "..". */
				if (n < 0 && errno == EISDIR)
					n = syscall(SYS_getdents64, fd, buffer, sizeof buffer) - 48;
				/* The process may have become one of ours between the two looks. */
				if (n > 0 && !is_known(pid, &self, &root, files) && !ending(pid))
					report(pid, doors[i]);
				close(fd);
			}
		}
		closedir(d);
	}
	puts("watched");
	return 0;
}

/* abstract NAME: connect to a socket of the abstract namespace. */
static int abstract(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	memcpy(address.sun_path + 1, name, strlen(name));
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	return tell(connect(fd, (void *)&address, offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name)));
}

/* unix PATH: connect to a socket of the file system. */
static int connect_path(const char *path, int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	strncpy(address.sun_path, path, sizeof address.sun_path - 1);
	int fd = socket(AF_UNIX, type, 0);
	if (connect(fd, (void *)&address, sizeof address) < 0)
		return tell(-1);
	char byte;
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec part = {&byte, 1};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	ssize_t n = recvmsg(fd, &message, 0);
	if (n == 0) {
		puts("EOF");
		return 0;
	}
	return tell(n);
}

/* typing: put a character into the terminal's input, as if the user had typed it. */
static int typing(void)
{
	for (int fd = 0; fd < 3; fd++) {
		if (isatty(fd))
			printf("%d is a terminal: ", fd);
		tell(ioctl(fd, TIOCSTI, "x"));
	}
	int tty = open("/dev/tty", O_RDWR);
	return tty < 0 ? tell(-1) : tell(ioctl(tty, TIOCSTI, "x"));
}

/* trace PID: attach, and read memory. */
static int trace(int pid)
{
	char byte;
	struct iovec mine = {&byte, 1}, theirs = {(void *)0x400000, 1};
	tell(ptrace(PTRACE_SEIZE, pid, 0, 0));
	tell(process_vm_readv(pid, &mine, 1, &theirs, 1, 0));
	int pidfd = syscall(SYS_pidfd_open, pid, 0);
	tell(pidfd < 0 ? -1 : syscall(SYS_pidfd_getfd, pidfd, 0, 0));
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/mem", pid);
	tell(open(path, O_RDWR));
	snprintf(path, sizeof path, "/proc/%d/root/etc", pid);
	return tell(open(path, O_RDONLY));
}

/* handle PATH: open file handles of the file system that PATH lies on ("shocker"). */
static int handle(const char *path)
{
	struct { struct file_handle h; char id[128]; } found = {.h = {.handle_bytes = 128}};
	int mount_id, fd = open(path, O_RDONLY);
	if (name_to_handle_at(AT_FDCWD, path, &found.h, &mount_id, 0) < 0)
		return tell(-1);
	return tell(open_by_handle_at(fd, &found.h, O_RDONLY));
}

/* overwrite PATH: open for writing. */
static int overwrite(const char *path)
{
	int fd = open(path, O_WRONLY);
	return tell(fd < 0 ? -1 : 0);
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	if (!strcmp(verb, "call"))
		return call(argc - 2, argv + 2);
	if (!strcmp(verb, "socketcall") && argc == 5)
		return socketcall(atoi(argv[2]), atoi(argv[3]), atoi(argv[4]));
	if (!strcmp(verb, "descriptors"))
		return descriptors();
	if (!strcmp(verb, "swap") && argc == 4)
		return swap(argv[2], argv[3]);
	if (!strcmp(verb, "watch") && argc >= 3)
		return watch(atoi(argv[2]), argv + 3);
	if (!strcmp(verb, "abstract") && argc == 3)
		return abstract(argv[2]);
	if (!strcmp(verb, "unix") && argc == 3)
		return connect_path(argv[2], SOCK_STREAM);
	if (!strcmp(verb, "seqpacket") && argc == 3)
		return connect_path(argv[2], SOCK_SEQPACKET);
	if (!strcmp(verb, "typing"))
		return typing();
	if (!strcmp(verb, "trace") && argc == 3)
		return trace(atoi(argv[2]));
	if (!strcmp(verb, "handle") && argc == 3)
		return handle(argv[2]);
	if (!strcmp(verb, "kill") && argc == 4)
		return tell(kill(atoi(argv[2]), atoi(argv[3])));
	if (!strcmp(verb, "overwrite"))
		for (int i = 2; i < argc; i++)
			overwrite(argv[i]);
	else
		return 64;
	return 0;
}
