//! From the fuzzer's bytes to a template: its source and its tree at once.

use super::{Expression, Kind, Node, Range, Template, Value};

/// The names of variables, not all of which are set.
const NAMES: [&str; 8] = ["A", "B", "EMPTY", "LIST", "N", "SPACES", "U", "UNSET"];
const TEXTS: [&str; 12] = [
    "", "a", "b", ",", " ", "a,b,c", "\\", "\"", "é€", " x ", "\t\n", "10",
];
/// What stands between actions.
const BETWEEN: [&str; 8] = ["x", " ", "\n", " \t\r\n ", "a b", " }} ", "é\n", "\u{a0}"];
const WORDS: [&str; 3] = ["%s", "<%6s>", "<%-6s>"];
const NUMBERS: [&str; 6] = ["%d", "%v", "<%6d>", "<%-6d>", "%04d", "%x"];
/// How deep blocks and expressions are nested.
const DEEPEST: usize = 4;
/// The longest source that is gone on with.
const LONGEST: usize = 4000;

/// A template from these bytes.
pub fn write(bytes: &[u8]) -> Template {
    let mut writer = Writer {
        bytes: bytes.iter(),
        template: Template::default(),
        text_before: None,
        trims_next: false,
        locals: Vec::new(),
        declared: 0,
        dot: None,
        in_range: false,
        in_definition: false,
    };
    for _ in 0..writer.pick(3) {
        writer.definition();
    }
    writer.template.body = writer.nodes(0);
    writer.template
}

struct Writer<'b> {
    bytes: std::slice::Iter<'b, u8>,
    template: Template,
    /// The text that was written last, if no action came after it.
    text_before: Option<usize>,
    trims_next: bool,
    locals: Vec<(String, Kind)>,
    declared: usize,
    /// What the dot is, if it is not the environment.
    dot: Option<Kind>,
    in_range: bool,
    in_definition: bool,
}

/// White space for a trim marker, as Go has it.
fn is_trimmed(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

impl Writer<'_> {
    /// The next byte, as a number below `count`; 0 when there are no more.
    fn pick(&mut self, count: usize) -> usize {
        usize::from(*self.bytes.next().unwrap_or(&0)) % count
    }

    fn choose<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.pick(from.len())]
    }

    /// Writes an action with these words in it.
    fn action(&mut self, words: &str) {
        let (before, after) = self.choose(&[
            ("{{", "}}"),
            ("{{ ", " }}"),
            ("{{- ", "}}"),
            ("{{", " -}}"),
            ("{{-\n", "\t-}}"),
        ]);
        if let Some(text) = self.text_before.take()
            && before.len() > 3
        {
            let text = &mut self.template.texts[text];
            text.truncate(text.trim_end_matches(is_trimmed).len());
        }
        self.trims_next = after.contains('-');
        self.template.source += &format!("{before}{words}{after}");
    }

    fn text(&mut self) -> Option<Node> {
        if self.text_before.is_some() {
            return None;
        }
        let mut text = self.choose(&BETWEEN).to_owned();
        if self.pick(2) == 1 {
            text += self.choose(&BETWEEN);
        }
        self.template.source += &text;
        if self.trims_next {
            text = text.trim_start_matches(is_trimmed).to_owned();
        }
        let index = self.template.texts.len();
        self.template.texts.push(text);
        self.text_before = Some(index);
        Some(Node::Text(index))
    }

    /// The pieces of a block, which has variables of its own.
    fn nodes(&mut self, depth: usize) -> Vec<Node> {
        let known = self.locals.len();
        let mut nodes = Vec::new();
        while self.bytes.len() > 0 && self.template.source.len() < LONGEST {
            match self.pick(12) {
                0 if depth > 0 => break,
                0..=2 => nodes.extend(self.text()),
                3 | 4 => {
                    let kind = self.choose(&[
                        Kind::Text,
                        Kind::Integer,
                        Kind::Bool,
                        Kind::Texts,
                        Kind::Integers,
                    ]);
                    let (words, expression) = self.pipeline(kind);
                    self.action(&words);
                    nodes.push(Node::Show(expression));
                }
                5 => self.action_of_comment(),
                6 => nodes.push(self.set()),
                7 if self.in_range && depth > 1 => {
                    let (word, node) = match self.pick(2) {
                        0 => ("break", Node::Break),
                        _ => ("continue", Node::Continue),
                    };
                    self.action(word);
                    nodes.push(node);
                }
                8 if depth < DEEPEST => nodes.push(self.conditional(depth)),
                9 if depth < DEEPEST => nodes.push(self.with(depth)),
                10 if depth < DEEPEST => nodes.push(self.range(depth)),
                11 => nodes.extend(self.call()),
                _ => {}
            }
        }
        self.locals.truncate(known);
        nodes
    }

    /// A comment stands right behind its delimiters.
    fn action_of_comment(&mut self) {
        self.action("/* }} a {{comment}} */");
        let source = &mut self.template.source;
        for space in ["{{ /*", "*/ }}"] {
            if let Some(at) = source.rfind(space) {
                source.replace_range(at..at + space.len(), &space.replace(' ', ""));
            }
        }
    }

    fn set(&mut self) -> Node {
        let known = self.pick(self.locals.len() + 1);
        let is_visible = |(name, _): &(String, Kind)| {
            let mut later = self.locals.iter().skip(known + 1);
            later.all(|(other, _)| other != name)
        };
        let local = self.locals.get(known).filter(|local| is_visible(local));
        if let Some((name, kind)) = local.cloned() {
            let (words, expression) = self.pipeline(kind);
            self.action(&format!("${name} = {words}"));
            return Node::Assign(name, expression);
        }
        let kind = self.choose(&[Kind::Text, Kind::Integer, Kind::Bool, Kind::Texts]);
        let (words, expression) = self.pipeline(kind);
        let name = self.declare(kind);
        self.action(&format!("${name} := {words}"));
        Node::Declare(name, expression)
    }

    fn declare(&mut self, kind: Kind) -> String {
        self.declared += 1;
        let name = format!("v{}", self.declared % 3);
        self.locals.push((name.clone(), kind));
        name
    }

    fn condition(&mut self) -> (String, Expression) {
        let kind = self.choose(&[Kind::Bool, Kind::Text, Kind::Integer, Kind::Texts]);
        self.pipeline(kind)
    }

    fn conditional(&mut self, depth: usize) -> Node {
        let mut branches = Vec::new();
        let mut word = "if";
        loop {
            let (words, condition) = self.condition();
            self.action(&format!("{word} {words}"));
            branches.push((condition, self.nodes(depth + 1)));
            if self.pick(3) != 1 {
                break;
            }
            word = "else if";
        }
        let otherwise = self.otherwise(depth);
        Node::If(branches, otherwise)
    }

    /// `else`, perhaps, and `end`.
    fn otherwise(&mut self, depth: usize) -> Vec<Node> {
        let mut otherwise = Vec::new();
        if self.pick(2) == 1 {
            self.action("else");
            otherwise = self.nodes(depth + 1);
        }
        self.action("end");
        otherwise
    }

    fn with(&mut self, depth: usize) -> Node {
        let kind = self.choose(&[Kind::Text, Kind::Integer]);
        let (words, expression) = self.pipeline(kind);
        self.action(&format!("with {words}"));
        let dot = self.dot.replace(kind);
        let body = self.nodes(depth + 1);
        self.dot = dot;
        Node::With(expression, body, self.otherwise(depth))
    }

    fn range(&mut self, depth: usize) -> Node {
        let (kind, item) =
            self.choose(&[(Kind::Texts, Kind::Text), (Kind::Integers, Kind::Integer)]);
        let (words, list) = self.pipeline(kind);
        let known = self.locals.len();
        let names = self.pick(3);
        let index = (names == 2).then(|| self.declare(Kind::Integer));
        let element = (names > 0).then(|| self.declare(item));
        let names = match (&index, &element) {
            (Some(index), Some(element)) => format!("${index}, ${element} := "),
            (_, Some(element)) => format!("${element} := "),
            _ => String::new(),
        };
        self.action(&format!("range {names}{words}"));
        let dot = self.dot.replace(item);
        let in_range = std::mem::replace(&mut self.in_range, true);
        let body = self.nodes(depth + 1);
        (self.dot, self.in_range) = (dot, in_range);
        for (_, known) in self.locals.iter_mut().skip(known) {
            *known = kind;
        }
        let otherwise = self.otherwise(depth);
        self.locals.truncate(known);
        Node::Range(Range {
            list,
            index,
            element,
            body,
            otherwise,
        })
    }

    fn definition(&mut self) {
        let index = self.template.definitions.len();
        self.action(&format!("define \"t{index}\""));
        (self.dot, self.in_definition) = (Some(Kind::Text), true);
        let body = self.nodes(1);
        (self.dot, self.in_definition) = (None, false);
        self.action("end");
        self.template.definitions.push(body);
    }

    fn call(&mut self) -> Option<Node> {
        let count = self.template.definitions.len();
        if count == 0 {
            return None;
        }
        let index = self.pick(count);
        let (words, expression) = self.pipeline(Kind::Text);
        self.action(&format!("template \"t{index}\" {words}"));
        Some(Node::Call(index, expression))
    }

    /// What may stand alone in an action.
    fn pipeline(&mut self, kind: Kind) -> (String, Expression) {
        self.expression(kind, 0)
    }

    /// What may be an argument.
    fn operand(&mut self, kind: Kind, depth: usize) -> (String, Expression) {
        let (words, expression) = self.expression(kind, depth + 1);
        match expression {
            Expression::Call(..) => (format!("({words})"), expression),
            _ => (words, expression),
        }
    }

    fn expression(&mut self, kind: Kind, depth: usize) -> (String, Expression) {
        let is_simple = depth >= 3 || self.pick(2) == 0;
        if is_simple && let Some(simple) = self.simple(kind) {
            return simple;
        }
        let (name, kinds) = self.function(kind);
        let mut words = Vec::new();
        let mut arguments = Vec::new();
        for kind in kinds {
            let (text, argument) = match (name, kind) {
                ("printf", Kind::Bool) => self.format(&WORDS),
                ("printf", Kind::Texts) => self.format(&NUMBERS),
                _ => self.operand(kind, depth),
            };
            words.push(text);
            arguments.push(argument);
        }
        let is_piped = self.pick(3) == 1;
        let text = match words.split_last() {
            Some((last, others)) if is_piped => {
                let others = others.iter().map(|other| format!(" {other}"));
                format!("{last} | {name}{}", others.collect::<String>())
            }
            _ => format!("{name} {}", words.join(" ")),
        };
        (text, Expression::Call(name, arguments))
    }

    fn format(&mut self, formats: &[&str]) -> (String, Expression) {
        let format = self.choose(formats);
        let literal = Expression::Literal(Value::Text(format.to_owned()));
        (format!("{format:?}"), literal)
    }

    /// A function of this kind and what it takes. The format of `printf` is none
    /// of the kinds there are; two that it never takes stand for it.
    fn function(&mut self, kind: Kind) -> (&'static str, Vec<Kind>) {
        use Kind::{Bool, Integer, Integers, Text, Texts};
        match (kind, self.pick(8)) {
            (Text, 0) => ("default", vec![Text, Text]),
            (Text, 1) => ("default", vec![Integer, Text]),
            (Text, 2) => ("join", vec![Text, Texts]),
            (Text, 3) => ("replaceAll", vec![Text, Text, Text]),
            (Text, 4) => ("printf", vec![Bool, Text]),
            (Text, 5) => ("printf", vec![Texts, Integer]),
            (Text, 6) => ("print", vec![Text, Integer, Integer, Text]),
            (Text, _) => (self.choose(&["and", "or"]), vec![Text, Text]),
            (Integer, 0..=3) => ("len", vec![Text]),
            (Integer, 4 | 5) => ("len", vec![Texts]),
            (Integer, _) => (self.choose(&["and", "or"]), vec![Integer, Integer]),
            (Bool, 0) => ("not", vec![Text]),
            (Bool, 1) => ("not", vec![Bool]),
            (Bool, 2) => ("eq", vec![Text, Text, Text]),
            (Bool, 3) => (self.choose(&["eq", "ne"]), vec![Integer, Integer]),
            (Bool, 4) => (self.choose(&["lt", "le", "gt", "ge"]), vec![Text, Text]),
            (Bool, 5) => (self.choose(&["lt", "le", "gt", "ge"]), vec![Integer; 2]),
            (Bool, _) => (self.choose(&["and", "or"]), vec![Bool, Bool]),
            (Texts, _) => ("split", vec![Text, Text]),
            (Integers, _) => ("loop", vec![Integer]),
        }
    }

    /// What is no call.
    fn simple(&mut self, kind: Kind) -> Option<(String, Expression)> {
        let choice = self.pick(4);
        if choice == 0 && self.dot == Some(kind) {
            return Some((".".to_owned(), Expression::Dot));
        }
        if choice == 1 {
            // Of two variables of one name the later one hides the other.
            let mut seen = Vec::new();
            let locals = self.locals.iter().rev();
            let visible = locals.filter(|(name, _)| {
                let is_new = !seen.contains(&name);
                seen.push(name);
                is_new
            });
            let mut fitting = visible.filter(|(_, known)| *known == kind);
            if let Some((name, _)) = fitting.next() {
                return Some((format!("${name}"), Expression::Local(name.clone())));
            }
        }
        let literal = match kind {
            Kind::Text if choice < 3 => return Some(self.variable()),
            Kind::Text => Value::Text(self.choose(&TEXTS).to_owned()),
            Kind::Integer => Value::Integer(self.pick(13) as i64 - 4),
            Kind::Bool => Value::Bool(self.pick(2) == 1),
            Kind::Texts | Kind::Integers => return None,
        };
        let words = match &literal {
            Value::Text(text) if choice == 3 && self.pick(2) == 1 && !text.contains('`') => {
                format!("`{text}`")
            }
            Value::Text(text) => format!("{text:?}"),
            other => other.to_string(),
        };
        Some((words, Expression::Literal(literal)))
    }

    fn variable(&mut self) -> (String, Expression) {
        let name = self.choose(&NAMES);
        let words = match (self.in_definition, self.dot) {
            (true, _) => format!("(env {name:?})"),
            (false, Some(_)) => format!("$.{name}"),
            (false, None) => format!(".{name}"),
        };
        (words, Expression::Variable(name.to_owned()))
    }
}
