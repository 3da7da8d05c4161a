/* Makes HTTP requests, each on a connection of its own, and times them.
 *
 * usage: request ADDRESS CLIENTS COUNT METHOD PATH [BODY]
 * ADDRESS is the path of a Unix socket or a port of 127.0.0.1. With one client
 * prints the nanoseconds of each request; with more prints one number, the
 * nanoseconds in which all COUNT requests were answered. Every answer must be a
 * 200 and must be complete.
 */
#include "address.h"

static struct sockaddr_storage address;
static socklen_t address_length;
static char request[70000];
static size_t request_length;

static void ask(void)
{
    char answer[65536], first[16];
    size_t total = 0;
    ssize_t got;
    int server = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* A backlog that is full is no failure of the server. */
    while (connect(server, (struct sockaddr *)&address, address_length))
        if (errno != EAGAIN && errno != EINTR)
            fail("connect");
        else
            sched_yield();
    if (write(server, request, request_length) != (ssize_t)request_length)
        fail("write");
    while ((got = read(server, answer, sizeof answer)) > 0) {
        for (ssize_t i = 0; i < got && total + i < 15; i++)
            first[total + i] = answer[i];
        total += got;
    }
    close(server);
    if (got < 0 || total < 15 || memcmp(first, "HTTP/1.", 7) || memcmp(first + 8, " 200", 4)) {
        fprintf(stderr, "not a 200: %.*s\n", (int)(total < 15 ? total : 15), first);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    if (argc < 6)
        return 2;
    int clients = atoi(argv[2]), count = atoi(argv[3]);
    const char *body = argc > 6 ? argv[6] : "";
    address = address_of(argv[1], &address_length);
    request_length = snprintf(request, sizeof request,
        "%s %s HTTP/1.1\r\nHost: bench\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
        argv[4], argv[5], strlen(body), body);

    if (clients == 1) {
        int64_t *took = malloc(count * sizeof *took);
        for (int i = 0; i < count; i++) {
            int64_t began = now();
            ask();
            took[i] = now() - began;
        }
        for (int i = 0; i < count; i++)
            printf("%ld\n", took[i]);
        return 0;
    }
    int64_t began = now();
    for (int i = 0; i < clients; i++)
        if (fork() == 0) {
            for (int j = i; j < count; j += clients)
                ask();
            _exit(0);
        }
    int status, bad = 0;
    while (wait(&status) > 0)
        bad |= status;
    printf("%ld\n", now() - began);
    return bad != 0;
}
