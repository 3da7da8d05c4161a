/* An init of one page, the floor of what a supervisor does: starts COUNT
 * processes, reaps everything, and passes SIGTERM on; it ends when none is left.
 *
 * usage: init COUNT COMMAND...
 */
#include "common.h"

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    int count = atoi(argv[1]);
    pid_t *pids = calloc(count, sizeof *pids);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    posix_spawnattr_t attributes;
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
    for (int i = 0; i < count; i++) {
        errno = posix_spawn(&pids[i], argv[2], NULL, &attributes, argv + 2, environ);
        if (errno)
            fail(argv[2]);
    }
    int left = count;
    while (left > 0) {
        int signal;
        sigwait(&set, &signal);
        if (signal == SIGTERM)
            for (int i = 0; i < count; i++)
                if (pids[i])
                    kill(-pids[i], SIGTERM);
        pid_t pid;
        while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
            for (int i = 0; i < count; i++)
                if (pids[i] == pid) {
                    pids[i] = 0;
                    left--;
                }
    }
}
