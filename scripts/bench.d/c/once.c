/* Times a command from posix_spawn to reaped.
 *
 * usage: once RUNS COMMAND...
 * Prints the nanoseconds of each run, one a line. What the command prints is lost.
 */
#include "common.h"

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    int64_t took[100000];
    int out = hide_output(), runs = atoi(argv[1]);
    for (int i = 0; i < runs && i < 100000; i++) {
        int status;
        pid_t pid;
        int64_t began = now();
        errno = posix_spawn(&pid, argv[2], NULL, NULL, argv + 2, environ);
        if (errno)
            fail(argv[2]);
        waitpid(pid, &status, 0);
        took[i] = now() - began;
        if (status != 0) {
            fprintf(stderr, "%s ended with status %d\n", argv[2], status);
            return 1;
        }
    }
    for (int i = 0; i < runs && i < 100000; i++)
        dprintf(out, "%ld\n", took[i]);
}
