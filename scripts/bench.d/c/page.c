/* The floor of an HTTP server: one thread, one page, one answer a connection.
 *
 * usage: page ADDRESS BYTES
 * ADDRESS is the path of a Unix socket or a port of 127.0.0.1. Answers every request with a body of BYTES bytes. Prints a line when it listens.
 */
#include "address.h"

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    int bytes = atoi(argv[2]);
    char *answer = malloc(bytes + 200), request[65536];
    int length = sprintf(answer, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", bytes);
    memset(answer + length, 'x', bytes);
    length += bytes;

    socklen_t address_length;
    struct sockaddr_storage address = address_of(argv[1], &address_length);
    int listener = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, address_length) || listen(listener, 128))
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
