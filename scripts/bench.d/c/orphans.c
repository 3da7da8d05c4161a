/* A job that leaves orphans to PID 1 and times until the last one is reaped.
 *
 * usage: orphans stream|burst COUNT FILE
 * stream: one after the other, each ending at once. burst: all are there before
 * they end together. FILE gets the nanoseconds and the number of orphans that
 * were never reaped.
 */
#include "common.h"
#include <sys/mman.h>

/* Makes a process whose parent has ended; it stays until it is killed, or not. */
static pid_t orphan(volatile pid_t *slot, int stays)
{
    pid_t parent = fork();
    if (parent < 0)
        fail("fork");
    if (parent == 0) {
        pid_t pid = fork();
        if (pid == 0) {
            if (stays)
                pause();
            _exit(0);
        }
        *slot = pid;
        _exit(pid < 0);
    }
    waitpid(parent, NULL, 0);
    return *slot;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    int is_burst = !strcmp(argv[1], "burst"), count = atoi(argv[2]);
    pid_t *pids = malloc(count * sizeof *pids);
    volatile pid_t *slot = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int64_t began = now();
    for (int i = 0; i < count; i++)
        pids[i] = orphan(slot, is_burst);
    if (is_burst) {
        began = now();
        for (int i = 0; i < count; i++)
            kill(pids[i], SIGKILL);
    }
    /* Who is not reaped can still be signalled; who is not reaped after ten
     * seconds in which nothing has changed never will be. */
    int left = count;
    for (int64_t changed = now(); left > 0 && now() - changed < 10000000000LL;) {
        int before = left;
        while (left > 0 && kill(pids[left - 1], 0) != 0)
            left--;
        if (left != before)
            changed = now();
        else
            usleep(50);
    }
    FILE *file = fopen(argv[3], "w");
    fprintf(file, "%ld %d\n", now() - began, left);
    fclose(file);
    return 0;
}
