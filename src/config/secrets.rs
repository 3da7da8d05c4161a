//! Values that a message must not show: the line of a syntax error is quoted in the
//! log and in answers, and may have a token or a password in it.
//!
//! What is secret is told by names, as far as they tell: the value of a key that
//! is called like a secret, what such a name has behind a `=`, and the password of
//! a URL. Called by the excerpts of
//! errors. Pure; a masked line has as many characters as before, so that a caret
//! below it stays where it belongs.

/// What a key or a variable with a secret value is called, or a part of that, in
/// lower case.
const NAMES: [&str; 11] = [
    "token",
    "secret",
    "pass",
    "pwd",
    "_key",
    "accesskey",
    "apikey",
    "api_key",
    "private",
    "credential",
    "authorization",
];

/// How far from a colon names and passwords are looked for, in characters: what is
/// no configuration may be one line of megabytes.
const FAR: usize = 256;

/// What stands for each character of a secret.
const MASK: char = '*';

/// The line with every secret masked.
pub(crate) fn masked(line: &str) -> String {
    let mut shown: Vec<char> = line.chars().collect();
    for place in 0..shown.len() {
        let is_named = || is_secret(shown.get(..place).unwrap_or_default());
        // What is masked has no colon any more.
        let end = match shown.get(place) {
            Some(':') if is_named() => value_end(&shown, place + 1),
            Some(':') => password_end(&shown, place),
            Some('=') if is_named() => argument_end(&shown, place + 1),
            _ => continue,
        };
        mask(&mut shown, place + 1, end);
    }
    shown.into_iter().collect()
}

/// Whether what stands before a colon is the name of a secret.
fn is_secret(before: &[char]) -> bool {
    let is_name = |c: &char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '$');
    let is_around = |c: &&char| matches!(c, '"' | '\'' | ' ' | '\t');
    let before = before.iter().rev().take(FAR).skip_while(is_around);
    let mut name: Vec<char> = before.take_while(|c| is_name(c)).copied().collect();
    name.reverse();
    let name = String::from_iter(name).to_lowercase();
    NAMES.iter().any(|secret| name.contains(secret))
}

/// Where the value ends that begins there: a string, with all that follows if it
/// has no end, or a word.
fn value_end(line: &[char], start: usize) -> usize {
    let mut rest = line.iter().enumerate().skip(start);
    let Some((first, quote)) = rest.find(|(_, c)| !c.is_whitespace()) else {
        return start;
    };
    let is_string = matches!(quote, '"' | '\'' | '`' | '“' | '‘');
    let mut is_escaped = false;
    for (place, c) in line.iter().enumerate().skip(first + 1) {
        let is_end = match is_string {
            true => !is_escaped && c == quote && ends_a_string(line, place),
            false => matches!(c, ',' | '}' | ']'),
        };
        if is_end {
            return place;
        }
        is_escaped = *c == '\\' && !is_escaped;
    }
    line.len()
}

/// Whether the quote there is the end of a string, and not the very one in a secret
/// for which the line is no JSON5.
fn ends_a_string(line: &[char], quote: usize) -> bool {
    let mut behind = line.iter().skip(quote + 1);
    let next = behind.find(|c| !c.is_whitespace());
    next.is_none_or(|next| matches!(next, ',' | '}' | ']' | '/'))
}

/// Where the value ends that follows a `=`, as in `--password=VALUE`.
fn argument_end(line: &[char], start: usize) -> usize {
    let places = line.iter().enumerate().skip(start);
    let mut ends = places.filter(|(place, c)| match c {
        '"' | '\'' => {
            line.get(place + 1).is_none_or(|next| next.is_whitespace())
                || ends_a_string(line, *place)
        }
        c => c.is_whitespace() || **c == '&',
    });
    ends.next().map_or(line.len(), |(place, _)| place)
}

/// Where the password of a URL ends, as in `http://user:password@host`, if this is
/// the colon before it.
fn password_end(line: &[char], colon: usize) -> usize {
    let is_url = |before: &[char]| {
        let is_user = |c: &&char| !matches!(c, '/' | ' ' | '"' | '\'' | '@');
        let near = before.iter().rev().take(FAR);
        let rest: String = near.skip_while(is_user).take(3).collect();
        rest == "//:"
    };
    let is_password = |c: &&char| !matches!(c, '/' | ' ' | '"' | '\'' | ',');
    let near = line.iter().skip(colon + 1).take(FAR);
    let length = near.take_while(is_password);
    let length = length.take_while(|c| **c != '@').count();
    let end = colon + 1 + length;
    match line.get(end) == Some(&'@') && line.get(..colon).is_some_and(is_url) {
        true => end,
        false => colon,
    }
}

/// Masks what is no quote and no space.
fn mask(line: &mut [char], start: usize, end: usize) {
    if let Some(secret) = line.get_mut(start..end) {
        let hidden = |c: &&mut char| !matches!(**c, '"' | '\'' | ' ' | '\t' | '{' | '[');
        secret.iter_mut().filter(hidden).for_each(|c| *c = MASK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_no_configuration_is_masked_in_no_time() {
        for piece in [
            "a:", "token:", ":", "{a:{", "//a:", "token=", "=", "token:\"", "token='", "token=' ",
        ] {
            let line = piece.repeat(100_000 / piece.len());
            assert_eq!(masked(&line).len(), line.len());
        }
    }

    #[test]
    fn what_is_called_a_secret_is_masked_and_nothing_else() {
        let table = [
            (
                r#"consul: { token: "a b\"c", address: "x" }"#,
                r#"consul: { token: "* **"*", address: "x" }"#,
            ),
            (
                "  'DB_PASSWORD': 'hunter2', B: 'b'",
                "  'DB_PASSWORD': '*******', B: 'b'",
            ),
            ("token: hunter2,", "token: *******,"),
            ("{ DB_PASS: 'hunter2', }", "{ DB_PASS: '*******', }"),
            ("SSH_KEY: hunter2 }", "SSH_KEY: ******* }"),
            (
                "exec: [\"x\", \"--password=hunter2\", \"-v=1\"]",
                "exec: [\"x\", \"--password=*******\", \"-v=1\"]",
            ),
            (
                "exec: \"x --password=k9`Xz\"Q'7,8]9 -v\", b: \"c\"",
                "exec: \"x --password=*****\"*'***** -v\", b: \"c\"",
            ),
            (
                "{ TOKEN: \"hunt\"er'2\", b: \"c\" }",
                "{ TOKEN: \"****\"**'*\", b: \"c\" }",
            ),
            (
                "\"http://h/?token=hunter2&b=c\"",
                "\"http://h/?token=*******&b=c\"",
            ),
            ("token: \"hunter2", "token: \"*******"),
            (
                "{ Authorization: \"Basic x==\" }",
                "{ Authorization: \"***** ***\" }",
            ),
            (
                "url: \"http://user:pass@host:80/\"",
                "url: \"http://user:****@host:80/\"",
            ),
            (
                "consul: \"http://host:8500\",",
                "consul: \"http://host:8500\",",
            ),
            (
                "exec: [\"sh\", \"-c\", \"a:b@c\"]",
                "exec: [\"sh\", \"-c\", \"a:b@c\"]",
            ),
            ("mail: \"a@b:c\", port: 80", "mail: \"a@b:c\", port: 80"),
            ("token:", "token:"),
            ("", ""),
        ];
        for (line, expected) in table {
            assert_eq!(masked(line), expected);
            assert_eq!(masked(line).chars().count(), line.chars().count());
        }
    }
}
