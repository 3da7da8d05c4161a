/* What gcc's unwinder needs of glibc and musl lacks: given an address, how the
 * frame of its function is described. A panic cannot be caught without it. The
 * structure is fixed by glibc's <dlfcn.h>.
 *
 * What the compiler writes about frames would be a tenth of the program, and only
 * a panic would ever read it. So `frames` has made a table of it that takes a
 * tenth of the room, and here one function is translated back at a time:
 *
 *   3 bytes         factors and return address' register of the descriptions
 *   number          address of what decides whether a frame is a panic's last
 *   number          address of the first function
 *   number, bytes   shapes: each a number and as many bytes of instructions
 *   number, bytes   all functions' landing pads
 *   lines           functions: length; twice the shape, and 1 if landing pads
 *                   follow, then the length of those; a length of 0 ends it
 *
 * Numbers are of base 128, the low digits first (DWARF's LEB128). The first shape
 * is empty: there is no frame, and no panic comes that way. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct dl_find_object {
    unsigned long long flags;
    void *start;
    void *end;
    void *link_map;
    const void *eh_frame;
    unsigned long long reserved[7];
};

/* Of the linker: where the program begins, where its code ends, and, as unwind.ld
 * says, where the table is. */
extern const char __executable_start[], etext[];
extern const unsigned char frames[];

enum { ABSOLUTE = 0x00, OMITTED = 0xff, LONGEST = 320 };

/* One function as the unwinder wants it: a header (Linux Standard Base, Core, "The
 * .eh_frame_hdr section") without a table, what all functions have in common, what
 * this one has, and an end. */
struct __attribute__((packed)) description {
    struct __attribute__((packed)) {
        uint32_t length, id;
        unsigned char version, augmentation[5], factors[3], size, personality_encoding;
        uintptr_t personality;
        unsigned char pads_encoding, address_encoding, fill[3];
    } common;
    struct __attribute__((packed)) {
        uint32_t length, distance;
        uintptr_t start, length_of_code;
        unsigned char size;
        const unsigned char *pads;
        unsigned char instructions[LONGEST];
    } own;
    uint32_t end;
    unsigned char version, eh_frame_encoding, count_encoding, table_encoding;
    const void *eh_frame;
};

/* A thread unwinds one frame at a time, and needs a description for that long. */
static _Thread_local struct description found __attribute__((aligned(8)));

static uintptr_t number(const unsigned char **at)
{
    uintptr_t value = 0;
    unsigned shift = 0;

    do {
        value |= (uintptr_t)(**at & 0x7f) << shift;
        shift += 7;
    } while (*(*at)++ & 0x80);
    return value;
}

static void describe(uintptr_t start, uintptr_t length, const unsigned char *pads,
                     const unsigned char *shapes, uintptr_t shape)
{
    const unsigned char *at = frames;
    uintptr_t size;

    found = (struct description) {
        .common = { .length = sizeof found.common - 4, .version = 1, .augmentation = "zPLR",
                    .size = 3 + sizeof(uintptr_t) },
        .own = { .length = sizeof found.own - 4, .distance = sizeof found.common + 4,
                 .start = start, .length_of_code = length, .size = sizeof(uintptr_t), .pads = pads },
        .version = 1, .count_encoding = OMITTED, .table_encoding = OMITTED,
        .eh_frame = &found,
    };
    memcpy(found.common.factors, at, sizeof found.common.factors);
    at += sizeof found.common.factors;
    found.common.personality = number(&at);
    while (size = number(&shapes), shape-- > 0)
        shapes += size;
    memcpy(found.own.instructions, shapes, size);
}

int _dl_find_object(void *address, struct dl_find_object *result)
{
    const unsigned char *at = frames + sizeof found.common.factors, *shapes, *pads;
    uintptr_t start, length, shape, size;

    number(&at);
    start = number(&at);
    size = number(&at);
    shapes = at;
    at += size;
    size = number(&at);
    pads = at;
    at += size;
    while ((length = number(&at)) != 0) {
        shape = number(&at);
        size = shape & 1 ? number(&at) : 0;
        if ((uintptr_t)address - start < length) {
            if (shape == 0)
                break;
            describe(start, length, size ? pads : NULL, shapes, shape >> 1);
            *result = (struct dl_find_object) {
                .start = (void *)__executable_start,
                .end = (void *)etext,
                .eh_frame = &found.version,
            };
            return 0;
        }
        start += length;
        pads += size;
    }
    return -1;
}
