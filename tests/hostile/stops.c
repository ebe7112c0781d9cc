/* What a process does with ptrace(2) to those who wait for it; one verb each. Prints as it goes.
 *
 *	traceme		becomes the tracee of whoever has started it, and stops; "went on" if it is let go
 *	thread		the same, of a thread of its own, which ends then
 *	orphan		the same, but would outlive who has started it; says "up" every 200 ms
 *	hold PID	seizes PID and never waits for it; with another word, until its input ends
 *	wait		waits to be held: "pid PID", then ends with 7 at the first byte of its input
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

static void tell(const char *what)
{
	puts(what);
	fflush(stdout);
}

static void caught(int number)
{
	(void)number;
	if (write(1, "caught\n", 7) < 0)
		_exit(1);
}

static void *thread(void *unused)
{
	ptrace(PTRACE_TRACEME, 0, 0, 0);
	syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1);
	return unused;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	signal(SIGUSR1, caught);
	if (!strcmp(verb, "traceme") || !strcmp(verb, "orphan")) {
		if (*verb == 'o')
			prctl(PR_SET_PDEATHSIG, 0);
		if (ptrace(PTRACE_TRACEME, 0, 0, 0))
			return 66;
		raise(*verb == 'o' ? SIGURG : SIGUSR1);
		tell("went on");
		while (*verb == 'o' && usleep(200000) == 0)
			tell("up");
		return 3;
	}
	if (!strcmp(verb, "thread")) {
		pthread_t one;
		if (pthread_create(&one, NULL, thread, NULL))
			return 66;
		pthread_join(one, NULL);
		tell("went on");
		return 4;
	}
	if (!strcmp(verb, "hold") && argc >= 3) {
		while (ptrace(PTRACE_SEIZE, atoi(argv[2]), 0, 0) && errno == ESRCH)
			usleep(10000);
		tell("held");
		if (argc == 4)
			return getchar();
		for (;;)
			pause();
	}
	if (!strcmp(verb, "wait")) {
		printf("pid %d\n", getpid());
		tell("waiting");
		getchar();
		return 7;
	}
	return 64;
}
