/* Writes numbered lines as fast as it can, or counts those that have arrived.
 *
 * usage: lines write COUNT LENGTH [CPU_FILE]
 *            COUNT lines of LENGTH bytes with their end, in writes of 64 KiB;
 *            CPU_FILE gets the nanoseconds of CPU that this took
 *        lines count LENGTH <LOG
 *            prints how many lines came whole and in order; whatever stands
 *            before and after a line's own bytes is the log's
 * A line is "<NUMBER of 12 digits" and dots up to ">".
 */
#include "common.h"

static void write_fully(const char *from, size_t left)
{
    while (left > 0) {
        ssize_t put = write(1, from, left);
        if (put < 0)
            fail("write");
        from += put;
        left -= put;
    }
}

static int write_lines(int64_t count, size_t length, const char *cpu_file)
{
    size_t block = 65536, have = 0;
    char *buffer = malloc(block + length);
    for (int64_t i = 0; i < count; i++) {
        char *line = buffer + have;
        memset(line, '.', length);
        line[0] = '<';
        int64_t rest = i;
        for (int digit = 12; digit > 0; digit--, rest /= 10)
            line[digit] = '0' + rest % 10;
        line[length - 2] = '>';
        line[length - 1] = '\n';
        have += length;
        size_t put = have - have % block;
        write_fully(buffer, put);
        have -= put;
        memmove(buffer, buffer + put, have);
    }
    write_fully(buffer, have);
    if (cpu_file) {
        struct timespec cpu;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
        FILE *file = fopen(cpu_file, "w");
        fprintf(file, "%ld\n", cpu.tv_sec * 1000000000L + cpu.tv_nsec);
        fclose(file);
    }
    return 0;
}

static int count_lines(size_t length)
{
    static char buffer[1 << 20];
    setvbuf(stdin, buffer, _IOFBF, sizeof buffer);
    char *line = NULL;
    size_t room = 0;
    ssize_t got;
    int64_t whole = 0;
    while ((got = getline(&line, &room, stdin)) > 0) {
        char *begin = memchr(line, '<', got);
        size_t left = begin ? (size_t)(line + got - begin) : 0;
        if (left < length || begin[length - 2] != '>')
            continue;
        int dots = 1;
        for (size_t i = 13; i < length - 2; i++)
            dots &= begin[i] == '.';
        if (dots && strtoll(begin + 1, NULL, 10) == whole)
            whole++;
    }
    printf("%ld\n", whole);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 3 && !strcmp(argv[1], "write"))
        return write_lines(atoll(argv[2]), atoll(argv[3]), argc > 4 ? argv[4] : NULL);
    if (argc == 3 && !strcmp(argv[1], "count"))
        return count_lines(atoll(argv[2]));
    return 2;
}
