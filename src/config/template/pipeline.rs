//! Compiles pipelines: declarations, commands and their operands.
//!
//! Parentheses that are open are a list, not calls, like the blocks in `parser`.

use std::mem;

use super::functions::{self, Function};
use super::lexer::{Kind, Token};
use super::literal;
use super::parser::Parser;
use super::program::Op;
use super::value::{Value, brief};
use super::{Fault, MAX_NESTING};

/// The slots of the variables that a pipeline declares or sets; none where it
/// sets one that does not exist, which fails before the slot is used.
pub(super) type Declared = Vec<Option<usize>>;

/// A pipeline whose end has not been seen.
struct Pipeline<'a> {
    context: &'a str,
    /// Where it begins: the parenthesis, if there is one.
    at: usize,
    targets: Vec<Target<'a>>,
    /// How many commands are complete.
    stages: usize,
    command: Option<Command<'a>>,
}

/// A variable that takes the value of a pipeline.
struct Target<'a> {
    name: Token<'a>,
    /// Its place in the scope if it is new.
    declared: Option<usize>,
}

/// A command whose end has not been seen.
struct Command<'a> {
    /// What it begins with.
    text: &'a str,
    at: usize,
    /// None if it begins with a value, which takes no arguments.
    function: Option<&'static Function>,
    arguments: usize,
    /// The jumps of `and` and `or` to the end of the command.
    exits: Vec<usize>,
    scope: usize,
}

impl<'a> Parser<'a> {
    /// Compiles a pipeline up to and with the end of the action. It leaves one
    /// value.
    pub(super) fn pipeline(&mut self, context: &'a str) -> Result<Declared, Fault> {
        let mut outer = Vec::new();
        let mut pipeline = self.begin_pipeline(context, None)?;
        loop {
            let token = self.lexer.next_word()?;
            match token.kind {
                Kind::LeftParen if outer.len() >= MAX_NESTING => {
                    let message = format!("parentheses are nested more than {MAX_NESTING} deep");
                    return Err(Fault::new(token.at, message));
                }
                Kind::LeftParen => {
                    let inner = self.begin_pipeline("parentheses", Some(token.at))?;
                    outer.push(mem::replace(&mut pipeline, inner));
                }
                Kind::RightParen if !outer.is_empty() => {
                    let value = Token {
                        text: "(…)",
                        at: pipeline.at,
                        ..token
                    };
                    self.end_pipeline(pipeline)?;
                    pipeline = outer.pop().ok_or_else(|| token.unexpected(context))?;
                    self.fields()?;
                    self.operand(&mut pipeline, &value);
                    self.expect_separator()?;
                }
                Kind::Close if !outer.is_empty() => {
                    return Err(Fault::new(
                        pipeline.at,
                        "\"(\" is never closed: \")\" is missing",
                    ));
                }
                Kind::Close => return self.end_pipeline(pipeline),
                Kind::Pipe if pipeline.command.is_some() => self.end_command(&mut pipeline),
                _ => self.word(&mut pipeline, &token)?,
            }
        }
    }

    fn begin_pipeline(
        &mut self,
        context: &'a str,
        at: Option<usize>,
    ) -> Result<Pipeline<'a>, Fault> {
        self.lexer.skip_space();
        Ok(Pipeline {
            context,
            at: at.unwrap_or(self.lexer.position()),
            targets: self.targets(context)?,
            stages: 0,
            command: None,
        })
    }

    /// The variables before `:=` or `=`, if the pipeline begins with some.
    fn targets(&mut self, context: &'a str) -> Result<Vec<Target<'a>>, Fault> {
        let mut targets: Vec<Target<'a>> = Vec::new();
        loop {
            self.lexer.skip_space();
            if self.lexer.peek_byte() != Some(b'$') {
                return Ok(targets);
            }
            let before = self.lexer;
            let name = self.lexer.next()?;
            let next = self.lexer.next_word()?;
            let is_list = next.kind == Kind::Other && next.text == ",";
            match next.kind {
                Kind::Declare | Kind::Assign => {
                    targets.push(self.target(name, next.kind == Kind::Declare));
                    let is_new = next.kind == Kind::Declare;
                    targets.iter_mut().for_each(|target| {
                        target.declared = target.declared.filter(|_| is_new);
                    });
                    return Ok(targets);
                }
                Kind::Other if is_list && context == "range" && targets.is_empty() => {
                    targets.push(self.target(name, true));
                    let mut ahead = self.lexer;
                    let second = ahead.next_word()?;
                    if !matches!(second.kind, Kind::Variable | Kind::Close | Kind::RightParen) {
                        return Err(second.unexpected("range: a variable must follow the comma"));
                    }
                }
                Kind::Other if is_list => {
                    let message = format!("too many variables in {context}");
                    return Err(Fault::new(name.at, message));
                }
                _ => {
                    self.lexer = before;
                    return Ok(targets);
                }
            }
        }
    }

    fn target(&mut self, name: Token<'a>, is_new: bool) -> Target<'a> {
        // Go lets the rest of the block use the name even if the assignment
        // itself must fail.
        let slot = self.body.scope.declare(name.text);
        let declared = is_new.then_some(slot);
        Target { name, declared }
    }

    fn end_pipeline(&mut self, mut pipeline: Pipeline<'a>) -> Result<Declared, Fault> {
        self.end_command(&mut pipeline);
        if pipeline.stages == 0 {
            let message = format!("a value is missing in {}", pipeline.context);
            return Err(Fault::new(pipeline.at, message));
        }
        let targets = pipeline.targets.iter();
        Ok(targets.map(|target| self.store(target)).collect())
    }

    fn store(&mut self, target: &Target<'a>) -> Option<usize> {
        if let Some(slot) = target.declared {
            self.body.scope.set(slot);
        }
        let slot = target
            .declared
            .or_else(|| self.body.scope.find(target.name.text));
        let op = match slot {
            Some(slot) => Op::Store(slot),
            None => Op::Fail(format!(
                "the variable {} is not declared",
                target.name.brief()
            )),
        };
        self.emit(op, target.name.at);
        slot
    }

    /// Compiles an operand other than parentheses, and what belongs to it.
    fn word(&mut self, pipeline: &mut Pipeline<'a>, token: &Token<'a>) -> Result<(), Fault> {
        let is_first = pipeline.command.is_none();
        let context = if is_first {
            pipeline.context
        } else {
            "operand"
        };
        if is_first && pipeline.stages > 0 && is_literal(token.kind) {
            let message = format!("cannot pipe into {}, which is no function", token.brief());
            return Err(Fault::new(token.at, message));
        }
        let fault = |message| Fault::new(token.at, message);
        let op = match token.kind {
            Kind::Dot => Op::Dot,
            Kind::Nil if is_first => Op::Fail("nil is not a command".to_owned()),
            Kind::Nil => Op::Push(Value::Nil),
            Kind::Bool => Op::Push(Value::Bool(token.text == "true")),
            Kind::Number | Kind::Complex => Op::Push(literal::number(token).map_err(fault)?),
            Kind::Character => Op::Push(literal::character(token).map_err(fault)?),
            Kind::Quoted | Kind::Raw => {
                Op::Push(Value::String(literal::string(token).map_err(fault)?))
            }
            Kind::Variable => self.load(token)?,
            Kind::Field => {
                self.emit(Op::Dot, token.at);
                Op::Field(token.text.trim_start_matches('.'))
            }
            Kind::Name => {
                let function = functions::find(token.text).map_err(fault)?;
                if is_first && !self.is_at_field()? {
                    pipeline.command = Some(self.begin_command(token, Some(function)));
                    return self.expect_separator();
                }
                let (count, is_piped) = (0, false);
                Op::Call {
                    function,
                    count,
                    is_piped,
                }
            }
            _ => return Err(token.unexpected(context)),
        };
        self.emit(op, token.at);
        if is_literal(token.kind) && self.is_at_field()? {
            let message = format!("{} has no fields", token.brief());
            return Err(Fault::new(token.at, message));
        }
        self.fields()?;
        self.operand(pipeline, token);
        self.expect_separator()
    }

    fn load(&self, token: &Token<'a>) -> Result<Op<'a>, Fault> {
        let name = token.text;
        let scope = &self.body.scope;
        match scope.find(name) {
            Some(slot) => Ok(Op::Load(slot, name)),
            None if scope.knows(name) => Ok(Op::Fail(format!(
                "the variable {} has no value here",
                token.brief()
            ))),
            None => {
                let message = format!("the variable {} is not declared", token.brief());
                Err(Fault::new(token.at, message))
            }
        }
    }

    /// Compiles the fields that directly follow a value.
    fn fields(&mut self) -> Result<(), Fault> {
        while self.is_at_field()? {
            let field = self.lexer.next()?;
            self.emit(Op::Field(field.text.trim_start_matches('.')), field.at);
        }
        Ok(())
    }

    /// Takes the value just compiled as the command's next operand.
    fn operand(&mut self, pipeline: &mut Pipeline<'a>, value: &Token<'a>) {
        let is_piped = pipeline.stages > 0;
        let Some(command) = &mut pipeline.command else {
            pipeline.command = Some(self.begin_command(value, None));
            if is_piped {
                let message = format!("cannot pipe into {}, which is no function", value.brief());
                self.emit(Op::Fail(message), value.at);
            }
            return;
        };
        command.arguments += 1;
        match command.function.map(|function| function.name) {
            None => {
                let value = brief(command.text);
                let message = format!("{value} cannot have arguments; only a function can");
                self.emit(Op::Fail(message), command.at);
            }
            Some(name @ ("and" | "or")) => {
                let decide = Op::Decide {
                    stops_on: name == "or",
                    is_piped,
                    scope: command.scope,
                    target: 0,
                };
                command.exits.push(self.emit(decide, value.at));
            }
            Some(_) => {}
        }
    }

    fn begin_command(&self, token: &Token<'a>, function: Option<&'static Function>) -> Command<'a> {
        Command {
            text: token.text,
            at: token.at,
            function,
            arguments: 0,
            exits: Vec::new(),
            scope: self.body.scope.len(),
        }
    }

    fn end_command(&mut self, pipeline: &mut Pipeline<'a>) {
        let Some(command) = pipeline.command.take() else {
            return;
        };
        let is_piped = pipeline.stages > 0;
        pipeline.stages += 1;
        let Some(function) = command.function else {
            return;
        };
        let decides = matches!(function.name, "and" | "or");
        let count = command.arguments + usize::from(is_piped);
        if !decides || count == 0 {
            let call = Op::Call {
                function,
                count,
                is_piped,
            };
            self.emit(call, command.at);
        } else if !is_piped {
            // The last argument is the result whatever it is.
            self.retract();
        }
        command.exits.iter().for_each(|exit| self.land(*exit));
    }

    /// Whether a field follows directly.
    fn is_at_field(&self) -> Result<bool, Fault> {
        let mut ahead = self.lexer;
        Ok(ahead.peek_byte() == Some(b'.') && ahead.next()?.kind == Kind::Field)
    }

    fn expect_separator(&mut self) -> Result<(), Fault> {
        if self.lexer.is_at_separator() {
            return Ok(());
        }
        Err(self.lexer.next()?.unexpected("operand"))
    }
}

fn is_literal(kind: Kind) -> bool {
    use Kind::{Bool, Character, Complex, Dot, Nil, Number, Quoted, Raw};
    matches!(
        kind,
        Bool | Character | Complex | Dot | Nil | Number | Quoted | Raw
    )
}
