//! `-man`: the manual page, in the man(7) macros, made from the table of flags.
//!
//! Pure. `containerpilot -man | man -l -` shows it; an image's build installs it.

use super::flags::{COMMAND, FLAGS, Flag, Takes};
use crate::version::VERSION;

const DESCRIPTION: &str = "\
Without a subcommand, runs the jobs of its configuration file until all of them are complete or it is told to stop: \
as PID 1 of a container, as the init of a machine, or as any other process.
With one, it talks to a running supervisor over its control socket, or does something else and quits. \
What follows \\-\\- is a command that is run without a file, as tini would: \
it has the terminal, it gets every signal, and its exit code is passed on.";

const SPELLING: &str = "\
A flag may be written with one dash or two; its value follows as the next argument or behind a =. \
Of a flag that is given twice the last one counts, but for those whose values have a =, and for \\-start, \\-stop and \\-restart. \
Several subcommands are carried out in the order in which they stand, up to the first that fails.";

const EXIT: [(&str, &str); 4] = [
    (
        "0",
        "It was done; all jobs of a supervisor are complete, or it was told to stop.",
    ),
    (
        "1",
        "It failed or was refused, and standard error says why; \\-health: something is not well.",
    ),
    ("2", "The arguments make no sense."),
    (
        "others",
        "A supervisor ends with the exit code of its first essential job that has ended, such as a command.",
    ),
];

const ENVIRONMENT: [(&str, &str); 4] = [
    (
        "CONTAINERPILOT",
        "The configuration file, if \\-config is not given.",
    ),
    (
        "CONTAINERPILOT_SOCKET",
        "The control socket, if neither \\-socket nor \\-config is given. Every job has it.",
    ),
    ("NO_COLOR", "If it is set, \\-status uses no colours."),
    (
        "COLUMNS",
        "How wide tables may be where no terminal says it.",
    ),
];

const SIGNALS: [(&str, &str); 4] = [
    (
        "TERM, INT",
        "Shut down in order; a second one kills what is left.",
    ),
    ("HUP, USR2", "Run the jobs that wait for it."),
    ("USR1", "Open the log file again."),
    ("CHLD", "Reap."),
];

/// The page.
pub fn page() -> String {
    let mut page = format!(
        ".TH CONTAINERPILOT 1 \"\" \"ContainerPilot {VERSION}\" \"User Commands\"\n\
         .SH NAME\ncontainerpilot \\- init and process supervisor for containers and small machines\n\
         .SH SYNOPSIS\n.B containerpilot\n[\\fB\\-config\\fR \\fIfile\\fR]\n.br\n\
         .B containerpilot\n[\\fB\\-socket\\fR \\fIpath\\fR] \\fIsubcommand\\fR ...\n.br\n\
         .B containerpilot\n[\\fB\\-socket\\fR \\fIpath\\fR] [\\fB\\-logging\\fR \\fIformat\\fR] \\fB\\-\\-\\fR \\fIcommand\\fR ...\n\
         .SH DESCRIPTION\n{DESCRIPTION}\n.PP\n{SPELLING}\n.SH OPTIONS\n"
    );
    for flag in FLAGS {
        option(flag, &mut page);
    }
    page.push_str(&format!(
        ".TP\n\\fB\\-\\-\\fR \\fIcommand\\fR ...\n{COMMAND}\n"
    ));
    page.push_str(".TP\n.BR \\-help \", \" \\-h\nShow all flags and quit.\n");
    list("EXIT STATUS", &EXIT, &mut page);
    list("ENVIRONMENT", &ENVIRONMENT, &mut page);
    list("SIGNALS", &SIGNALS, &mut page);
    page.push_str(
        ".SH FILES\n.TP\n.B /var/run/containerpilot.socket\nThe control socket, if the configuration has no other.\n",
    );
    page
}

fn option(flag: &Flag, page: &mut String) {
    let value = match flag.takes {
        Takes::Nothing => String::new(),
        Takes::Value(word) | Takes::Values(word) => format!(" \\fI{}\\fR", escaped(word)),
        Takes::Maybe(word) => format!(" [\\fI{}\\fR]", escaped(word)),
    };
    page.push_str(&format!(".TP\n\\fB{}\\fR{value}\n", escaped(flag.name())));
    for line in flag.help() {
        page.push_str(&escaped(line));
        page.push('\n');
    }
}

fn list(heading: &str, items: &[(&str, &str)], page: &mut String) {
    page.push_str(&format!(".SH {heading}\n"));
    for (name, text) in items {
        page.push_str(&format!(".TP\n.B {name}\n{text}\n"));
    }
}

/// Text that roff shows as it is.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    // A line that begins so would be a request.
    if text.starts_with(['.', '\'']) {
        escaped.push_str("\\&");
    }
    for c in text.chars() {
        match c {
            '\\' => escaped.push_str("\\e"),
            '-' => escaped.push_str("\\-"),
            '\'' => escaped.push_str("\\(aq"),
            c => escaped.push(c),
        }
    }
    escaped
}
