/* How the sanitizers behave, for scripts/sanitize: tests start programs with an
 * environment of their own. FOUND is where they leave what they find. */

/* Some tests ask for more memory than any machine has. */
#define OPTIONS "allocator_may_return_null=1:log_path=" FOUND "/of"

const char *__asan_default_options(void);
const char *__tsan_default_options(void);

const char *__asan_default_options(void) {
    return OPTIONS;
}

const char *__tsan_default_options(void) {
    return OPTIONS;
}
