//! What is wrong with a body, collected so that one answer tells it all.
//!
//! Called by what reads bodies; decides nothing.

use super::request::{Reply, Request};

/// So much of what is wrong is listed.
const LISTED: usize = 100;

/// What is wrong with a body; the gravest status is answered.
#[derive(Default)]
pub(super) struct Offences {
    status: u16,
    messages: Vec<String>,
    unlisted: usize,
}

impl Offences {
    /// Takes note of something that is wrong, and the status that it is answered with.
    pub(super) fn add(&mut self, status: u16, message: String) {
        self.status = self.status.max(status);
        match self.messages.len() < LISTED {
            true => self.messages.push(message),
            false => self.unlisted += 1,
        }
    }

    /// The request, if nothing is wrong with it.
    pub(super) fn or(mut self, request: Request) -> Result<Request, Reply> {
        if self.messages.is_empty() {
            return Ok(request);
        }
        if self.unlisted > 0 {
            let more = format!("{} more are not listed", self.unlisted);
            self.messages.push(more);
        }
        Err(Reply::Refused {
            status: self.status,
            message: self.messages.join("; "),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_but_never_without_end() {
        let mut offences = Offences::default();
        for number in 0..LISTED + 7 {
            offences.add(400, format!("{number} is wrong"));
        }
        let Err(Reply::Refused { status, message }) = offences.or(Request::Ping) else {
            unreachable!("it is refused");
        };
        assert_eq!(status, 400);
        assert!(message.starts_with("0 is wrong; 1 is wrong; "), "{message}");
        assert!(
            message.ends_with("; 99 is wrong; 7 more are not listed"),
            "{message}"
        );
    }
}
