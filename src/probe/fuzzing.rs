//! What the fuzz targets (`tests/fuzz`) need to see of this module besides its
//! interface. Compiled for them, and with the tests, so that it keeps up; it adds
//! no behaviour.

use super::response;

/// The status, the redirect and the body of an answer to a health check.
pub fn response(mut bytes: &[u8], has_body: bool) -> Option<(u16, Option<String>, Vec<u8>)> {
    let response = response::read(&mut bytes, has_body).ok()?;
    Some((response.status, response.location, response.body))
}
