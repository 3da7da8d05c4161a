//! A second way through a JSON5 text: where each of its keys and items begins.
//!
//! It knows the lexical grammar of JSON5 and nothing else, and is given texts
//! that a parser has accepted. It has nothing in common with the program's way.

/// A key or an item, by its steps from the outermost value, and its offset.
pub type Place = (Vec<String>, usize);

struct Walk<'t> {
    text: &'t str,
    at: usize,
    places: Vec<Place>,
}

/// The places of all keys and items of a valid text. Steps that are keys with
/// escapes are `None` for everything below them, and so left out.
pub fn places(text: &str) -> Vec<Place> {
    let mut walk = Walk {
        text,
        at: 0,
        places: Vec::new(),
    };
    walk.value(Some(&[]));
    walk.places
}

fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{2028}' | '\u{2029}')
}

/// White space of JSON5 (§1.3): that of ECMAScript, with the line terminators.
fn is_space(c: char) -> bool {
    matches!(c, '\t' | '\u{b}' | '\u{c}' | ' ' | '\u{a0}' | '\u{feff}')
        || is_line_end(c)
        || matches!(
            c,
            '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
        )
}

impl<'t> Walk<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn peek(&self) -> char {
        self.rest().chars().next().expect("a valid text goes on")
    }

    /// Skips space and comments.
    fn space(&mut self) {
        loop {
            let rest = self.rest();
            let skipped = if rest.starts_with("//") {
                rest.find(is_line_end).unwrap_or(rest.len())
            } else if rest.starts_with("/*") {
                rest[2..].find("*/").expect("the end of a comment") + 4
            } else {
                rest.find(|c| !is_space(c)).unwrap_or(rest.len())
            };
            if skipped == 0 {
                return;
            }
            self.at += skipped;
        }
    }

    /// A string, with its quotes.
    fn string(&mut self) -> &'t str {
        let begin = self.at;
        let quote = self.peek();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            if c == '\\' {
                chars.next();
            } else if c == quote {
                self.at = begin + at + 1;
                return &self.text[begin..self.at];
            }
        }
        panic!("the string at {begin} has no end");
    }

    /// A name, a number or a literal.
    fn word(&mut self) -> &'t str {
        let begin = self.at;
        let is_end = |c| is_space(c) || "{}[]:,/\"'".contains(c);
        self.at += self.rest().find(is_end).unwrap_or(self.rest().len());
        assert!(self.at > begin, "nothing at {begin}");
        &self.text[begin..self.at]
    }

    fn value(&mut self, steps: Option<&[String]>) {
        self.space();
        match self.peek() {
            '{' => self.object(steps),
            '[' => self.list(steps),
            '"' | '\'' => drop(self.string()),
            _ => drop(self.word()),
        }
    }

    fn visit(&mut self, steps: Option<&[String]>, step: Option<String>) -> Option<Vec<String>> {
        let steps = [steps?, &[step?]].concat();
        self.places.push((steps.clone(), self.at));
        Some(steps)
    }

    /// Behind an entry: whether there may be another.
    fn comma(&mut self) {
        self.space();
        if self.peek() == ',' {
            self.at += 1;
            self.space();
        }
    }

    fn object(&mut self, steps: Option<&[String]>) {
        self.at += 1;
        self.space();
        while self.peek() != '}' {
            let begin = self.at;
            let key = match self.peek() {
                '"' | '\'' => {
                    let quoted = self.string();
                    &quoted[1..quoted.len() - 1]
                }
                _ => self.word(),
            };
            let end = std::mem::replace(&mut self.at, begin);
            let key = (!key.contains('\\')).then(|| key.to_owned());
            let steps = self.visit(steps, key);
            self.at = end;
            self.space();
            assert_eq!(self.peek(), ':');
            self.at += 1;
            self.value(steps.as_deref());
            self.comma();
        }
        self.at += 1;
    }

    fn list(&mut self, steps: Option<&[String]>) {
        self.at += 1;
        self.space();
        for index in 0_usize.. {
            if self.peek() == ']' {
                break;
            }
            let steps = self.visit(steps, Some(index.to_string()));
            self.value(steps.as_deref());
            self.comma();
        }
        self.at += 1;
    }
}
