/* memcpy and memmove in the place of musl's, which are a "rep movs" each: good
 * for pages, but it takes longer to begin than a few bytes take to copy, and
 * backwards it copies byte by byte. Most of what is copied here is a few bytes.
 *
 * Up to 128 bytes are all loaded before the first is stored, so that overlaps
 * need no thought; more goes in pieces of 64 from the end that is safe. */
#include <stddef.h>
#include <stdint.h>

#ifndef __x86_64__
#error "other processors have what musl brings for them"
#endif

/* From here on the processor's own copying is faster. */
#define LARGE 2048

typedef uint16_t u16 __attribute__((aligned(1), may_alias));
typedef uint32_t u32 __attribute__((aligned(1), may_alias));
typedef uint64_t u64 __attribute__((aligned(1), may_alias));
typedef uint64_t u128 __attribute__((vector_size(16), aligned(1), may_alias));

/* Copies of a length from sizeof(T) to twice that: both ends, which may overlap. */
#define BOTH_ENDS(T)                                                                     \
    do {                                                                                 \
        T first = *(const T *)from, last = *(const T *)(from + length - sizeof(T));      \
        *(T *)to = first;                                                                \
        *(T *)(to + length - sizeof(T)) = last;                                          \
    } while (0)

struct piece {
    u128 a, b, c, d;
};

static inline struct piece load(const char *from)
{
    const u128 *at = (const u128 *)from;
    return (struct piece){at[0], at[1], at[2], at[3]};
}

static inline void store(char *to, struct piece piece)
{
    u128 *at = (u128 *)to;
    at[0] = piece.a;
    at[1] = piece.b;
    at[2] = piece.c;
    at[3] = piece.d;
}

static inline void copy_small(char *to, const char *from, size_t length)
{
    if (length >= 8)
        BOTH_ENDS(u64);
    else if (length >= 4)
        BOTH_ENDS(u32);
    else if (length >= 2)
        BOTH_ENDS(u16);
    else if (length)
        *to = *from;
}

static void copy_upwards(char *to, const char *from, size_t length)
{
    char *end = to + length - sizeof(struct piece);
    struct piece last = load(from + length - sizeof(struct piece));
    for (; to < end; to += sizeof(struct piece), from += sizeof(struct piece))
        store(to, load(from));
    store(end, last);
}

static void copy_downwards(char *to, const char *from, size_t length)
{
    struct piece first = load(from);
    for (size_t left = length; left > sizeof(struct piece);) {
        left -= sizeof(struct piece);
        store(to + left, load(from + left));
    }
    store(to, first);
}

void *memmove(void *destination, const void *source, size_t length)
{
    char *to = destination;
    const char *from = source;

    if (length <= 16) {
        copy_small(to, from, length);
    } else if (length <= 32) {
        BOTH_ENDS(u128);
    } else if (length <= 64) {
        const char *end = from + length - 32;
        u128 a = *(const u128 *)from, b = *(const u128 *)(from + 16);
        u128 c = *(const u128 *)end, d = *(const u128 *)(end + 16);
        *(u128 *)to = a;
        *(u128 *)(to + 16) = b;
        *(u128 *)(to + length - 32) = c;
        *(u128 *)(to + length - 16) = d;
    } else if (length <= 128) {
        BOTH_ENDS(struct piece);
    } else if ((uintptr_t)to - (uintptr_t)from < length) {
        copy_downwards(to, from, length);
    } else if (length >= LARGE && (uintptr_t)from - (uintptr_t)to >= length) {
        __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(length) : : "memory");
    } else {
        copy_upwards(to, from, length);
    }
    return destination;
}

void *memcpy(void *restrict to, const void *restrict from, size_t length)
    __attribute__((alias("memmove")));
