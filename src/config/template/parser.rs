//! Compiles a template: its texts, actions and blocks.
//!
//! Blocks that are open are a list, not calls: no nesting can exhaust the stack.
//! What stands inside an action is compiled by `pipeline`.

use std::mem;

use super::lexer::{Kind, Lexer, Token};
use super::literal;
use super::program::{Op, Program, Step};
use super::scope::Scope;
use super::text::Text;
use super::value::{Value, excerpt};
use super::{Fault, MAX_NESTING};

/// Compiles a whole text.
pub(super) fn parse(text: &str) -> Result<Program<'_>, Fault> {
    let mut parser = Parser {
        lexer: Lexer::new(text),
        program: Program::default(),
        body: Body::new("".into(), 0),
        outer: Vec::new(),
    };
    loop {
        let token = parser.lexer.next()?;
        match token.kind {
            Kind::Text => {
                parser.body.is_blank &= token.text.trim().is_empty();
                parser.emit(Op::Write(token.text), token.at);
            }
            Kind::End => return parser.finish(),
            _ => parser.action(token.at)?,
        }
    }
}

pub(super) struct Parser<'a> {
    pub(super) lexer: Lexer<'a>,
    program: Program<'a>,
    /// The template that is being compiled.
    pub(super) body: Body<'a>,
    /// The templates around it.
    outer: Vec<Body<'a>>,
}

/// A template whose end has not been seen.
pub(super) struct Body<'a> {
    name: Text<'a>,
    at: usize,
    code: Vec<Step<'a>>,
    blocks: Vec<Block<'a>>,
    pub(super) scope: Scope<'a>,
    /// Whether it has nothing but white space, so that it may be defined again.
    is_blank: bool,
}

/// A block whose `{{end}}` has not been seen.
struct Block<'a> {
    keyword: Token<'a>,
    kind: BlockKind,
    /// How many variables there were before it, and before its body.
    scope: usize,
    body_scope: usize,
    /// The jump that skips the body; none once `{{else}}` has been seen.
    branch: Option<usize>,
    /// Other jumps to the end.
    exits: Vec<usize>,
}

#[derive(Clone, Copy)]
enum BlockKind {
    If,
    With,
    Range { next: usize },
}

impl<'a> Body<'a> {
    fn new(name: Text<'a>, at: usize) -> Self {
        Self {
            name,
            at,
            code: Vec::new(),
            blocks: Vec::new(),
            scope: Scope::new(),
            is_blank: true,
        }
    }
}

impl<'a> Parser<'a> {
    /// Appends an operation; the answer is its index.
    pub(super) fn emit(&mut self, op: Op<'a>, at: usize) -> usize {
        self.body.code.push(Step { op, at });
        self.body.code.len() - 1
    }

    /// Takes back the last operation.
    pub(super) fn retract(&mut self) {
        self.body.code.pop();
    }

    /// Makes the jump at `index` lead to what is appended next.
    pub(super) fn land(&mut self, index: usize) {
        let here = self.body.code.len();
        let op = self.body.code.get_mut(index).map(|step| &mut step.op);
        if let Some(
            Op::Jump(target)
            | Op::JumpUnless(target)
            | Op::With(target)
            | Op::Range(target)
            | Op::Break(target)
            | Op::Next { target, .. }
            | Op::Decide { target, .. },
        ) = op
        {
            *target = here;
        }
    }

    /// Compiles an action whose braces have been read.
    fn action(&mut self, at: usize) -> Result<(), Fault> {
        self.lexer.skip_space();
        let mut ahead = self.lexer;
        let token = match self.lexer.peek_byte() {
            Some(b'a'..=b'z') => ahead.next()?,
            _ => return self.print(),
        };
        if token.kind != Kind::Keyword {
            return self.print();
        }
        self.lexer = ahead;
        if token.text == "define" {
            return self.define(&token);
        }
        self.body.is_blank &= token.text == "end";
        match token.text {
            "if" | "with" | "range" => self.open(token),
            "else" => self.otherwise(&token),
            "end" => self.end(&token, at),
            "break" | "continue" => self.leave(&token),
            "template" => self.template(&token),
            _ => self.block(&token),
        }
    }

    /// An action without a keyword.
    fn print(&mut self) -> Result<(), Fault> {
        self.body.is_blank = false;
        let at = self.lexer.position();
        let declared = self.pipeline("command")?;
        let last = if declared.is_empty() {
            Op::Print
        } else {
            Op::Drop
        };
        self.emit(last, at);
        Ok(())
    }

    fn open(&mut self, keyword: Token<'a>) -> Result<(), Fault> {
        if self.body.blocks.len() >= MAX_NESTING {
            let message = format!("blocks are nested more than {MAX_NESTING} deep");
            return Err(Fault::new(keyword.at, message));
        }
        let scope = self.body.scope.len();
        let declared = self.pipeline(keyword.text)?;
        let mut exits = Vec::new();
        let (kind, branch) = match keyword.text {
            "if" => (BlockKind::If, self.emit(Op::JumpUnless(0), keyword.at)),
            "with" => (BlockKind::With, self.emit(Op::With(0), keyword.at)),
            _ => {
                let branch = self.emit(Op::Range(0), keyword.at);
                let (key, element) = match *declared {
                    [key, element, ..] => (key, element),
                    [element] => (None, element),
                    [] => (None, None),
                };
                let target = 0;
                let next = Op::Next {
                    key,
                    element,
                    target,
                };
                let next = self.emit(next, keyword.at);
                exits.push(next);
                (BlockKind::Range { next }, branch)
            }
        };
        self.body.blocks.push(Block {
            keyword,
            kind,
            scope,
            body_scope: self.body.scope.len(),
            branch: Some(branch),
            exits,
        });
        Ok(())
    }

    fn otherwise(&mut self, token: &Token<'a>) -> Result<(), Fault> {
        let Some(mut block) = self.body.blocks.pop() else {
            return Err(Fault::new(token.at, "{{else}} belongs to no block"));
        };
        let Some(branch) = block.branch.take() else {
            return Err(Fault::new(token.at, "this block has an {{else}} already"));
        };
        match block.kind {
            BlockKind::Range { next } => {
                self.emit(Op::Jump(next), token.at);
            }
            BlockKind::With => {
                self.emit(Op::EndWith, token.at);
                block.exits.push(self.emit(Op::Jump(0), token.at));
            }
            BlockKind::If => block.exits.push(self.emit(Op::Jump(0), token.at)),
        }
        self.land(branch);
        self.body.scope.unset_from(block.body_scope);
        let next = self.lexer.next_word()?;
        if next.kind == Kind::Keyword && next.text == "if" {
            if !matches!(block.kind, BlockKind::If) {
                let keyword = block.keyword.text;
                let message = format!("{{{{else if}}}} cannot follow {{{{{keyword}}}}}");
                return Err(Fault::new(next.at, message));
            }
            self.pipeline("if")?;
            block.branch = Some(self.emit(Op::JumpUnless(0), next.at));
            block.body_scope = self.body.scope.len();
        } else if next.kind != Kind::Close {
            return Err(next.unexpected("{{else}}"));
        }
        self.body.blocks.push(block);
        Ok(())
    }

    fn end(&mut self, token: &Token<'a>, at: usize) -> Result<(), Fault> {
        self.expect_close("{{end}}")?;
        let Some(block) = self.body.blocks.pop() else {
            let Some(outer) = self.outer.pop() else {
                return Err(Fault::new(at, "{{end}} closes nothing"));
            };
            let body = mem::replace(&mut self.body, outer);
            return self.add(body);
        };
        if let Some(branch) = block.branch {
            match block.kind {
                BlockKind::Range { next } => self.emit(Op::Jump(next), token.at),
                BlockKind::With => self.emit(Op::EndWith, token.at),
                BlockKind::If => 0,
            };
            self.land(branch);
        }
        block.exits.iter().for_each(|exit| self.land(*exit));
        self.body.scope.truncate(block.scope);
        Ok(())
    }

    /// `{{break}}` and `{{continue}}`.
    fn leave(&mut self, token: &Token<'a>) -> Result<(), Fault> {
        let word = token.text;
        self.expect_close(&format!("{{{{{word}}}}}"))?;
        let mut blocks = self.body.blocks.iter().enumerate().rev();
        let innermost = blocks.find_map(|(index, block)| match block.kind {
            BlockKind::Range { next } if block.branch.is_some() => Some((index, next)),
            _ => None,
        });
        let Some((index, next)) = innermost else {
            let message = format!("{{{{{word}}}}} stands in no {{{{range}}}}");
            return Err(Fault::new(token.at, message));
        };
        if word == "continue" {
            self.emit(Op::Jump(next), token.at);
            return Ok(());
        }
        let exit = self.emit(Op::Break(0), token.at);
        if let Some(block) = self.body.blocks.get_mut(index) {
            block.exits.push(exit);
        }
        Ok(())
    }

    fn template(&mut self, token: &Token<'a>) -> Result<(), Fault> {
        let name = self.name("{{template}}")?;
        let before = self.lexer;
        if self.lexer.next_word()?.kind == Kind::Close {
            self.emit(Op::Push(Value::Nil), token.at);
        } else {
            self.lexer = before;
            self.pipeline("{{template}}")?;
        }
        self.emit(Op::Template(name), token.at);
        Ok(())
    }

    fn block(&mut self, token: &Token<'a>) -> Result<(), Fault> {
        let name = self.name("{{block}}")?;
        self.pipeline("{{block}}")?;
        self.emit(Op::Template(name.clone()), token.at);
        self.begin(name, token.at)
    }

    fn define(&mut self, token: &Token<'a>) -> Result<(), Fault> {
        if !self.outer.is_empty() || !self.body.blocks.is_empty() {
            let message = "{{define}} must not stand inside another block";
            return Err(Fault::new(token.at, message));
        }
        let name = self.name("{{define}}")?;
        self.expect_close("{{define}}")?;
        self.begin(name, token.at)
    }

    fn begin(&mut self, name: Text<'a>, at: usize) -> Result<(), Fault> {
        if self.outer.len() >= MAX_NESTING {
            let message = format!("blocks are nested more than {MAX_NESTING} deep");
            return Err(Fault::new(at, message));
        }
        let outer = mem::replace(&mut self.body, Body::new(name, at));
        self.outer.push(outer);
        Ok(())
    }

    fn name(&mut self, context: &str) -> Result<Text<'a>, Fault> {
        let token = self.lexer.next_word()?;
        match token.kind {
            Kind::Quoted | Kind::Raw => {
                literal::string(&token).map_err(|message| Fault::new(token.at, message))
            }
            _ => Err(token.unexpected(&format!("{context}: a name in quotes must follow"))),
        }
    }

    fn expect_close(&mut self, context: &str) -> Result<(), Fault> {
        let token = self.lexer.next_word()?;
        match token.kind {
            Kind::Close => Ok(()),
            _ => Err(token.unexpected(context)),
        }
    }

    /// Keeps a compiled template. Of several with one name, only one may have
    /// something in it.
    fn add(&mut self, body: Body<'a>) -> Result<(), Fault> {
        let bodies = &mut self.program.bodies;
        if let Some((_, false)) = self.program.names.get(&*body.name) {
            if body.is_blank {
                return Ok(());
            }
            let name = excerpt(&body.name);
            let message = format!("the template {name} is defined twice");
            return Err(Fault::new(body.at, message));
        }
        let entry = (bodies.len(), body.is_blank);
        self.program.names.insert(body.name.to_vec(), entry);
        bodies.push(body.code);
        Ok(())
    }

    fn finish(mut self) -> Result<Program<'a>, Fault> {
        if let Some(block) = self.body.blocks.last() {
            let Token { text, at, .. } = block.keyword;
            let message = format!("{{{{{text}}}}} is never closed: {{{{end}}}} is missing");
            return Err(Fault::new(at, message));
        }
        if !self.outer.is_empty() {
            let name = excerpt(&self.body.name);
            let message = format!("the template {name} is never closed: {{{{end}}}} is missing");
            return Err(Fault::new(self.body.at, message));
        }
        let main = mem::replace(&mut self.body, Body::new("".into(), 0));
        self.add(main)?;
        Ok(self.program)
    }
}
