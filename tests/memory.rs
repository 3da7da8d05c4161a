//! The release's own memcpy and memmove, against copying byte by byte.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::path::Path;

use support::command::command;
use support::{Temporary, run};

/// Compares every small length and some large ones, at distances that overlap
/// and do not, upwards and downwards.
const COMPARISON: &str = r#"
#include <stdio.h>
#include <string.h>

void *moved(void *, const void *, size_t);
void *copied(void *, const void *, size_t);

enum { SIZE = 12000, BASE = 16 };
static unsigned char bytes[SIZE], expected[SIZE];

static int differs(size_t from, size_t to, size_t length)
{
    for (int i = 0; i < SIZE; i++)
        bytes[i] = i * 7 + i / 251;
    memcpy(expected, bytes, SIZE);
    for (size_t i = 0; i < length; i++)
        expected[to + i] = bytes[from + i];
    int is_apart = from + length <= to || to + length <= from;
    void *end = is_apart && length % 2 ? copied(bytes + to, bytes + from, length)
                                       : moved(bytes + to, bytes + from, length);
    if (end == bytes + to && !memcmp(bytes, expected, SIZE))
        return 0;
    printf("%zu bytes from %zu to %zu\n", length, from, to);
    return 1;
}

int main(void)
{
    static const size_t large[] = {511, 512, 513, 1000, 2047, 2048, 2049, 3000, 4096};
    static const size_t distances[] = {0, 1, 3, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 129, 500, 2100, 5000};
    int wrong = 0;
    for (size_t i = 0; i < 300 + sizeof large / sizeof *large; i++) {
        size_t length = i < 300 ? i : large[i - 300];
        for (size_t j = 0; j < sizeof distances / sizeof *distances; j++) {
            wrong += differs(BASE, BASE + distances[j], length);
            wrong += differs(BASE + distances[j], BASE, length);
        }
    }
    return wrong > 0;
}
"#;

#[test]
#[cfg_attr(not(target_arch = "x86_64"), ignore = "it is written for x86_64")]
fn what_the_release_copies_memory_with_copies_it() {
    let directory = Temporary::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/musl/memory.c");
    let comparison = directory.write("comparison.c", COMPARISON);
    let (object, program) = (directory.join("memory.o"), directory.join("comparison"));
    let mut compile = command("gcc");
    compile.args(["-O2", "-Wall", "-Wextra", "-Werror", "-ffreestanding"]);
    compile.args(["-fno-tree-loop-distribute-patterns", "-c", "-o"]);
    run(compile.arg(&object).arg(source)).success();
    // Under other names, so that it is not compared with itself.
    let mut rename = command("objcopy");
    rename.args(["--redefine-sym", "memmove=moved"]);
    rename.args(["--redefine-sym", "memcpy=copied"]);
    run(rename.arg(&object)).success();
    let mut link = command("gcc");
    link.args(["-O1", "-o"]).arg(&program);
    run(link.arg(comparison).arg(&object)).success();
    assert_eq!(run(&mut command(program)).success(), [""; 0]);
}
