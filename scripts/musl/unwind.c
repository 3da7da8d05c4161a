/* What gcc's unwinder needs of glibc and musl lacks: given an address, where the
 * frames of its stack are described. A panic cannot be caught without it. The
 * structure is fixed by glibc's <dlfcn.h>.
 *
 * There is one object, and no index of its descriptions: it would be a fiftieth
 * of the program, and only a panic would ever look something up. So this hands
 * out a header (Linux Standard Base, Core, "The .eh_frame_hdr section") without
 * a table, and the unwinder searches from the beginning. */
#include <stddef.h>

struct dl_find_object {
    unsigned long long flags;
    void *start;
    void *end;
    void *link_map;
    const void *eh_frame;
    unsigned long long reserved[7];
};

/* Of the linker: where the program begins, where its code ends, and, as unwind.ld
 * says, where the descriptions begin. */
extern const char __executable_start[], etext[], eh_frame_start[];

enum { ABSOLUTE = 0x00, OMITTED = 0xff };

static const struct __attribute__((packed)) {
    unsigned char version, eh_frame_encoding, count_encoding, table_encoding;
    const void *eh_frame;
} header = { 1, ABSOLUTE, OMITTED, OMITTED, eh_frame_start };

int _dl_find_object(void *address, struct dl_find_object *found)
{
    const char *code = address;

    if (code < __executable_start || code >= etext)
        return -1;
    *found = (struct dl_find_object) {
        .start = (void *)__executable_start,
        .end = (void *)etext,
        .eh_frame = &header,
    };
    return 0;
}
