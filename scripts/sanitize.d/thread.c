/* What ThreadSanitizer does not know, put in the place of the C library's own by the
 * linker (--wrap) for scripts/sanitize. */

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

int __clone(int (*start)(void *), void *stack, int flags, void *argument, ...);
long __real_syscall(long number, ...);

void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);
void __tsan_destroy_fiber(void *fiber);

struct child {
    int (*start)(void *);
    void *argument;
    void *fiber;
};

/* The child has the variables of its parent's thread too. */
static __thread int is_child;

static int run_child(void *argument) {
    struct child *child = argument;
    is_child = 1;
    __tsan_switch_to_fiber(child->fiber, 0);
    return child->start(child->argument);
}

/* Its clone(2) expects a child with a memory of its own. This one shares it, and
 * never leaves the functions in which it becomes a program: another stack of calls. */
int __wrap_clone(int (*start)(void *), void *stack, int flags, void *argument) {
    void *own = __tsan_get_current_fiber();
    struct child child = {start, argument, __tsan_create_fiber(0)};
    int pid = __clone(run_child, stack, flags, &child);
    int cause = errno;
    is_child = 0;
    if (pid >= 0) __tsan_switch_to_fiber(own, 0);
    __tsan_destroy_fiber(child.fiber);
    errno = cause;
    return pid;
}

/* That child must not end what its parent's memory is watched by. */
void __wrap__exit(int code) {
    for (;;) __real_syscall(SYS_exit_group, code);
}

/* Nor are its descriptors its parent's, which one table is kept of. */
int __real_dup2(int from, int to);
int __real_open(const char *path, int flags, int mode);
long __real_write(int descriptor, const void *bytes, unsigned long length);
int __real_close(int descriptor);

int __wrap_dup2(int from, int to) {
    return is_child ? (int)__real_syscall(SYS_dup2, from, to) : __real_dup2(from, to);
}

int __wrap_open(const char *path, int flags, int mode) {
    return is_child ? (int)__real_syscall(SYS_open, path, flags, mode)
                    : __real_open(path, flags, mode);
}

long __wrap_write(int descriptor, const void *bytes, unsigned long length) {
    return is_child ? __real_syscall(SYS_write, descriptor, bytes, length)
                    : __real_write(descriptor, bytes, length);
}

int __wrap_close(int descriptor) {
    return is_child ? (int)__real_syscall(SYS_close, descriptor) : __real_close(descriptor);
}

/* It keeps signals back until the thread makes a call that it knows. So who waits
 * for clients does so in one. */
int __real_accept4(int listener, struct sockaddr *address, socklen_t *length, int flags);

int __wrap_accept4(int listener, struct sockaddr *address, socklen_t *length, int flags) {
    struct timeval soon = {0, 10000}, never = {0, 0};
    while (!(fcntl(listener, F_GETFL) & O_NONBLOCK)) {
        struct pollfd client = {listener, POLLIN, 0};
        poll(&client, 1, -1);
        /* Another thread may have been faster. */
        setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon);
        int accepted = __real_accept4(listener, address, length, flags);
        if (accepted >= 0) setsockopt(accepted, SOL_SOCKET, SO_RCVTIMEO, &never, sizeof never);
        if (accepted >= 0 || errno != EAGAIN) return accepted;
    }
    return __real_accept4(listener, address, length, flags);
}

#define SLICE 10000000
#define SECOND 1000000000

/* And who waits for other threads makes one from time to time: as if interrupted,
 * which is looked at again. */
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
