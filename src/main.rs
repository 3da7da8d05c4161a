//! The `containerpilot` binary: hands its arguments to the library.

use std::process::ExitCode;

use containerpilot::process::descriptors;

/// Called by the C library before the standard library's own beginning, which ends
/// the process where there is nothing to open for a standard stream that is missing.
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_ALL: extern "C" fn() = descriptors::fill_standard_streams;

fn main() -> ExitCode {
    containerpilot::run(std::env::args_os())
}
