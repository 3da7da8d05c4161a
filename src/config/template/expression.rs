//! `regexReplaceAll`: Go's regular expressions (RE2) on top of `regex_lite`.
//!
//! The two agree on almost everything; a pattern is translated where they do not.
//! What `regex_lite` lacks is an error that says so: `\p{…}` and `\P{…}`.
//! `(?i)` knows only ASCII letters.

use std::iter::Peekable;
use std::str::Chars;

use regex_lite::{Captures, RegexBuilder};

use super::functions::{Answer, Call, string};
use super::text::Buffer;
use super::value::excerpt;

/// How deep groups may be nested; Go allows 1,000. `regex_lite` uses the stack.
const MAX_NESTING: u32 = 20;
/// How many bytes a compiled expression may take.
const MAX_COMPILED: usize = 256 << 10;
/// The largest count of a repetition, as in Go.
const MAX_COUNT: usize = 1_000;
/// The work to compile an expression, whatever it is.
const COMPILATION: u64 = 1_000;

/// `regexReplaceAll "pattern" "replacement" .X`.
pub(super) fn replace_all<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let pattern = std::str::from_utf8(call.text(0)?);
    let pattern = pattern.map_err(|_| "the pattern is not valid UTF-8".to_owned())?;
    let replacement = String::from_utf8_lossy(call.text(1)?);
    let text = String::from_utf8_lossy(call.text(2)?);
    let fault = |message: String| format!("the pattern {}: {message}", excerpt(pattern.as_bytes()));
    call.budget.spend(COMPILATION)?;
    let translated = translate(pattern).map_err(fault)?;
    let regex = RegexBuilder::new(&translated.pattern)
        .nest_limit(MAX_NESTING)
        .size_limit(MAX_COMPILED)
        .build()
        .map_err(|error| fault(error.to_string()))?;
    let mut made = Buffer::default();
    let mut copied = 0;
    for captures in regex.captures_iter(&text) {
        let whole = captures
            .get(0)
            .map_or(copied..copied, |found| found.range());
        // Each search may have looked at all that remains.
        let remaining = (text.len() - whole.start) as u64;
        call.budget.spend(1 + remaining * translated.weight / 16)?;
        made.push(text.as_bytes().get(copied..whole.start).unwrap_or_default());
        expand(&mut made, &replacement, &captures, &translated.groups);
        copied = whole.end;
    }
    made.push(text.as_bytes().get(copied..).unwrap_or_default());
    string(made.finish())
}

/// Appends the replacement of one match: `$1`, `${1}`, `$name`, `${name}` and
/// `$$`. A name is as long as possible; a group that does not exist is empty.
fn expand(made: &mut Buffer, replacement: &str, captures: &Captures<'_>, groups: &[String]) {
    let mut rest = replacement;
    while let Some((literal, reference)) = rest.split_once('$') {
        made.push(literal.as_bytes());
        let inner = reference.strip_prefix('{');
        let word = inner.unwrap_or(reference);
        let end = word
            .find(|c: char| c != '_' && !c.is_alphanumeric())
            .unwrap_or(word.len());
        let (name, after) = word.split_at(end);
        let after = if inner.is_some() {
            after.strip_prefix('}')
        } else {
            Some(after)
        };
        match after.filter(|_| !name.is_empty()) {
            Some(after) => {
                rest = after;
                let group = group(name, captures, groups);
                made.push(group.unwrap_or_default().as_bytes());
            }
            None => {
                made.push(b"$");
                rest = reference.strip_prefix('$').unwrap_or(reference);
            }
        }
    }
    made.push(rest.as_bytes());
}

/// What the group with that number or name matched.
fn group<'t>(name: &str, captures: &Captures<'t>, groups: &[String]) -> Option<&'t str> {
    let is_number = name.chars().all(|c| c.is_ascii_digit());
    if is_number && (name == "0" || !name.starts_with('0')) {
        return captures.get(name.parse().ok()?).map(|found| found.as_str());
    }
    let named = groups
        .iter()
        .enumerate()
        .filter(|(_, group)| *group == name);
    let mut matches = named.filter_map(|(index, _)| captures.get(index + 1));
    matches.next().map(|found| found.as_str())
}

/// A pattern for `regex_lite`.
struct Translated {
    pattern: String,
    /// The names of the groups, which the pattern no longer has.
    groups: Vec<String>,
    /// A measure of how much one character of the text costs.
    weight: u64,
}

/// Translates a pattern of Go's.
fn translate(pattern: &str) -> Result<Translated, String> {
    let mut translator = Translator {
        rest: pattern.chars().peekable(),
        made: Translated {
            pattern: String::with_capacity(pattern.len() + 16),
            groups: Vec::new(),
            weight: pattern.len() as u64,
        },
    };
    let mut was_repetition = false;
    while let Some(c) = translator.rest.next() {
        let is_repetition = match c {
            '*' | '+' | '?' => {
                translator.made.pattern.push(c);
                true
            }
            '{' => translator.counted()?,
            _ => {
                translator.element(c)?;
                false
            }
        };
        if is_repetition {
            if was_repetition {
                return Err("a repetition cannot be repeated".to_owned());
            }
            if let Some(lazy) = translator.rest.next_if_eq(&'?') {
                translator.made.pattern.push(lazy);
            }
        }
        was_repetition = is_repetition;
    }
    Ok(translator.made)
}

struct Translator<'p> {
    rest: Peekable<Chars<'p>>,
    made: Translated,
}

impl Translator<'_> {
    fn element(&mut self, c: char) -> Result<(), String> {
        match c {
            '\\' => self.escape(),
            '[' => self.class(),
            '(' => self.group(),
            '.' | '^' | '$' | '|' | ')' => {
                self.made.pattern.push(c);
                Ok(())
            }
            _ => {
                self.literal(c);
                Ok(())
            }
        }
    }

    fn literal(&mut self, c: char) {
        if c.is_ascii_punctuation() && !matches!(c, '<' | '>') {
            self.made.pattern.push('\\');
        }
        self.made.pattern.push(c);
    }

    /// `{2}`, `{2,}`, `{2,5}`; any other brace stands for itself. Whether it was
    /// a repetition.
    fn counted(&mut self) -> Result<bool, String> {
        let ahead = self.rest.clone();
        let inside: String = ahead.take_while(|c| *c != '}').take(64).collect();
        let is_count = |text: &str| {
            let is_number = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
            is_number && (text == "0" || !text.starts_with('0'))
        };
        let (least, most) = inside.split_once(',').unwrap_or((&inside, &inside));
        let closed = self.rest.clone().nth(inside.chars().count()) == Some('}');
        if !closed || !is_count(least) || !(most.is_empty() || is_count(most)) {
            self.literal('{');
            return Ok(false);
        }
        let number = |text: &str| text.parse().unwrap_or(usize::MAX);
        let (least, most) = (
            number(least),
            if most.is_empty() { 0 } else { number(most) },
        );
        if least > MAX_COUNT || most > MAX_COUNT || most > 0 && least > most {
            return Err(format!(
                "the count {{{inside}}} is not allowed: the most is {MAX_COUNT}"
            ));
        }
        self.rest.nth(inside.chars().count());
        self.made.pattern.push_str(&format!("{{{inside}}}"));
        let factor = least.max(most).max(1) as u64;
        self.made.weight = (self.made.weight * factor).min(MAX_COMPILED as u64);
        Ok(true)
    }

    /// What follows a backslash outside of a class.
    fn escape(&mut self) -> Result<(), String> {
        let Some(c) = self.rest.next() else {
            return Err("nothing follows the last \\".to_owned());
        };
        match c {
            'A' | 'b' | 'B' | 'z' | 'd' | 'D' | 'w' | 'W' => {
                self.made.pattern.extend(['\\', c]);
            }
            's' => self.made.pattern.push_str("[\\t\\n\\f\\r ]"),
            'S' => self.made.pattern.push_str("[^\\t\\n\\f\\r ]"),
            'Q' => {
                while let Some(c) = self.rest.next() {
                    let mut ahead = self.rest.clone();
                    if c == '\\' && ahead.next() == Some('E') {
                        self.rest = ahead;
                        break;
                    }
                    self.literal(c);
                }
            }
            _ => {
                let c = self.character(c)?;
                self.literal(c);
            }
        }
        Ok(())
    }

    /// The character that `\c…` stands for, in a class or outside.
    fn character(&mut self, c: char) -> Result<char, String> {
        let character = match c {
            'a' => '\x07',
            'f' => '\x0C',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0B',
            'x' => return self.hexadecimal(),
            '0'..='7' => return self.octal(c),
            'p' | 'P' => {
                let hint = "use ASCII classes such as [[:alpha:]] or ranges such as [à-ÿ]";
                return Err(format!("\\{c} (Unicode classes) is not supported; {hint}"));
            }
            _ if c.is_ascii() && !c.is_ascii_alphanumeric() => c,
            _ => return Err(format!("unknown escape sequence \\{c}")),
        };
        Ok(character)
    }

    /// `\0`, `\12`, `\123`.
    fn octal(&mut self, first: char) -> Result<char, String> {
        let is_octal = |c: &char| matches!(c, '0'..='7');
        let mut digits = String::from(first);
        while digits.len() < 3
            && let Some(digit) = self.rest.next_if(is_octal)
        {
            digits.push(digit);
        }
        let code = u32::from_str_radix(&digits, 8).ok();
        match code.and_then(char::from_u32) {
            Some(c) if first == '0' || digits.len() > 1 => Ok(c),
            _ => Err(format!("\\{first}: back references are not supported")),
        }
    }

    /// `\x41` and `\x{41}`.
    fn hexadecimal(&mut self) -> Result<char, String> {
        let is_digit = |c: &char| c.is_ascii_hexdigit();
        let mut digits = String::new();
        let is_braced = self.rest.next_if_eq(&'{').is_some();
        let most = if is_braced { 8 } else { 2 };
        while digits.len() < most
            && let Some(digit) = self.rest.next_if(is_digit)
        {
            digits.push(digit);
        }
        let is_closed = !is_braced || self.rest.next() == Some('}');
        let code = u32::from_str_radix(&digits, 16)
            .ok()
            .and_then(char::from_u32);
        match code.filter(|_| is_closed && (is_braced || digits.len() == 2)) {
            Some(code) => Ok(code),
            None => Err(
                "\\x must be followed by two hexadecimal digits, or by some in braces".to_owned(),
            ),
        }
    }

    /// `(`, `(?:`, `(?i)`, `(?P<name>`.
    fn group(&mut self) -> Result<(), String> {
        if self.rest.next_if_eq(&'?').is_none() {
            self.made.groups.push(String::new());
            self.made.pattern.push('(');
            return Ok(());
        }
        let mut ahead = self.rest.clone();
        let is_named = ahead.next() == Some('P') && ahead.next() == Some('<');
        if !is_named {
            return self.flags();
        }
        let is_word = |c: &char| *c == '_' || c.is_ascii_alphanumeric();
        let mut name = String::new();
        while let Some(c) = ahead.next_if(is_word) {
            name.push(c);
        }
        if name.is_empty() || ahead.next() != Some('>') {
            return Err("the name of a group is one word in < >".to_owned());
        }
        self.rest = ahead;
        self.made.groups.push(name);
        self.made.pattern.push('(');
        Ok(())
    }

    /// What follows `(?`. A flag may come twice in Go; the last counts.
    fn flags(&mut self) -> Result<(), String> {
        let mut flags = [('i', None), ('m', None), ('s', None), ('U', None)];
        let (mut is_on, mut is_dangling) = (true, false);
        let end = loop {
            let c = self.rest.next();
            match c {
                Some(end @ (':' | ')')) if !is_dangling => break end,
                Some('-') if is_on => (is_on, is_dangling) = (false, true),
                _ => {
                    let flag = flags.iter_mut().find(|(name, _)| Some(*name) == c);
                    let Some((_, state)) = flag else {
                        let known = "(?:…), (?P<name>…) and (?flags) with i, m, s, U are";
                        return Err(format!("unknown group (?…); {known} known"));
                    };
                    (*state, is_dangling) = (Some(is_on), false);
                }
            }
        };
        let with = |state| {
            let chosen = flags.iter().filter(move |(_, flag)| *flag == Some(state));
            chosen.map(|(name, _)| *name).collect::<String>()
        };
        let (on, off) = (with(true), with(false));
        let minus = if off.is_empty() { "" } else { "-" };
        match (end, on.is_empty() && off.is_empty()) {
            (')', true) => {}
            _ => self
                .made
                .pattern
                .push_str(&format!("(?{on}{minus}{off}{end}")),
        }
        Ok(())
    }

    /// A class in brackets, of which the first has been taken.
    fn class(&mut self) -> Result<(), String> {
        self.made.pattern.push('[');
        if self.rest.next_if_eq(&'^').is_some() {
            self.made.pattern.push('^');
        }
        let mut is_first = true;
        loop {
            match self.rest.next() {
                None => return Err("a class is never closed: ] is missing".to_owned()),
                Some(']') if !is_first => break,
                Some(c) => self.class_item(c)?,
            }
            is_first = false;
        }
        self.made.pattern.push(']');
        Ok(())
    }

    fn class_item(&mut self, c: char) -> Result<(), String> {
        if c == '[' && self.rest.peek() == Some(&':') && self.named_class()? {
            return Ok(());
        }
        if let ('\\', Some(letter)) = (c, self.rest.peek()) {
            let set = match letter {
                'd' => "\\d",
                'D' => "\\D",
                'w' => "\\w",
                'W' => "\\W",
                's' => "\\t\\n\\f\\r ",
                'S' => "\\x00-\\x08\\x0B\\x0E-\\x1F!-\\x{10FFFF}",
                _ => "",
            };
            if !set.is_empty() {
                self.rest.next();
                self.made.pattern.push_str(set);
                return Ok(());
            }
        }
        let low = self.class_character(Some(c))?;
        let mut ahead = self.rest.clone();
        let is_range = ahead.next() == Some('-') && ahead.peek().is_some_and(|c| *c != ']');
        let mut high = low;
        if is_range {
            self.rest = ahead;
            let last = self.rest.next();
            high = self.class_character(last)?;
        }
        if high < low {
            return Err("a range in a class is upside down".to_owned());
        }
        self.literal(low);
        if is_range {
            self.made.pattern.push('-');
            self.literal(high);
        }
        Ok(())
    }

    fn class_character(&mut self, c: Option<char>) -> Result<char, String> {
        match c {
            Some('\\') => match self.rest.next() {
                Some(c) => self.character(c),
                None => Err("nothing follows the last \\".to_owned()),
            },
            Some(c) => Ok(c),
            None => Err("a class is never closed: ] is missing".to_owned()),
        }
    }

    /// `[:alpha:]`, of which the first bracket has been taken. Whether it is one.
    fn named_class(&mut self) -> Result<bool, String> {
        const NAMES: &str = "alnum alpha ascii blank cntrl digit graph lower print punct space \
                             upper word xdigit";
        let text: String = self.rest.clone().skip(1).take(64).collect();
        let Some((name, _)) = text.split_once(":]") else {
            return Ok(false);
        };
        let bare = name.strip_prefix('^').unwrap_or(name);
        if !NAMES.split_whitespace().any(|known| known == bare) {
            return Err(format!("unknown class [:{name}:]"));
        }
        self.rest.nth(name.len() + 2);
        self.made.pattern.push_str(&format!("[:{name}:]"));
        Ok(true)
    }
}
