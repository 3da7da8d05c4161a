//! What goes wrong in accept(2), and how often it is worth a line. Called by the pool.

use std::io;
use std::time::{Duration, Instant};

/// The same trouble is logged at most this often.
const QUIET: Duration = Duration::from_secs(10);

/// Whether a trouble that was last told of then is worth a line again.
pub(super) fn is_news(told: &mut Option<Instant>) -> bool {
    let now = Instant::now();
    let is_news = told.is_none_or(|then| now.duration_since(then) >= QUIET);
    if is_news {
        *told = Some(now);
    }
    is_news
}

/// Whether this error of accept(2) concerns only a client that has gone: Linux
/// passes on what happened to the new connection.
pub(super) fn is_the_clients(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::EINTR
                | libc::ECONNABORTED
                | libc::EPROTO
                | libc::ENOPROTOOPT
                | libc::EOPNOTSUPP
                | libc::ENETDOWN
                | libc::ENETUNREACH
                | libc::EHOSTDOWN
                | libc::EHOSTUNREACH
                | libc::ENONET
                | libc::EPERM
        )
    )
}
