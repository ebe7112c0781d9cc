/* ask TYPE: sends the agent at $SSH_AUTH_SOCK a message of that type and nothing else; prints its answer's type. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    unsigned char request[5] = {0, 0, 0, 1}, answer[5];
    const char *path = getenv("SSH_AUTH_SOCK");
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    strncpy(address.sun_path, path ? path : "", sizeof address.sun_path - 1);
    request[4] = (unsigned char)atoi(argc > 1 ? argv[1] : "11");
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        perror("connect");
        return 1;
    }
    if (write(fd, request, sizeof request) != sizeof request || recv(fd, answer, sizeof answer, MSG_WAITALL) != sizeof answer) {
        puts("no answer");
        return 1;
    }
    printf("answer %d\n", answer[4]);
    return 0;
}
