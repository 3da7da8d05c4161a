//! Syntax errors as operators make them, with what they are told.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::config::{Host, parse};
use crate::environment::Environment;

/// The message of a text's error, and the text from its caret on.
fn error(text: &str) -> (String, String) {
    let report = read(text).unwrap_err().to_string();
    let mut lines = report.lines();
    let (position, message) = lines.next().unwrap().split_once(": ").unwrap();
    let (line, column) = position.split_once(':').unwrap();
    let (line, column): (usize, usize) = (line.parse().unwrap(), column.parse().unwrap());
    let shown = lines.next().unwrap();
    let caret = lines.next().unwrap();
    assert_eq!(caret.trim_start(), "^", "{report}");
    assert_eq!(lines.next(), None, "{report}");
    let from: String = shown.chars().skip(caret.chars().count() - 1).collect();
    let content: String = text
        .split('\n')
        .nth(line - 1)
        .unwrap()
        .chars()
        .skip(column - 1)
        .collect();
    let content: String = content.chars().take(from.chars().count()).collect();
    assert_eq!(
        from,
        content.trim_end().replace('\t', " "),
        "the caret is below the column"
    );
    (message.to_owned(), from)
}

#[test]
fn common_faults_are_told_by_their_cause() {
    let comma = "expected a comma or a closing bracket; is one missing after the value before it?";
    let key = "a key of other characters than letters, digits, _ and $ must be in quotes";
    let object = "the file must be one object: does it begin with { and end with }?";
    let nothing = "\"port\" has no value; did an environment variable render to nothing?";
    let double = "there is a comma too many";
    for (text, message, from) in [
        // A comma forgotten.
        ("{a: 1 b: 2}", comma, "b: 2}"),
        ("{a: 1\n b: 2}", comma, "b: 2}"),
        ("{a: 'x' 'y'}", comma, "'y'}"),
        ("{a: [{} {}]}", comma, "{}]}"),
        ("{a: 1 // why\n b: 2}", comma, "b: 2}"),
        // One too many.
        ("{a: [1,,2]}", double, ",2]}"),
        ("{a: 1,,}", double, ",}"),
        ("{,}", double, ",}"),
        ("{a: [,]}", double, ",]}"),
        // A template that rendered to nothing.
        ("{port: }", nothing, "}"),
        ("{port: ,\n a: 1}", nothing, ","),
        ("{\"port\" : }", nothing, "}"),
        ("{a: [{port:\n}]}", nothing, "}]}"),
        // Texts without quotes.
        (
            "{a: consul:8500,}",
            "a text must be in quotes: \"consul:8500\"",
            "consul:8500,}",
        ),
        ("{a: INFO}", "a text must be in quotes: \"INFO\"", "INFO}"),
        ("{a: nope}", "a text must be in quotes: \"nope\"", "nope}"),
        ("{a: fine}", "a text must be in quotes: \"fine\"", "fine}"),
        (
            "{a: /bin/app}",
            "a text must be in quotes: \"/bin/app\"",
            "/bin/app}",
        ),
        (
            "{a: 10s}",
            "a value with letters must be in quotes: \"10s\"",
            "s}",
        ),
        (
            "{a: 1.5h, b: 2}",
            "a value with letters must be in quotes: \"1.5h\"",
            "h, b: 2}",
        ),
        (
            "{a: 10.0.0.0/8}",
            "a text must be in quotes: \"10.0.0.0/8\"",
            "10.0.0.0/8}",
        ),
        ("{a: 08}", "a number begins with 0: put 08 in quotes", "08}"),
        ("{a: True}", "write true, in lower case", "True}"),
        ("{a: NULL}", "write null, in lower case", "NULL}"),
        // Keys.
        ("{my-key: 1}", key, "-key: 1}"),
        ("{a.b: 1}", key, ".b: 1}"),
        ("{1a: 1}", key, "1a: 1}"),
        (
            "{a = 1}",
            "write \"key: value\", not \"key = value\"",
            "= 1}",
        ),
        ("{\"a\" 1}", "expected a colon after the key", "1}"),
        ("{a: 1, b c: 2}", "expected a colon after the key", "c: 2}"),
        ("{a:: 1}", "there is a colon too many", ": 1}"),
        ("{a: {{ .X }} }", "expected a key", "{ .X }} }"),
        // Brackets.
        ("{a: [1, 2}", "} does not close the [ of 1:5", "}"),
        ("{a: [\n 1,\n }", "} does not close the [ of 1:5", "}"),
        ("{a: 1]", "] does not close the { of 1:1", "]"),
        ("{a: 1}}", "there is a } too many", "}"),
        (
            "{a: 1} {b: 2}",
            "the file goes on after its object; everything belongs into one, { … }",
            "{b: 2}",
        ),
        (
            "{a: [\n",
            "the file ends too early: the [ of 1:5 is not closed",
            "",
        ),
        (
            "{\n a: 1,\n",
            "the file ends too early: the { of 1:1 is not closed",
            "",
        ),
        (
            "{a: '}",
            "the file ends too early: the quote of 1:5 is not closed",
            "",
        ),
        (
            "{a: /* }",
            "the file ends too early: the comment of 1:5 is not closed",
            "",
        ),
        ("// nothing else", "the file has no value", ""),
        (
            "{a: 'x\n}",
            "the quote of 1:5 is not closed on its line",
            "",
        ),
        // Not an object.
        ("jobs: []", object, "jobs: []"),
        ("\n  consul: {}", object, "consul: {}"),
        // From other formats.
        ("# why\n{}", "a comment begins with //", "# why"),
        ("{a: 1 # why\n}", "a comment begins with //", "# why"),
        (
            "{a: “x”}",
            "this is a typographic quote; use \" or '",
            "“x”}",
        ),
        (
            "{a: '\\ud800\\u0020'}",
            "unknown escape in a string",
            "\\ud800\\u0020'}",
        ),
        ("{a: '\\u12'}", "unknown escape in a string", "\\u12'}"),
        (
            "\t{é: 'ä', b: oh}",
            "a text must be in quotes: \"oh\"",
            "oh}",
        ),
    ] {
        assert_eq!(error(text), (message.to_owned(), from.to_owned()), "{text}");
    }
}

#[test]
fn the_report_shows_place_line_and_caret() {
    assert_eq!(
        read("{\n  port: ,\n}").unwrap_err().to_string(),
        "2:9: \"port\" has no value; did an environment variable render to nothing?\n    \
         2 |   port: ,\n                \
         ^"
    );
}

#[test]
fn of_a_long_line_the_part_around_the_error_is_shown() {
    let text = format!(
        "{{a: '{}', b: oh, c: '{}'}}",
        "x".repeat(1000),
        "y".repeat(1000)
    );
    let report = read(&text).unwrap_err().to_string();
    assert!(report.starts_with("1:1012: "), "{report}");
    assert!(report.lines().all(|line| line.len() < 140), "{report}");
    assert_eq!(error(&text).0, "a text must be in quotes: \"oh\"");
}

#[test]
fn lines_are_counted_whatever_ends_them() {
    for text in ["{a: 1,\r\n b: oh}", "{a: 1,\n b: oh}"] {
        let report = read(text).unwrap_err().to_string();
        assert!(report.starts_with("2:5: "), "{report}");
    }
    // ECMAScript's line separator ends a line for the parser, not for editors.
    let report = read("{a: 1, /*\u{2028}*/ b: oh}").unwrap_err().to_string();
    assert!(report.starts_with("1:17: "), "{report}");
}

#[test]
fn a_file_too_deep_for_the_parser_is_refused_before_it() {
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    assert!(read(&nested(DEEPEST)).is_ok());
    let (message, _) = error(&nested(DEEPEST + 1));
    assert_eq!(message, "objects and lists are nested more than 64 deep");
    // Whatever might hide the brackets from whoever counts them.
    for begin in [
        "",
        "//\r",
        "// \u{2028}",
        "['\\\r\n', ",
        "/**/ ",
        "[\"'\", ",
    ] {
        for bracket in ["[", "{a:", "[{a: "] {
            let text = format!("{begin}{}", bracket.repeat(1_000_000));
            assert_eq!(error(&text).0, message, "{begin}{bracket}");
        }
    }
}

#[test]
fn no_file_is_too_deep_for_a_small_stack() {
    let deep = |open: &str, close: &str| open.repeat(100_000) + &close.repeat(100_000);
    let texts = [
        deep("[", "]"),
        deep("{a:", "}"),
        format!("{{jobs: {}}}", deep("[{exec: ", "}]")),
        deep("[{a: ", ""),
        deep("'", ""),
        deep("/*", "*/"),
        format!(
            "{{include: {}, consul: {}}}",
            deep("[", "]"),
            deep("{a:", "}")
        ),
    ];
    let read_all = move || {
        let (environment, host) = (Environment::default(), Host::new("host", Vec::new()));
        for text in &texts {
            assert!(parse(text, &environment, &host).is_err());
        }
        // As deep as it may be.
        let most = format!("{{jobs: {}}}", "[".repeat(63) + &"]".repeat(63));
        assert!(parse(&most, &environment, &host).is_err());
    };
    // A reload's thread has eight times as much.
    let thread = std::thread::Builder::new().stack_size(256 << 10);
    thread.spawn(read_all).unwrap().join().unwrap();
}

#[test]
fn brackets_in_strings_and_comments_do_not_count() {
    let many = "[".repeat(1000);
    for text in [
        format!("{{a: '{many}'}}"),
        format!("{{a: \"\\\"{many}\"}}"),
        format!("{{a: '\\\n{many}'}}"),
        format!("{{a: 1 // {many}\n}}"),
        format!("{{a: 1 /* {many} */}}"),
    ] {
        assert!(read(&text).is_ok(), "{text}");
    }
}

#[test]
fn a_file_that_renders_to_nothing_says_so() {
    for text in ["", " \n\t"] {
        assert_eq!(
            read(text).unwrap_err().to_string(),
            "the file renders to nothing"
        );
    }
}

#[test]
fn no_text_brings_the_report_down() {
    // Every prefix and every single deletion of a text with everything in it.
    let text = "{a: 'é\\'', \"b\": [1, -2.5, 0x1F, NaN, .5], /* ü */ c: {d: null, e: true},\r\n // x\n f: '\\u00e9\\\n'}";
    assert!(read(text).is_ok());
    let mut refused = 0;
    for (index, c) in text.char_indices() {
        let (head, tail) = text.split_at(index);
        let without = format!("{head}{}", tail.strip_prefix(c).unwrap());
        for changed in [head, tail, &without] {
            refused += usize::from(read(changed).is_err());
        }
    }
    assert!(refused > 200, "{refused}");
}

#[test]
fn a_secret_without_quotes_is_told_in_no_message() {
    for text in [
        "{ consul: { token: hunter2 } }",
        "{ token: hunter2-ß,\n b: 1 }",
        "{ a: 1,\n token: 0815hunter2 }",
        "{ a: 1,\r\n env: { DB_PASS: 12hunter2 } }",
        "{ DB_KEY: 0123456789 }",
        "{ exec: --password=hunter2 }",
    ] {
        let said = read(text).unwrap_err().to_string();
        assert!(said.contains("***"), "{said}");
        for secret in ["hunter", "0815", "12345"] {
            assert!(!said.contains(secret), "{said}");
        }
    }
}
