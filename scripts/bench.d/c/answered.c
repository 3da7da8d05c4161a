/* Times a server from its exec to its first answer.
 *
 * usage: answered RUNS SOCKET COMMAND...
 * Asks GET /v3/ping on the Unix socket until it is answered, then ends the
 * command with SIGTERM. Prints the nanoseconds of each run, one a line.
 */
#include "address.h"

static int is_answered(const struct sockaddr_storage *address, socklen_t length)
{
    static const char request[] = "GET /v3/ping HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n";
    char answer[1000];
    ssize_t got = 0;
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(server, (const struct sockaddr *)address, length) == 0
        && write(server, request, sizeof request - 1) > 0)
        got = read(server, answer, sizeof answer);
    close(server);
    return got > 12 && !memcmp(answer + 8, " 200", 4);
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    socklen_t length;
    struct sockaddr_storage address = address_of(argv[2], &length);
    int out = hide_output();
    alarm(100);
    for (int runs = atoi(argv[1]); runs > 0; runs--) {
        int64_t began = now();
        pid_t pid = start(argv + 3);
        while (!is_answered(&address, length))
            if (waitpid(pid, NULL, WNOHANG) == pid)
                fail("it has ended");
            else
                usleep(20);
        dprintf(out, "%ld\n", now() - began);
        kill(pid, SIGTERM);
        waitpid(pid, NULL, 0);
    }
}
