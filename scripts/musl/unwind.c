/* What gcc's unwinder needs of glibc and musl lacks: given an address, find the
 * loaded object that contains it and the table of its stack frames. A panic
 * cannot be caught without it. The structure is fixed by glibc's <dlfcn.h>. */
#define _GNU_SOURCE
#include <link.h>
#include <string.h>

struct dl_find_object {
    unsigned long long flags;
    void *start;
    void *end;
    struct link_map *link_map;
    void *eh_frame;
    unsigned long long reserved[7];
};

struct search {
    ElfW(Addr) address;
    struct dl_find_object *found;
};

static int look(struct dl_phdr_info *object, size_t size, void *data)
{
    struct search *search = data;
    ElfW(Addr) start = ~(ElfW(Addr))0, end = 0, eh_frame = 0;
    int contains = 0;

    (void)size;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        ElfW(Addr) first = object->dlpi_addr + segment->p_vaddr;
        ElfW(Addr) last = first + segment->p_memsz;

        if (segment->p_type == PT_GNU_EH_FRAME)
            eh_frame = first;
        if (segment->p_type != PT_LOAD)
            continue;
        if (first < start)
            start = first;
        if (last > end)
            end = last;
        if (search->address >= first && search->address < last)
            contains = 1;
    }
    if (!contains || !eh_frame)
        return 0;
    memset(search->found, 0, sizeof *search->found);
    search->found->start = (void *)start;
    search->found->end = (void *)end;
    search->found->eh_frame = (void *)eh_frame;
    return 1;
}

int _dl_find_object(void *address, struct dl_find_object *found)
{
    struct search search = { (ElfW(Addr))address, found };

    return dl_iterate_phdr(look, &search) ? 0 : -1;
}
