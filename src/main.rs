//! The `containerpilot` binary: hands its arguments to the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    containerpilot::run(std::env::args_os())
}
