//! What the fuzz targets (`tests/fuzz`) need to see of this module besides its
//! interface. Compiled for them, and with the tests, so that it keeps up; it adds
//! no behaviour.

use super::status;
use super::terminal::Terminal;

/// What `-status` and `-health` show of an answer, on a terminal of this width.
pub fn shown(answer: &str, width: usize) -> (String, Option<Vec<String>>, Vec<String>) {
    let table = status::table(answer, &Terminal::new(width, false));
    (table, status::reasons(answer), status::names(answer))
}
