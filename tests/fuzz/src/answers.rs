//! Answers in HTTP/1.1, taken apart without any code of the program's.

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body without any framing.
    pub body: Vec<u8>,
    /// How many bytes it took.
    pub length: usize,
}

/// The answer at the beginning of `bytes`, after which nothing comes; an interim
/// one is one by itself. Nothing if it is none, or is not complete.
pub fn first(bytes: &[u8]) -> Option<Answer> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = head.parse(bytes).ok()? else {
        return None;
    };
    // A line may end without a carriage return, but nobody is sent such a one.
    let mut lines = bytes[..length].split_inclusive(|byte| *byte == b'\n');
    if !lines.all(|line| line.ends_with(b"\r\n")) {
        return None;
    }
    let status = head.code?;
    let rest = &bytes[length..];
    let values = |name: &str| -> Vec<&[u8]> {
        let headers = head.headers.iter();
        let named = headers.filter(|header| header.name.eq_ignore_ascii_case(name));
        named.map(|header| header.value).collect()
    };
    if status < 200 {
        return Some(Answer {
            status,
            body: Vec::new(),
            length,
        });
    }
    let (codings, lengths) = (values("transfer-encoding"), values("content-length"));
    let (body, used) = match (codings.as_slice(), lengths.as_slice()) {
        ([], []) => (rest.to_vec(), rest.len()),
        ([], [digits]) => {
            let count: usize = str::from_utf8(digits).ok()?.trim().parse().ok()?;
            (rest.get(..count)?.to_vec(), count)
        }
        ([coding], []) if coding.eq_ignore_ascii_case(b"chunked") => chunks(rest)?,
        _ => return None,
    };
    Some(Answer {
        status,
        body,
        length: length + used,
    })
}

/// The data of a chunked body, and how long it is with its framing.
fn chunks(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let httparse::Status::Complete((length, size)) =
            httparse::parse_chunk_size(&bytes[at..]).ok()?
        else {
            return None;
        };
        at += length;
        let end = at.checked_add(usize::try_from(size).ok()?)?;
        body.extend_from_slice(bytes.get(at..end)?);
        at = end;
        if !bytes.get(at..)?.starts_with(b"\r\n") {
            return None;
        }
        at += 2;
        if size == 0 {
            return Some((body, at));
        }
    }
}
