/* What a container says in our name: makes helpers/exec.c, the last program of ours that runs inside, say MESSAGEs.
 *
 *	forge inside MESSAGE...			as PID 1 of a container: seizes the processes of its pid namespace as they
 *						are born, and gets in, sometimes, when that program is executed
 *	forge outside FILE MESSAGE... -- COMMAND...	the same without the race: traces COMMAND of ours, and does at
 *						the same moment what the container would, for sure
 *
 * Each MESSAGE is sent as one packet on every descriptor that takes it, till it is killed for it. "+MESSAGE" goes with a descriptor (that
 * process's stdout), "deep" is a list in a list in a list... One line "sent COUNT" for each, on stdout or in FILE.
 * x86-64 only.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILLED (-10000) /* for what it has said */
#define ROOM 90000 /* below the stack's pointer, of what the kernel gives a new program there */

static int put(pid_t pid, unsigned long at, const void *what, size_t size)
{
	struct iovec mine = {(void *)what, size}, theirs = {(void *)at, size};
	return process_vm_writev(pid, &mine, 1, &theirs, 1, 0) == (ssize_t)size;
}

static long call(pid_t pid, const struct user_regs_struct *saved, long number, long a, long b, long c, long d)
{
	struct user_regs_struct regs = *saved;
	int status;
	regs.rax = number, regs.orig_rax = -1;
	regs.rdi = a, regs.rsi = b, regs.rdx = c, regs.r10 = d, regs.r8 = regs.r9 = 0;
	ptrace(PTRACE_SETREGS, pid, 0, &regs);
	ptrace(PTRACE_SINGLESTEP, pid, 0, 0);
	if (waitpid(pid, &status, __WALL) < 0 || !WIFSTOPPED(status))
		return KILLED;
	return ptrace(PTRACE_GETREGS, pid, 0, &regs) ? KILLED : (long)regs.rax;
}

/* On all that it has open; how often it was taken. */
static int say(pid_t pid, const struct user_regs_struct *saved, const char *text)
{
	unsigned long at = saved->rsp - ROOM;
	int passes = *text == '+', sent = 0;
	text += passes;
	size_t size = strlen(text);
	struct { struct msghdr header; struct iovec part; char control[CMSG_SPACE(sizeof(int))]; } message = {0};
	message.header = (struct msghdr){.msg_iov = (void *)(at + offsetof(typeof(message), part)), .msg_iovlen = 1};
	message.part = (struct iovec){(void *)(at + sizeof message), size};
	if (passes) {
		struct cmsghdr *rights = (void *)message.control;
		rights->cmsg_level = SOL_SOCKET, rights->cmsg_type = SCM_RIGHTS, rights->cmsg_len = CMSG_LEN(sizeof(int));
		*(int *)CMSG_DATA(rights) = 1;
		message.header.msg_control = (void *)(at + offsetof(typeof(message), control));
		message.header.msg_controllen = sizeof message.control;
	}
	if (!put(pid, at, &message, sizeof message) || !put(pid, at + sizeof message, text, size))
		return -1;
	for (int fd = 3; fd < 40; fd++)
		switch (call(pid, saved, SYS_sendmsg, fd, at, MSG_NOSIGNAL | MSG_DONTWAIT, 0)) {
		case KILLED: return sent + 1;
		case 1 ... 1 << 20: sent++;
		}
	return sent;
}

static int is_ours(pid_t pid)
{
	char path[64], exe[PATH_MAX];
	snprintf(path, sizeof path, "/proc/%d/exe", pid);
	ssize_t size = readlink(path, exe, sizeof exe - 1);
	exe[size < 0 ? 0 : size] = 0;
	return strncmp(exe, "/memfd:rootless-exec", 20) == 0;
}

static void attack(pid_t pid, char **messages, FILE *out)
{
	struct user_regs_struct saved;
	static char deep[60001];
	memset(deep, '[', sizeof deep - 1);
	ptrace(PTRACE_GETREGS, pid, 0, &saved);
	long text = ptrace(PTRACE_PEEKTEXT, pid, saved.rip, 0);
	ptrace(PTRACE_POKETEXT, pid, saved.rip, (text & ~0xffffL) | 0x050f); /* syscall */
	call(pid, &saved, SYS_getpid, 0, 0, 0, 0); /* the execve(2) that it is in returns first */
	for (; *messages && strcmp(*messages, "--"); messages++) {
		fprintf(out, "sent %d\n", say(pid, &saved, strcmp(*messages, "deep") ? *messages : deep));
		fflush(out);
	}
	ptrace(PTRACE_POKETEXT, pid, saved.rip, text);
	ptrace(PTRACE_SETREGS, pid, 0, &saved);
}

_Noreturn static void inside(char **messages)
{
	int status;
	puts("waiting");
	fflush(stdout);
	for (pid_t pid = getpid() + 1;; pid++) {
		while (ptrace(PTRACE_SEIZE, pid, 0, 0)) /* EPERM while it is ours, ESRCH before it is there */
			;
		ptrace(PTRACE_INTERRUPT, pid, 0, 0);
		if (waitpid(pid, &status, __WALL) < 0 || !WIFSTOPPED(status))
			continue;
		if (is_ours(pid))
			attack(pid, messages, stdout);
		ptrace(PTRACE_DETACH, pid, 0, 0);
	}
}

static int outside(const char *file, char **messages)
{
	int status, result = 70;
	FILE *out = fopen(file, "ae");
	char **argv = messages;
	while (*argv && strcmp(*argv, "--"))
		argv++;
	pid_t command = fork();
	if (command == 0) {
		raise(SIGSTOP);
		execvp(argv[1], argv + 1);
		_exit(127);
	}
	waitpid(command, &status, WUNTRACED);
	long options = PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC;
	if (ptrace(PTRACE_SEIZE, command, 0, options) < 0)
		return 71;
	kill(command, SIGCONT);
	for (pid_t pid; (pid = waitpid(-1, &status, __WALL)) >= 0;) {
		if (!WIFSTOPPED(status)) {
			if (pid == command) /* what it leaves behind goes on, untraced */
				return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
			continue;
		}
		int event = status >> 16;
		if (event == PTRACE_EVENT_EXEC && is_ours(pid)) {
			attack(pid, messages, out);
			ptrace(PTRACE_DETACH, pid, 0, 0);
		} else if (event == PTRACE_EVENT_STOP && WSTOPSIG(status) != SIGTRAP) {
			ptrace(PTRACE_LISTEN, pid, 0, 0);
		} else {
			ptrace(PTRACE_CONT, pid, 0, event ? 0 : WSTOPSIG(status));
		}
	}
	return result;
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "inside"))
		inside(argv + 2);
	if (argc > 4 && !strcmp(argv[1], "outside"))
		return outside(argv[2], argv + 3);
	return 64;
}
