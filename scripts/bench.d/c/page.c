/* The floor of an HTTP server: one thread, one page, one answer a connection.
 *
 * usage: page SOCKET BYTES
 * Answers every request with a body of BYTES bytes. Prints a line when it listens.
 */
#include "common.h"
#include <sys/socket.h>
#include <sys/un.h>

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    int bytes = atoi(argv[2]);
    char *answer = malloc(bytes + 200), request[65536];
    int length = sprintf(answer, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", bytes);
    memset(answer + length, 'x', bytes);
    length += bytes;

    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, argv[1], sizeof address.sun_path - 1);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 128))
        fail(argv[1]);
    puts("listening");
    fflush(stdout);
    for (;;) {
        int client = accept(listener, NULL, NULL);
        if (client < 0)
            continue;
        ssize_t got = 0, more;
        /* A request whose head and body come apart needs a second look. */
        while ((more = read(client, request + got, sizeof request - 1 - got)) > 0) {
            got += more;
            request[got] = 0;
            char *end = strstr(request, "\r\n\r\n"), *body = strstr(request, "Content-Length: ");
            if (end && (!body || got - (end + 4 - request) >= atoi(body + 16)))
                break;
        }
        if (write(client, answer, length) != length)
            perror("write");
        close(client);
    }
}
