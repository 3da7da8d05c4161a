/* Times the life of a supervisor: from its exec to the first instruction of its
 * first and of its last job, and from the stop signal until it is reaped.
 *
 * usage: cycle RUNS STAMPS FIFO SIGNAL COMMAND...
 * STAMPS jobs write their stamps to FIFO in each run (see job.c). With SIGNAL 0
 * the command is expected to end by itself. Prints "FIRST LAST STOP" a run, in
 * nanoseconds.
 */
#include "common.h"

/* What is stopped is at rest: how long it is left alone before, in us. */
enum { AT_REST = 20000 };

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Reads as many stamps. One from before is of a job that was told to end late. */
static void read_stamps(int fifo, int64_t *stamps, int count, int64_t began)
{
    for (int i = 0; i < count;) {
        if (read(fifo, &stamps[i], sizeof *stamps) != sizeof *stamps)
            fail("no stamps");
        i += stamps[i] >= began;
    }
}

int main(int argc, char **argv)
{
    if (argc < 6)
        return 2;
    int runs = atoi(argv[1]), count = atoi(argv[2]), signal = atoi(argv[4]);
    int fifo = open(argv[3], O_RDWR | O_CLOEXEC);
    int64_t *stamps = malloc(count * sizeof *stamps);
    if (fifo < 0 || !stamps)
        fail(argv[3]);
    /* What a supervisor leaves behind when it ends is cleared away between the
     * runs, and must not be adopted by anybody else. */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    alarm(100);
    int out = hide_output();
    for (int i = 0; i < runs; i++) {
        int64_t began = now();
        pid_t pid = start(argv + 5);
        read_stamps(fifo, stamps, count, began);
        qsort(stamps, count, sizeof *stamps, compare);
        if (signal)
            usleep(AT_REST);
        int64_t told = now();
        if (signal)
            kill(pid, signal);
        if (waitpid(pid, NULL, 0) != pid)
            fail("waitpid");
        int64_t ended = now();
        dprintf(out, "%ld %ld %ld\n", stamps[0] - began, stamps[count - 1] - began, ended - told);
        kill(-pid, SIGTERM);
        while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
            ;
    }
}
