//! The thread that writes the log.
//!
//! Takes all that is queued and writes it with as few write(2) calls as the
//! destination allows. It is the only thread that ever waits for whoever reads
//! the log.

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread;

use log::Level;

use super::Shared;
use super::queue::{Command, Taken};
use super::sink::{OpenError, Sink};
use crate::bug;

/// Enough for writing and for formatting one entry.
const STACK: usize = 64 << 10;

/// Starts the thread, which lives as long as the process.
pub(super) fn start(shared: Arc<Shared>, sink: Sink) -> io::Result<()> {
    let writer = Writer { shared, sink };
    thread::Builder::new()
        .name("log".into())
        .stack_size(STACK)
        .spawn(move || writer.run())?;
    Ok(())
}

struct Writer {
    shared: Arc<Shared>,
    sink: Sink,
}

impl Writer {
    fn run(mut self) {
        let mut batch = Vec::new();
        loop {
            let taken = self.shared.queue.take(&mut batch);
            let work = AssertUnwindSafe(|| self.carry_out(&batch, &taken));
            if panic::catch_unwind(work).is_err() {
                self.tell_of_panic();
            }
            batch.clear();
            self.shared.queue.settle(taken.ticket);
        }
    }

    /// Without this thread nobody would be told anything, and whoever prints would
    /// wait for ever.
    fn tell_of_panic(&mut self) {
        let text = "internal error: the writer of the log has panicked; lines may be missing";
        let tell = AssertUnwindSafe(|| self.say(Level::Error, text));
        let _even_so = panic::catch_unwind(tell);
    }

    fn carry_out(&mut self, batch: &[u8], taken: &Taken) {
        let mut written = 0;
        for (position, command) in &taken.commands {
            self.write(batch.get(written..*position).unwrap_or_default());
            written = *position;
            self.perform(command);
        }
        self.write(batch.get(written..).unwrap_or_default());
        self.report_refused(taken.refused);
    }

    /// Writes lines. After the first that could be written again it says what
    /// was lost before.
    fn write(&mut self, lines: &[u8]) {
        if lines.is_empty() {
            return;
        }
        let lost = self.sink.write(lines);
        self.shared.count_dropped(lost);
        if lost > 0 {
            return;
        }
        if let Some(trouble) = self.sink.trouble() {
            self.say(Level::Error, &trouble);
        }
        if let Some(loss) = self.sink.recovered() {
            let untold = self.say(Level::Warn, &loss.to_string());
            if untold > 0 {
                self.sink.remember(loss);
            }
        }
    }

    /// Tells how many were refused; they have been counted then.
    fn report_refused(&mut self, refused: u64) {
        if refused == 0 {
            return;
        }
        let entries = if refused == 1 { "entry" } else { "entries" };
        let text = format!(
            "dropped {refused} {entries} of the supervisor: whoever reads the log is too slow"
        );
        self.say(Level::Warn, &text);
    }

    fn perform(&mut self, command: &Command) {
        bug::on_demand("log");
        let done = match command {
            Command::Reopen => self.sink.reopen(),
            Command::Output(output, rotation) => self.sink.redirect(output, *rotation),
        };
        if let Err(error) = done {
            self.keep_old(&error);
        }
    }

    fn keep_old(&mut self, error: &OpenError) {
        self.say(Level::Error, &format!("{error}: the log goes on as before"));
    }

    /// Writes an entry of its own, past the queue, and returns how many of its lines
    /// were lost.
    fn say(&mut self, level: Level, message: &str) -> u64 {
        let Some(line) = self.shared.line(level, None, None, message) else {
            return 0;
        };
        self.shared.buffer.push(None, line.as_slice());
        let lost = self.sink.write(line.as_slice());
        self.shared.count_dropped(lost);
        lost
    }
}
