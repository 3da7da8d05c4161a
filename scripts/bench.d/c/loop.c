/* The floor of everything that starts processes one after the other: posix_spawn
 * and waitpid in a loop.
 *
 * usage: loop ROUNDS BURST PAUSE_US COMMAND...
 * Each round starts and reaps the command BURST times, then waits.
 */
#include "common.h"

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    int rounds = atoi(argv[1]), burst = atoi(argv[2]), pause = atoi(argv[3]);
    for (int i = 0; i < rounds; i++) {
        for (int j = 0; j < burst; j++) {
            pid_t pid;
            errno = posix_spawn(&pid, argv[4], NULL, NULL, argv + 4, environ);
            if (errno)
                fail(argv[4]);
            waitpid(pid, NULL, 0);
        }
        if (pause)
            usleep(pause);
    }
}
