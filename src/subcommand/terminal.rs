//! What standard output is: how wide, and whether colours are of use there.

use std::env;
use std::io::{self, IsTerminal as _};
use std::os::fd::AsRawFd as _;

/// What is written for, if it says nothing of itself.
const WIDTH: usize = 80;

/// Nothing readable fits into less.
const NARROWEST: usize = 40;

/// Where tables are shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terminal {
    /// How many characters a line may have.
    pub(super) width: usize,
    has_colours: bool,
}

/// What a word is shown in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    Plain,
    Green,
    Yellow,
    Red,
}

impl Terminal {
    /// Standard output, with colours if it is a terminal that shows them and
    /// nobody minds (no-color.org).
    pub(super) fn of_stdout() -> Self {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        let columns = || env::var("COLUMNS").ok()?.parse().ok();
        let width = columns_of(stdout.as_raw_fd()).filter(|_| is_terminal);
        let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
        Self {
            width: width.or_else(columns).unwrap_or(WIDTH).max(NARROWEST),
            has_colours: is_terminal && !is_dumb && !is_set("NO_COLOR"),
        }
    }

    /// A terminal as tests have it.
    #[cfg(any(test, fuzzing))]
    pub(super) fn new(width: usize, has_colours: bool) -> Self {
        Self { width, has_colours }
    }

    /// A word in a colour.
    pub(super) fn paint(&self, word: &str, colour: Colour) -> String {
        let code = match colour {
            Colour::Green => "32",
            Colour::Yellow => "33",
            Colour::Red => "31",
            Colour::Plain => return word.to_owned(),
        };
        match self.has_colours {
            true => format!("\x1b[{code}m{word}\x1b[0m"),
            false => word.to_owned(),
        }
    }
}

/// How wide a terminal says it is (ioctl_tty(2)); serial lines often say nothing.
fn columns_of(descriptor: i32) -> Option<usize> {
    let mut size = libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the request fills in the winsize that the pointer leads to.
    let result = unsafe { libc::ioctl(descriptor, libc::TIOCGWINSZ, &raw mut size) };
    (result == 0 && size.ws_col > 0).then(|| size.ws_col.into())
}
