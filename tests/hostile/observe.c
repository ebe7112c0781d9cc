/* observe PID COMMAND ARG...: what a container could find in the processes of a command that enters it.
 *
 * The attacks of payload.c look at random moments. This traces COMMAND with all its children, stops them
 * at each system call, and looks then, so that nothing is too short to be seen. It looks as two: as itself,
 * who sees all (root of the session, where COMMAND is executed too); and as the strongest process that the
 * container of PID could have: with every capability in its user namespace. One line for each finding:
 *
 *	entered PID		it is in the container's user namespace from here on
 *	open PID WHEN FD TARGET	it has FD open when it is born into that, and when it ends
 *	root PID ends host	when it ends, its root is ours
 *	seen PID WHEN DOOR	the container could look into it
 *
 * A process that has executed a program inside is the container's own, and let go.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <linux/ptrace.h>
#include <unistd.h>

#define MOST 4194304	/* of pids */
enum { UNKNOWN, OUTSIDE, INSIDE };
static char state[MOST + 1], telling[MOST + 1];	/* of each traced process */
static int requests[2], answers[2];

static int fail(const char *what)
{
	perror(what);
	exit(70);
}

/* The container's process: for each pid that it is asked for, the door that is open, or 0. */
static int look(int container)
{
	char path[64], link[PATH_MAX];
	snprintf(path, sizeof path, "/proc/%d/ns/user", container);
	if (setns(open(path, O_RDONLY), CLONE_NEWUSER) < 0)
		fail("setns");
	int pid;
	while (read(requests[0], &pid, sizeof pid) == sizeof pid) {
		char door = 0;
		snprintf(path, sizeof path, "/proc/%d/root", pid);
		if (readlink(path, link, sizeof link) >= 0)
			door = 'r';
		snprintf(path, sizeof path, "/proc/%d/mem", pid);
		int fd = open(path, O_RDONLY);
		if (fd >= 0)
			door = 'm';
		close(fd);
		int pidfd = syscall(SYS_pidfd_open, pid, 0);
		fd = syscall(SYS_pidfd_getfd, pidfd, 0, 0);
		if (fd >= 0)
			door = 'd';
		close(fd);
		close(pidfd);
		if (write(answers[1], &door, 1) != 1)
			return 1;
	}
	return 0;
}

static int same(const char *one, const char *other)
{
	struct stat a, b;
	return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static void list(int pid, const char *when)
{
	char path[64], target[PATH_MAX];
	snprintf(path, sizeof path, "/proc/%d/fd", pid);
	DIR *d = opendir(path);
	if (!d)
		fail(path);
	for (struct dirent *e; (e = readdir(d));)
		if (atoi(e->d_name) > 2) {
			ssize_t n = readlinkat(dirfd(d), e->d_name, target, sizeof target - 1);
			printf("open %d %s %s %.*s\n", pid, when, e->d_name, n < 0 ? 0 : (int)n, target);
		}
	closedir(d);
}

/* What there is to be said of `pid`, which stands still. */
static void examine(int pid, const char *when)
{
	char path[64], door;
	int born = state[pid] == UNKNOWN, ends = !strcmp(when, "ends");
	snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
	/* One whose memory is gone is looked at when it ends, which is before that. */
	if (access(path, F_OK) == 0 && !same(path, "/proc/self/ns/user")) {
		if (state[pid] != INSIDE)
			printf("entered %d\n", pid);
		state[pid] = INSIDE;
		if (born || ends)
			list(pid, born ? "born" : when);
		snprintf(path, sizeof path, "/proc/%d/root", pid);
		if (ends && same(path, "/"))
			printf("root %d ends host\n", pid);
	} else
		state[pid] = OUTSIDE;
	if (write(requests[1], &pid, sizeof pid) != sizeof pid || read(answers[0], &door, 1) != 1)
		fail("the container's process");
	if (door)
		printf("seen %d %s %s\n", pid, when, door == 'r' ? "root" : door == 'm' ? "memory" : "descriptors");
}

/* Whether `pid` stands before a call that tells another process something. */
static int tells(int pid)
{
	struct ptrace_syscall_info call;
	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof call, &call) <= 0 || call.op != PTRACE_SYSCALL_INFO_ENTRY)
		return 0;
	return call.entry.nr == SYS_sendmsg || call.entry.nr == SYS_sendto;
}

int main(int argc, char **argv)
{
	int status, result = 70, held[64], count = 0, quiet_ms = 0;
	if (argc < 3 || pipe2(requests, O_CLOEXEC) < 0 || pipe2(answers, O_CLOEXEC) < 0)
		return 64;
	setvbuf(stdout, NULL, _IOLBF, 0);
	/* Nobody's child: what is waited for below are the traced, till there are none. */
	int looker = fork();
	if (looker == 0) {
		if (fork())
			return 0;
		close(requests[1]);
		return look(atoi(argv[1]));
	}
	waitpid(looker, &status, 0);
	close(answers[1]);
	int command = fork();
	if (command == 0) {
		/* What it says is not a finding. */
		dup2(2, 1);
		raise(SIGSTOP);
		execvp(argv[2], argv + 2);
		fail(argv[2]);
	}
	waitpid(command, &status, WUNTRACED);
	long options = PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC |
		PTRACE_O_TRACEEXIT | PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;
	if (ptrace(PTRACE_SEIZE, command, 0, options) < 0)
		fail("ptrace");
	kill(command, SIGCONT);
	for (int pid; (pid = waitpid(-1, &status, __WALL | (count ? WNOHANG : 0))) >= 0;) {
		if (pid == 0) {
			usleep(1000);
			if (++quiet_ms > 40)
				while (count)
					ptrace(PTRACE_SYSCALL, held[--count], 0, 0);
			continue;
		}
		quiet_ms = 0;
		for (int i = 0; i < count; i++)	/* killed meanwhile */
			if (held[i] == pid)
				held[i--] = held[--count];
		if (!WIFSTOPPED(status)) {
			state[pid] = UNKNOWN;
			telling[pid] = 0;
			if (pid == command)
				result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
			continue;
		}
		int signal = WSTOPSIG(status), event = status >> 16;
		if (event == PTRACE_EVENT_EXEC && state[pid] == INSIDE) {
			ptrace(PTRACE_DETACH, pid, 0, 0);
			continue;
		}
		if (event == PTRACE_EVENT_STOP && signal != SIGTRAP) {
			ptrace(PTRACE_LISTEN, pid, 0, 0);
			continue;
		}
		examine(pid, event == PTRACE_EVENT_EXIT ? "ends" : "lives");
		/* Who has told something goes on when all others have done what they do about it. */
		if (telling[pid] && !event && count < 64) {
			telling[pid] = 0;
			held[count++] = pid;
			continue;
		}
		telling[pid] = !event && state[pid] == INSIDE && tells(pid);
		/* A signal of its own is passed on. */
		ptrace(PTRACE_SYSCALL, pid, 0, event || signal == (SIGTRAP | 0x80) ? 0 : signal);
	}
	return result;
}
