//! The machine that runs a compiled template.

use super::call::{Budget, Call};
use super::functions::Function;
use super::program::{Op, Program, Step};
use super::text::Buffer;
use super::value::{Value, Variables, excerpt, variable};
use super::{Fault, MAX_DEPTH, MAX_WORK, printf};

/// Runs `program`; the answer is what it writes.
pub(super) fn run<'a>(program: &Program<'a>, variables: Variables<'a>) -> Result<Vec<u8>, Fault> {
    let mut machine = Machine {
        program,
        environment: variables,
        // Nothing has called the text itself.
        body: usize::MAX,
        next: 0,
        slots: 0,
        callers: Vec::new(),
        variables: Vec::new(),
        dots: Vec::new(),
        loops: Vec::new(),
        values: Vec::new(),
        output: Buffer::default(),
        budget: Budget::new(MAX_WORK),
    };
    machine
        .enter(b"", Value::Environment(variables))
        .map_err(|message| Fault::new(0, message))?;
    let mut at = 0;
    while let Some(step) = machine.fetch() {
        at = step.at;
        machine
            .step(&step.op)
            .map_err(|message| Fault::new(at, message))?;
        if machine.output.is_full() {
            break;
        }
    }
    let output = machine.output.finish();
    output.map_err(|message| Fault::new(at, message))
}

struct Machine<'p, 'a> {
    program: &'p Program<'a>,
    environment: Variables<'a>,
    /// The body that runs, its next operation, and where its slots begin.
    body: usize,
    next: usize,
    slots: usize,
    callers: Vec<Caller>,
    /// None for a variable whose declaration has not been run.
    variables: Vec<Option<Value<'a>>>,
    dots: Vec<Value<'a>>,
    loops: Vec<Loop<'a>>,
    values: Vec<Value<'a>>,
    output: Buffer,
    budget: Budget,
}

/// Where to go on when a template ends.
struct Caller {
    body: usize,
    next: usize,
    slots: usize,
}

struct Loop<'a> {
    over: Value<'a>,
    turn: usize,
    /// How many dots there are outside it.
    dots: usize,
}

impl<'p, 'a> Machine<'p, 'a> {
    /// The next operation; at the end of a template, that of its caller.
    fn fetch(&mut self) -> Option<&'p Step<'a>> {
        loop {
            let step = self.program.bodies.get(self.body)?.get(self.next);
            if step.is_some() {
                self.next += 1;
                return step;
            }
            let caller = self.callers.pop()?;
            self.variables.truncate(self.slots);
            self.dots.pop();
            Caller {
                body: self.body,
                next: self.next,
                slots: self.slots,
            } = caller;
        }
    }

    fn step(&mut self, op: &Op<'a>) -> Result<(), String> {
        self.budget.spend(1)?;
        match op {
            Op::Write(text) => self.output.push(text.as_bytes()),
            Op::Push(value) => self.values.push(value.clone()),
            Op::Dot => self
                .values
                .push(self.dots.last().cloned().unwrap_or(Value::Nil)),
            Op::Load(slot, name) => self.load(*slot, name)?,
            Op::Field(name) => self.field(name)?,
            Op::Call {
                function,
                count,
                is_piped,
            } => self.call(function, *count, *is_piped)?,
            Op::Decide {
                stops_on,
                is_piped,
                scope,
                target,
            } => {
                if self.decides(*stops_on, *is_piped, *scope) {
                    self.next = *target;
                }
            }
            Op::Store(slot) => {
                let value = self.values.last().cloned();
                self.store(*slot, value.unwrap_or(Value::Nil));
            }
            Op::Drop => drop(self.pop()),
            Op::Print => {
                let value = self.pop();
                printf::write_result(&mut self.output, &value);
            }
            Op::Jump(target) => self.next = *target,
            Op::JumpUnless(target) => {
                if !self.pop().is_true() {
                    self.next = *target;
                }
            }
            Op::With(target) => match self.pop() {
                value if value.is_true() => self.dots.push(value),
                _ => self.next = *target,
            },
            Op::EndWith => drop(self.dots.pop()),
            Op::Range(target) => self.range(*target)?,
            Op::Next {
                key,
                element,
                target,
            } => self.turn(*key, *element, *target),
            Op::Break(target) => {
                self.end_loop();
                self.next = *target;
            }
            Op::Template(name) => {
                let argument = self.pop();
                self.enter(name, argument)?;
            }
            Op::Fail(message) => return Err(message.clone()),
        }
        Ok(())
    }

    fn call(&mut self, function: &Function, count: usize, is_piped: bool) -> Result<(), String> {
        let start = self.values.len().saturating_sub(count);
        let arguments = self.values.get_mut(start..).unwrap_or_default();
        if is_piped {
            arguments.rotate_left(1);
        }
        let call = Call {
            name: function.name,
            arguments,
            environment: self.environment,
            budget: &self.budget,
        };
        let result = function.run(&call)?;
        self.values.truncate(start);
        self.values.push(result);
        Ok(())
    }

    /// Takes an argument of `and` or `or`; if it decides, it remains as the
    /// result.
    fn decides(&mut self, stops_on: bool, is_piped: bool, scope: usize) -> bool {
        let value = self.pop();
        if value.is_true() != stops_on {
            return false;
        }
        if is_piped {
            self.pop();
        }
        // What the arguments not evaluated declare does not exist.
        self.variables.truncate(self.slots + scope);
        self.values.push(value);
        true
    }

    fn pop(&mut self) -> Value<'a> {
        self.values.pop().unwrap_or(Value::Nil)
    }

    /// Begins the template `name`; what runs now goes on when it ends.
    fn enter(&mut self, name: &[u8], dot: Value<'a>) -> Result<(), String> {
        let Some((body, _)) = self.program.names.get(name) else {
            return Err(format!("the template {} is not defined", excerpt(name)));
        };
        if self.callers.len() >= MAX_DEPTH {
            let name = excerpt(name);
            return Err(format!(
                "the template {name} is called more than {MAX_DEPTH} deep"
            ));
        }
        self.callers.push(Caller {
            body: self.body,
            next: self.next,
            slots: self.slots,
        });
        (self.body, self.next, self.slots) = (*body, 0, self.variables.len());
        self.variables.push(Some(dot.clone()));
        self.dots.push(dot);
        Ok(())
    }

    fn load(&mut self, slot: usize, name: &str) -> Result<(), String> {
        match self.variables.get(self.slots + slot) {
            Some(Some(value)) => self.values.push(value.clone()),
            _ => return Err(format!("the variable {name} has no value here")),
        }
        Ok(())
    }

    fn store(&mut self, slot: usize, value: Value<'a>) {
        let slot = self.slots + slot;
        if self.variables.len() <= slot {
            self.variables.resize_with(slot + 1, || None);
        }
        if let Some(variable) = self.variables.get_mut(slot) {
            *variable = Some(value);
        }
    }

    fn field(&mut self, name: &str) -> Result<(), String> {
        let value = match self.pop() {
            Value::Environment(variables) => Value::String(variable(variables, name.as_bytes())),
            Value::Nil => Value::Nil,
            other => {
                let other = other.describe();
                return Err(format!("cannot take the field .{name} of {other}"));
            }
        };
        self.values.push(value);
        Ok(())
    }

    fn range(&mut self, target: usize) -> Result<(), String> {
        let over = self.pop();
        let length = match over {
            Value::Nil => 0,
            Value::Strings(_) | Value::Ints(_) | Value::Environment(_) => {
                over.length().unwrap_or(0)
            }
            _ => return Err(format!("range cannot iterate over {}", over.describe())),
        };
        if length == 0 {
            self.next = target;
            return Ok(());
        }
        let (turn, dots) = (0, self.dots.len());
        self.loops.push(Loop { over, turn, dots });
        Ok(())
    }

    fn turn(&mut self, key: Option<usize>, element: Option<usize>, target: usize) {
        let Some(current) = self.loops.last_mut() else {
            return;
        };
        let Some((index, value)) = current.over.entry(current.turn) else {
            self.end_loop();
            self.next = target;
            return;
        };
        current.turn += 1;
        self.dots.truncate(current.dots);
        if let Some(slot) = element {
            self.store(slot, value.clone());
        }
        if let Some(slot) = key {
            self.store(slot, index);
        }
        self.dots.push(value);
    }

    fn end_loop(&mut self) {
        if let Some(ended) = self.loops.pop() {
            self.dots.truncate(ended.dots);
        }
    }
}
