/* exchange WATCHED PATH TARGET: as soon as somebody opens the file WATCHED, PATH is a link to TARGET. "OK" when it watches, and again then. */
#include <limits.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char event[4096], old[PATH_MAX];
	int fd = inotify_init();
	if (argc != 4 || fd < 0 || inotify_add_watch(fd, argv[1], IN_OPEN) < 0)
		return 1;
	snprintf(old, sizeof old, "%s.old", argv[2]);
	puts("OK");
	fflush(stdout);
	if (read(fd, event, sizeof event) < 0 || rename(argv[2], old) < 0 || symlink(argv[3], argv[2]) < 0)
		return 2;
	puts("OK");
	return 0;
}
