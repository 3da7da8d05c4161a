/* What ThreadSanitizer does not know, put in the place of the C library's own by the
 * linker (--wrap) for scripts/sanitize. */

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/syscall.h>
#include <time.h>

int __clone(int (*start)(void *), void *stack, int flags, void *argument, ...);

/* Its clone(2) expects a child with a memory of its own. */
int __wrap_clone(int (*start)(void *), void *stack, int flags, void *argument) {
    return __clone(start, stack, flags, argument);
}

long __real_syscall(long number, ...);

/* That child must not end what its parent's memory is watched by. */
void __wrap__exit(int code) {
    for (;;) __real_syscall(SYS_exit_group, code);
}

#define SLICE 10000000
#define SECOND 1000000000

/* It keeps signals back until the thread makes a call that it knows. Whoever waits
 * in the kernel makes one from time to time: as if interrupted, which is looked at
 * again. */
static long wait_a_slice(int *word, long operation, long value, const struct timespec *deadline) {
    struct timespec slice;
    clock_gettime(CLOCK_MONOTONIC, &slice);
    slice.tv_nsec += SLICE;
    if (slice.tv_nsec >= SECOND) {
        slice.tv_sec += 1;
        slice.tv_nsec -= SECOND;
    }
    int is_last = deadline && (deadline->tv_sec < slice.tv_sec ||
                               (deadline->tv_sec == slice.tv_sec && deadline->tv_nsec <= slice.tv_nsec));
    long result = __real_syscall(SYS_futex, word, operation, value, is_last ? deadline : &slice, 0, ~0L);
    int cause = errno;
    poll(0, 0, 0);
    errno = result < 0 && cause == ETIMEDOUT && !is_last ? EINTR : cause;
    return result;
}

long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f) {
    if (number == SYS_futex && b == (FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG)) {
        return wait_a_slice((int *)a, b, c, (const struct timespec *)d);
    }
    return __real_syscall(number, a, b, c, d, e, f);
}
