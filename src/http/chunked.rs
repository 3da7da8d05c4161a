//! Removes the chunked transfer coding from a body (RFC 9112 §7.1).
//!
//! Pure: bytes in, body and verdict out; what it does not consume must be shown
//! again with more behind it. Called by the server's connections and by health
//! checks. Extensions and trailers are ignored but counted, so that they cannot be
//! had without end.

use super::head::Fault;

/// The longest line with a chunk's size or a trailer.
const LINE: usize = 1 << 10;

/// What a line may have before it counts as excess: the longest size, CRLF.
const FREE: usize = 18;

/// How much excess a whole body may have: extensions and trailers.
const EXCESS: usize = 16 << 10;

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Size,
    Data(usize),
    DataEnd,
    Trailer,
    Nothing,
}

/// The state between two pieces of a chunked body.
#[derive(Debug)]
pub(crate) struct Decoder {
    next: Next,
    excess: usize,
    limit: usize,
}

impl Decoder {
    /// For a body of at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            next: Next::Size,
            excess: 0,
            limit,
        }
    }

    /// Whether the body is complete.
    pub(crate) fn is_done(&self) -> bool {
        self.next == Next::Nothing
    }

    /// Moves as much of `input` as can be told to the body; how much that was.
    pub(crate) fn decode(&mut self, input: &[u8], body: &mut Vec<u8>) -> Result<usize, Fault> {
        let mut rest = input;
        while let Some(used) = self.step(rest, body)? {
            rest = rest.get(used..).unwrap_or_default();
        }
        Ok(input.len() - rest.len())
    }

    /// One element of the framing; `None` if it is not there completely.
    fn step(&mut self, input: &[u8], body: &mut Vec<u8>) -> Result<Option<usize>, Fault> {
        match self.next {
            Next::Nothing => Ok(None),
            Next::Size => {
                let Some(line) = line(input)? else {
                    return Ok(None);
                };
                let size = size(line)?;
                self.charge(line.len().saturating_sub(FREE))?;
                if size > (self.limit - body.len()) as u64 {
                    return Err(Fault::BODY_TOO_LARGE);
                }
                self.next = if size == 0 {
                    Next::Trailer
                } else {
                    Next::Data(size as usize)
                };
                Ok(Some(line.len()))
            }
            Next::Data(_) if input.is_empty() => Ok(None),
            Next::Data(size) => {
                let data = input.get(..size).unwrap_or(input);
                body.extend_from_slice(data);
                self.next = if data.len() == size {
                    Next::DataEnd
                } else {
                    Next::Data(size - data.len())
                };
                Ok(Some(data.len()))
            }
            Next::DataEnd if input.len() < 2 => Ok(None),
            Next::DataEnd if input.starts_with(b"\r\n") => {
                self.next = Next::Size;
                Ok(Some(2))
            }
            Next::DataEnd => Err(Fault::bad("a chunk is longer than its size says")),
            Next::Trailer => {
                let Some(line) = line(input)? else {
                    return Ok(None);
                };
                self.charge(line.len())?;
                if line == b"\r\n" {
                    self.next = Next::Nothing;
                }
                Ok(Some(line.len()))
            }
        }
    }

    fn charge(&mut self, bytes: usize) -> Result<(), Fault> {
        self.excess += bytes;
        if self.excess > EXCESS {
            return Err(Fault::bad(
                "the chunked body has too many extensions or trailers",
            ));
        }
        Ok(())
    }
}

/// The first line with its CRLF, if it is complete.
fn line(input: &[u8]) -> Result<Option<&[u8]>, Fault> {
    let searched = input.get(..LINE).unwrap_or(input);
    let Some(end) = searched.iter().position(|byte| *byte == b'\n') else {
        if searched.len() == LINE {
            return Err(Fault::bad("a line of the chunked body is too long"));
        }
        return Ok(None);
    };
    let line = input.get(..=end).unwrap_or_default();
    if !line.ends_with(b"\r\n") {
        return Err(Fault::bad(
            "a line of the chunked body does not end with CRLF",
        ));
    }
    Ok(Some(line))
}

fn size(line: &[u8]) -> Result<u64, Fault> {
    // The parser takes no digit at all for 0.
    let begins_well = line.first().is_some_and(u8::is_ascii_hexdigit);
    match httparse::parse_chunk_size(line) {
        Ok(httparse::Status::Complete((_, size))) if begins_well => Ok(size),
        _ => Err(Fault::bad(
            "the size of a chunk is not a hexadecimal number",
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Decodes `input` in pieces of `step` bytes: the body and what is left over,
    /// or the status of the fault, or nothing if more is needed.
    fn decode(input: &str, step: usize) -> Option<Result<(String, String), u16>> {
        let mut decoder = Decoder::new(100);
        let (mut window, mut body) = (Vec::new(), Vec::new());
        let mut pieces = input.as_bytes().chunks(step);
        while !decoder.is_done() {
            window.extend_from_slice(pieces.next()?);
            match decoder.decode(&window, &mut body) {
                Ok(used) => drop(window.drain(..used)),
                Err(fault) => return Some(Err(fault.status)),
            }
        }
        window.extend(pieces.flatten());
        Some(Ok((
            String::from_utf8(body).unwrap(),
            String::from_utf8(window).unwrap(),
        )))
    }

    #[test]
    fn bodies_are_the_same_however_they_are_cut() {
        let table = [
            ("0\r\n\r\n", "", ""),
            ("0\r\n\r\nGET", "", "GET"),
            ("2\r\nok\r\n0\r\n\r\n", "ok", ""),
            (
                "2\r\nok\r\n000a \r\n0123\r\n6789\r\n00\r\n\r\n",
                "ok0123\r\n6789",
                "",
            ),
            (
                "2;a=b;c=\"d\"\r\nok\r\n0;x\r\nTrailer: x\r\nB: y\r\n\r\n",
                "ok",
                "",
            ),
            ("1 ; x\r\n!\r\n0\r\n\r\n", "!", ""),
        ];
        for (input, body, rest) in table {
            for step in 1..=input.len() {
                assert_eq!(
                    decode(input, step),
                    Some(Ok((body.to_owned(), rest.to_owned()))),
                    "{input:?} by {step}"
                );
            }
        }
        let full = format!("64\r\n{}\r\n0\r\n\r\n", "x".repeat(100));
        assert_eq!(decode(&full, 7), Some(Ok(("x".repeat(100), String::new()))));
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        let endless_line = format!("1;{}\r\n", "x".repeat(1100));
        let many_extensions = format!("1;{}\r\nx\r\n", "x".repeat(900)).repeat(20);
        let many_trailers = format!("0\r\n{}", "A: b\r\n".repeat(3000));
        let table = [
            ("\r\n", 400),
            ("x\r\n", 400),
            ("-1\r\n", 400),
            ("+1\r\n", 400),
            ("0x1\r\n", 400),
            (" 1\r\n", 400),
            ("1 1\r\n", 400),
            ("1\n!\r\n", 400),
            ("1;a\nb\r\n", 400),
            ("1\r!\r\n", 400),
            ("2\r\nokk\r\n", 400),
            ("2\r\nok\n0\r\n", 400),
            ("1ffffffffffffffff\r\n", 400),
            ("ffffffffffffffff\r\n", 413),
            ("1000000000000000\r\n", 413),
            ("65\r\n", 413),
            ("0\r\nA: b\n\r\n", 400),
            (endless_line.as_str(), 400),
            (many_extensions.as_str(), 400),
            (many_trailers.as_str(), 400),
        ];
        for (input, status) in table {
            for step in [1, 3, 64, input.len()] {
                assert_eq!(
                    decode(input, step),
                    Some(Err(status)),
                    "{:?} by {step}",
                    input.get(..40).unwrap_or(input)
                );
            }
        }
    }

    #[test]
    fn the_limit_counts_all_chunks_together() {
        let input = format!("63\r\n{}\r\n2\r\n", "x".repeat(99));
        assert_eq!(decode(&input, 5), Some(Err(413)));
    }

    #[test]
    fn half_a_body_is_not_a_body() {
        for input in [
            "",
            "2",
            "2\r",
            "2\r\n",
            "2\r\no",
            "2\r\nok",
            "2\r\nok\r",
            "2\r\nok\r\n0\r\n",
            "0\r\nA: b\r\n",
        ] {
            assert_eq!(decode(input, 1), None, "{input:?}");
        }
    }
}
