//! `regexReplaceAll`: Go's regular expressions (RE2) on top of `regex_lite`.
//!
//! The two agree on almost everything; a pattern is rewritten where they do not.
//! What `regex_lite` lacks is an error that says so: `\p{…}`, two groups of one
//! name, a flag given twice. `(?i)` knows only ASCII letters.

use std::iter::Peekable;
use std::str::Chars;

use regex_lite::{Captures, RegexBuilder};

use super::call::{Answer, Call, string};
use super::text::Buffer;

/// How deep groups may be nested; Go allows 1,000. `regex_lite` calls itself for
/// each, and must do with the smallest stack that a thread has here.
const MAX_GROUPS: usize = 12;
/// The same for what `regex_lite` makes of them: up to four levels for a group.
const MAX_LEVELS: u32 = 4 * MAX_GROUPS as u32 + 4;
/// How many bytes a compiled expression may take.
const MAX_COMPILED: usize = 256 << 10;
/// The largest count of a repetition, as in Go.
const MAX_COUNT: usize = 1_000;
/// The work to compile an expression, whatever it is.
const COMPILATION: u64 = 2_000;

/// `regexReplaceAll "pattern" "replacement" .X`.
pub(super) fn replace_all<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let pattern = String::from_utf8_lossy(call.text(0)?);
    let replacement = String::from_utf8_lossy(call.text(1)?);
    let text = String::from_utf8_lossy(call.text(2)?);
    // Not the pattern itself: it may have been made of variables.
    let fault = |message: String| format!("the pattern: {message}");
    call.budget.spend(COMPILATION)?;
    let (translated, weight) = translate(&pattern).map_err(fault)?;
    let regex = RegexBuilder::new(&translated)
        .nest_limit(MAX_LEVELS)
        .size_limit(MAX_COMPILED)
        .build()
        .map_err(|error| fault(error.to_string()))?;
    let mut made = Buffer::default();
    let mut copied = 0;
    for captures in regex.captures_iter(&text) {
        let whole = captures.get(0).map_or(0..0, |found| found.range());
        // Each search may have looked at all that remains.
        let remaining = (text.len() - whole.start) as u64;
        call.budget.spend(1 + remaining * weight / 2)?;
        made.push(text.as_bytes().get(copied..whole.start).unwrap_or_default());
        expand(&mut made, &replacement, &captures);
        copied = whole.end;
    }
    made.push(text.as_bytes().get(copied..).unwrap_or_default());
    string(made.finish())
}

/// Appends the replacement of one match: `$1`, `${1}`, `$name`, `${name}` and
/// `$$`. A name is as long as possible; a group that does not exist is empty.
fn expand(made: &mut Buffer, replacement: &str, captures: &Captures<'_>) {
    let mut rest = replacement;
    while let Some((literal, reference)) = rest.split_once('$') {
        made.push(literal.as_bytes());
        let braced = reference.strip_prefix('{');
        let word = braced.unwrap_or(reference);
        let is_word = |c: char| c == '_' || c.is_alphanumeric();
        let (name, after) = word.split_at(word.len() - word.trim_start_matches(is_word).len());
        let after = match braced {
            Some(_) => after.strip_prefix('}'),
            None => Some(after),
        };
        if let Some(after) = after.filter(|_| !name.is_empty()) {
            let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
            let group = match name.parse() {
                Ok(number) if name == "0" || !name.starts_with('0') => captures.get(number),
                _ if is_number => None,
                _ => captures.name(name),
            };
            made.push(group.map_or("", |group| group.as_str()).as_bytes());
            rest = after;
        } else {
            made.push(b"$");
            rest = reference.strip_prefix('$').unwrap_or(reference);
        }
    }
    made.push(rest.as_bytes());
}

/// Rewrites a pattern of Go's for `regex_lite`. The second answer measures how
/// much work one character of a text is.
fn translate(pattern: &str) -> Result<(String, u64), String> {
    let mut translator = Translator {
        rest: pattern.chars().peekable(),
        made: String::with_capacity(pattern.len() + 16),
        weight: pattern.len() as u64,
        open: 0,
    };
    let mut was_repetition = false;
    while let Some(c) = translator.rest.next() {
        let is_repetition = translator.element(c)?;
        if is_repetition {
            if was_repetition {
                return Err("a repetition cannot be repeated".to_owned());
            }
            translator.made.extend(translator.rest.next_if_eq(&'?'));
        }
        was_repetition = is_repetition;
    }
    Ok((translator.made, translator.weight))
}

struct Translator<'p> {
    rest: Peekable<Chars<'p>>,
    made: String,
    weight: u64,
    /// How many groups are open.
    open: usize,
}

impl Translator<'_> {
    /// One element that begins with `c`. Whether it is a repetition of another.
    fn element(&mut self, c: char) -> Result<bool, String> {
        match c {
            '*' | '+' | '?' => {
                self.made.push(c);
                return Ok(true);
            }
            '{' => return self.count(),
            '\\' => self.escape()?,
            '[' => self.class()?,
            '(' => self.group()?,
            ')' => {
                self.open = self.open.saturating_sub(1);
                self.made.push(c);
            }
            '.' | '^' | '$' | '|' => self.made.push(c),
            _ => self.literal(c),
        }
        Ok(false)
    }

    fn literal(&mut self, c: char) {
        if c.is_ascii_punctuation() && !matches!(c, '<' | '>') {
            self.made.push('\\');
        }
        self.made.push(c);
    }

    /// `{2}`, `{2,}`, `{2,5}`; any other brace stands for itself. Whether it was
    /// a count.
    fn count(&mut self) -> Result<bool, String> {
        let ahead: String = self.rest.clone().take(64).collect();
        let is_number = |text: &str| {
            let is_decimal = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            is_decimal && (text == "0" || !text.starts_with('0'))
        };
        let inside = ahead.split_once('}').map_or("", |(inside, _)| inside);
        let (least, most) = inside.split_once(',').unwrap_or((inside, inside));
        if !is_number(least) || !(most.is_empty() || is_number(most)) {
            self.literal('{');
            return Ok(false);
        }
        let number = |text: &str| text.parse().unwrap_or(usize::MAX);
        let largest = number(least).max(if most.is_empty() { 0 } else { number(most) });
        if largest > MAX_COUNT {
            return Err(format!("the count {largest} is more than {MAX_COUNT}"));
        }
        self.made.extend(["{", inside, "}"]);
        self.rest.nth(inside.len());
        let factor = largest.max(1) as u64;
        self.weight = (self.weight * factor).min(MAX_COMPILED as u64);
        Ok(true)
    }

    /// What follows a backslash outside of a class.
    fn escape(&mut self) -> Result<(), String> {
        match self.rest.peek() {
            Some('A' | 'b' | 'B' | 'z' | 'd' | 'D' | 'w' | 'W') => {
                self.made.push('\\');
                self.made.extend(self.rest.next());
            }
            Some('Q') => {
                self.rest.next();
                while let Some(c) = self.rest.next() {
                    if c == '\\' && self.rest.next_if_eq(&'E').is_some() {
                        break;
                    }
                    self.literal(c);
                }
            }
            Some(set @ ('s' | 'S')) => {
                let not = if *set == 'S' { "^" } else { "" };
                self.made.extend(["[", not, "\\t\\n\\f\\r ]"]);
                self.rest.next();
            }
            _ => {
                let c = self.character()?;
                self.literal(c);
            }
        }
        Ok(())
    }

    /// The character that follows a backslash stands for, in a class or outside.
    fn character(&mut self) -> Result<char, String> {
        match self.rest.next() {
            Some('a') => Ok('\x07'),
            Some('f') => Ok('\x0C'),
            Some('n') => Ok('\n'),
            Some('r') => Ok('\r'),
            Some('t') => Ok('\t'),
            Some('v') => Ok('\x0B'),
            Some('x') => {
                let code = match self.rest.next_if_eq(&'{') {
                    Some(_) => self
                        .code("", 16, 8)
                        .filter(|_| self.rest.next() == Some('}')),
                    None => self.code("", 16, 2),
                };
                code.ok_or_else(|| "a hexadecimal code must follow \\x".to_owned())
            }
            Some(first @ '0'..='7') => {
                let is_octal = first == '0' || matches!(self.rest.peek(), Some('0'..='7'));
                let code = self.code(first.encode_utf8(&mut [0]), 8, 3);
                let code = code.filter(|_| is_octal);
                code.ok_or_else(|| format!("\\{first}: back references are not supported"))
            }
            Some(class @ ('p' | 'P')) => {
                let hint = "use ASCII classes such as [[:alpha:]] or ranges such as [à-ÿ]";
                Err(format!(
                    "\\{class} (Unicode classes) is not supported; {hint}"
                ))
            }
            Some(c) if c.is_ascii_punctuation() || c.is_ascii_control() || c == ' ' => Ok(c),
            Some(c) => Err(format!("unknown escape sequence \\{c}")),
            None => Err("nothing follows the last \\".to_owned()),
        }
    }

    /// The character whose code has up to `most` digits and begins with `digits`.
    fn code(&mut self, digits: &str, base: u32, most: usize) -> Option<char> {
        let mut digits = digits.to_owned();
        while digits.len() < most
            && let Some(digit) = self.rest.next_if(|c| c.is_digit(base))
        {
            digits.push(digit);
        }
        let is_complete = (base, most) != (16, 2) || digits.len() == 2;
        let code = u32::from_str_radix(&digits, base).ok();
        code.and_then(char::from_u32).filter(|_| is_complete)
    }

    /// What a parenthesis opens: `(?P<name>`, `(?:`, `(?i)`, or a plain group.
    fn group(&mut self) -> Result<(), String> {
        self.open += 1;
        if self.open > MAX_GROUPS {
            return Err(format!("groups are nested more than {MAX_GROUPS} deep"));
        }
        self.made.push('(');
        let Some(mark) = self.rest.next_if_eq(&'?') else {
            return Ok(());
        };
        self.made.push(mark);
        let is_named = self.rest.peek() == Some(&'P');
        while let Some(c) = self.rest.next_if(|c| *c != ')') {
            self.made.push(c);
            match c {
                '>' if is_named => break,
                ':' => break,
                'i' | 'm' | 's' | 'U' | '-' => {}
                _ if is_named => {}
                _ => {
                    return Err(
                        "the known groups are (…), (?:…), (?P<name>…) and (?imsU)".to_owned()
                    );
                }
            }
        }
        Ok(())
    }

    /// A class in brackets, of which the first has been taken.
    fn class(&mut self) -> Result<(), String> {
        self.made.push('[');
        self.made.extend(self.rest.next_if_eq(&'^'));
        let mut is_first = true;
        while is_first || self.rest.peek() != Some(&']') {
            is_first = false;
            let Some(c) = self.rest.next() else {
                return Err("a class is never closed: ] is missing".to_owned());
            };
            let named = self.named_class(c);
            if let Some(name) = named.or_else(|| self.class_escape(c)) {
                self.made.push_str(&name);
                continue;
            }
            self.class_character(c)?;
            let mut ahead = self.rest.clone();
            let is_range = ahead.next() == Some('-') && ahead.peek() != Some(&']');
            if let Some(last) = ahead.next().filter(|_| is_range) {
                self.rest = ahead;
                self.made.push('-');
                self.class_character(last)?;
            }
        }
        self.made.extend(self.rest.next());
        Ok(())
    }

    fn class_character(&mut self, c: char) -> Result<(), String> {
        let c = if c == '\\' { self.character()? } else { c };
        self.literal(c);
        Ok(())
    }

    /// `\d` and the like in a class.
    fn class_escape(&mut self, c: char) -> Option<String> {
        let letter = self.rest.peek().filter(|_| c == '\\')?;
        let set = match letter {
            'd' | 'D' | 'w' | 'W' => format!("\\{letter}"),
            's' => "\\t\\n\\f\\r ".to_owned(),
            'S' => "\\x00-\\x08\\x0B\\x0E-\\x1F!-\\x{10FFFF}".to_owned(),
            _ => return None,
        };
        self.rest.next();
        Some(set)
    }

    /// `[:alpha:]`, of which the first bracket is `c`.
    fn named_class(&mut self, c: char) -> Option<String> {
        self.rest.peek().filter(|next| c == '[' && **next == ':')?;
        let ahead: String = self.rest.clone().take(64).collect();
        let (name, _) = ahead.split_once(":]")?;
        self.rest.nth(name.len() + 1);
        Some(format!("[{name}:]"))
    }
}
