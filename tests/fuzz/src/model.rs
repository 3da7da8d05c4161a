//! A model of the template language: templates that are right by construction,
//! written from the fuzzer's bytes, and what they render to, found by walking
//! their tree. It follows Go's documentation and shares nothing with the program.
//!
//! Left out is what has no simple model: fields of fields, floats, the verbs of
//! `printf` but a few, patterns, and all that is an error.

mod expression;
mod writer;

pub use expression::{Expression, Kind, Value};
pub use writer::write;

use std::cell::Cell;
use std::collections::BTreeMap;

/// The variables of the environment.
pub type Variables = BTreeMap<String, String>;

/// A piece of a template.
#[derive(Debug)]
pub enum Node {
    /// What stands between actions, trimmed.
    Text(usize),
    Show(Expression),
    /// Conditions with their branches, and the last `else`.
    If(Vec<(Expression, Vec<Node>)>, Vec<Node>),
    With(Expression, Vec<Node>, Vec<Node>),
    Range(Range),
    Declare(String, Expression),
    Assign(String, Expression),
    /// `template`: the number of a definition, and its dot.
    Call(usize, Expression),
    Break,
    Continue,
}

/// `range`
#[derive(Debug)]
pub struct Range {
    pub list: Expression,
    /// The names of the index and of the element; the second may be alone.
    pub index: Option<String>,
    pub element: Option<String>,
    pub body: Vec<Node>,
    pub otherwise: Vec<Node>,
}

/// A whole template.
#[derive(Debug, Default)]
pub struct Template {
    pub source: String,
    pub texts: Vec<String>,
    pub body: Vec<Node>,
    pub definitions: Vec<Vec<Node>>,
}

impl Template {
    /// What it renders to; `None` if that takes too long to wait for.
    pub fn render(&self, variables: &Variables) -> Option<String> {
        let mut run = Run {
            template: self,
            variables,
            outgrown: Cell::new(false),
            locals: Vec::new(),
            out: String::new(),
            patience: PATIENCE,
        };
        run.nodes(&self.body, &Value::Text(String::new()));
        (run.patience > 0 && !run.outgrown.get()).then_some(run.out)
    }
}

/// Why a list of pieces was left.
#[derive(PartialEq, Eq)]
enum Left {
    AtItsEnd,
    ByBreak,
    ByContinue,
}

/// What expressions depend on.
pub struct Scope<'r> {
    /// Whether a value has become too large for the model.
    pub outgrown: &'r Cell<bool>,
    pub variables: &'r Variables,
    pub locals: &'r [(String, Value)],
    pub dot: &'r Value,
}

/// So many pieces are rendered, those of lists in lists each time.
const PATIENCE: usize = 5_000;

struct Run<'r> {
    template: &'r Template,
    variables: &'r Variables,
    outgrown: Cell<bool>,
    locals: Vec<(String, Value)>,
    out: String,
    /// At nothing, everything is left.
    patience: usize,
}

impl Run<'_> {
    fn value(&self, expression: &Expression, dot: &Value) -> Value {
        expression.value(&Scope {
            outgrown: &self.outgrown,
            variables: self.variables,
            locals: &self.locals,
            dot,
        })
    }

    /// A list of pieces with variables of its own.
    fn nodes(&mut self, nodes: &[Node], dot: &Value) -> Left {
        let depth = self.locals.len();
        let mut left = Left::AtItsEnd;
        for node in nodes {
            left = self.node(node, dot);
            if left != Left::AtItsEnd {
                break;
            }
        }
        self.locals.truncate(depth);
        left
    }

    fn node(&mut self, node: &Node, dot: &Value) -> Left {
        self.patience = self.patience.saturating_sub(1);
        if self.patience == 0 || self.outgrown.get() {
            return Left::ByBreak;
        }
        match node {
            Node::Text(index) => self.out.push_str(&self.template.texts[*index]),
            Node::Show(expression) => {
                let value = self.value(expression, dot);
                self.out.push_str(&value.to_string());
            }
            Node::If(branches, otherwise) => {
                let mut branches = branches.iter();
                let found = branches.find(|(condition, _)| self.value(condition, dot).is_true());
                return self.nodes(found.map_or(otherwise, |(_, body)| body), dot);
            }
            Node::With(expression, body, otherwise) => {
                let value = self.value(expression, dot);
                return match value.is_true() {
                    true => self.nodes(body, &value),
                    false => self.nodes(otherwise, dot),
                };
            }
            Node::Range(range) => return self.range(range, dot),
            Node::Declare(name, expression) => {
                let value = self.value(expression, dot);
                self.locals.push((name.clone(), value));
            }
            Node::Assign(name, expression) => {
                let value = self.value(expression, dot);
                let mut locals = self.locals.iter_mut().rev();
                let local = locals.find(|(known, _)| known == name);
                local.expect("a declared variable").1 = value;
            }
            Node::Call(index, expression) => {
                let value = self.value(expression, dot);
                let locals = std::mem::take(&mut self.locals);
                self.nodes(&self.template.definitions[*index], &value);
                self.locals = locals;
            }
            Node::Break => return Left::ByBreak,
            Node::Continue => return Left::ByContinue,
        }
        Left::AtItsEnd
    }

    fn range(&mut self, range: &Range, dot: &Value) -> Left {
        let depth = self.locals.len();
        let list = self.value(&range.list, dot);
        if !list.is_true() {
            // Go has declared the variables by then, and given them the list.
            let names = [&range.index, &range.element].into_iter().flatten();
            self.locals
                .extend(names.map(|name| (name.clone(), list.clone())));
            let left = self.nodes(&range.otherwise, dot);
            self.locals.truncate(depth);
            return left;
        }
        let items = list.items();
        for (index, item) in items.into_iter().enumerate() {
            let index = Value::Integer(index as i64);
            let named = [(&range.index, index), (&range.element, item.clone())];
            for (name, value) in named {
                if let Some(name) = name {
                    self.locals.push((name.clone(), value));
                }
            }
            let left = self.nodes(&range.body, &item);
            self.locals.truncate(depth);
            if left == Left::ByBreak || self.patience == 0 || self.outgrown.get() {
                break;
            }
        }
        Left::AtItsEnd
    }
}
