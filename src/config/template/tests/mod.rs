//! Tables of templates: what they render to, what is wrong with them and where.

#![allow(clippy::unwrap_used, clippy::panic)]

mod bounds;

use super::{TemplateError, functions, render};
use crate::environment::Environment;

fn environment() -> Environment {
    let variables = [
        ("A", "alpha"),
        ("EMPTY", ""),
        ("LIST", "a,b,c"),
        ("N", "3"),
        ("URL", "http://h/?a=1&b=2"),
    ];
    variables.into_iter().collect()
}

/// Renders all templates of a table and compares them with its results.
#[track_caller]
fn assert_renders(table: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (template, expected) in table {
        match render(template, &environment()) {
            Ok(text) if text == *expected => {}
            other => wrong.push(format!("{template}\n  is {other:?}\n  not {expected:?}")),
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[track_caller]
fn assert_fails(table: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (template, expected) in table {
        match render(template, &environment()) {
            Err(error) if error.to_string() == *expected => {}
            other => wrong.push(format!("{template}\n  is {other:?}\n  not {expected}")),
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn a_text_without_actions_is_copied() {
    assert_renders(&[("", ""), ("{ a: {b: 1} } }}\n", "{ a: {b: 1} } }}\n")]);
}

#[test]
fn a_value_with_equals_signs_is_whole() {
    assert_renders(&[(
        "{{.URL}} {{env `URL`}}",
        "http://h/?a=1&b=2 http://h/?a=1&b=2",
    )]);
}

#[test]
fn mistakes_in_the_syntax_are_found_where_they_stand() {
    assert_fails(&[
        (
            "a\n  {{ nosuch }}",
            "2:6: there is no function nosuch; for a variable write .nosuch",
        ),
        (
            "é{{ Env `A` }}",
            "1:5: there is no function Env; did you mean env?",
        ),
        (
            "{{ .A",
            "1:1: the action is never closed: \"}}\" is missing",
        ),
        (
            "{{/* a",
            "1:1: the comment is never closed: \"*/\" is missing",
        ),
        (
            "{{ `a }}",
            "1:4: the raw string is never closed: ` is missing",
        ),
        (
            "{{ \"\\q\" }}",
            "1:4: unknown escape sequence \\q in \"\\q\"; in a raw string, `…`, a backslash stands for itself",
        ),
        (
            "{{ 'ab' }}",
            "1:4: 'ab' is not one character; strings are in double quotes",
        ),
        ("{{ 1_ }}", "1:4: 1_ is not a number"),
        (
            "{{ 0xffffffffffffffffff }}",
            "1:4: 0xffffffffffffffffff does not fit 64 bits",
        ),
        (
            "{{ .A- }}",
            "1:6: unexpected character '-' after .A: a \"-\" that trims needs a space before it, as in \" -}}\"",
        ),
        (
            "{{ $x=1 }}",
            "1:6: unexpected character '=' after $x: a space must stand before \"=\"",
        ),
        (
            "{{ \u{a0}.A }}",
            "1:4: unexpected character '\\u{a0}' in an action",
        ),
        ("{{ $x: 1 }}", "1:6: \"=\" must follow \":\""),
        ("{{ }}", "1:4: a value is missing in command"),
        ("{{ if }}x{{ end }}", "1:7: a value is missing in if"),
        (
            "{{ (print (.A) }}",
            "1:4: \"(\" is never closed: \")\" is missing",
        ),
        ("{{ .A ) }}", "1:7: unexpected \")\" in operand"),
        (
            "{{ .A | 1 }}",
            "1:9: cannot pipe into 1, which is no function",
        ),
        ("{{ `a`.B }}", "1:4: `a` has no fields"),
        ("{{ $x }}", "1:4: the variable $x is not declared"),
        ("{{ $x, $y := 1 }}", "1:4: too many variables in command"),
        (
            "{{ range $i, .A }}{{ end }}",
            "1:14: unexpected \".A\" in range: a variable must follow the comma",
        ),
        ("{{ end }}", "1:1: {{end}} closes nothing"),
        ("{{ else }}", "1:4: {{else}} belongs to no block"),
        (
            "{{ with 1 }}{{ else if 2 }}{{ end }}",
            "1:21: {{else if}} cannot follow {{with}}",
        ),
        (
            "x\n{{ range . }}",
            "2:4: {{range}} is never closed: {{end}} is missing",
        ),
        (
            "{{ define `t` }}",
            "1:4: the template \"t\" is never closed: {{end}} is missing",
        ),
        (
            "{{ if 1 }}{{ define `t` }}{{ end }}{{ end }}",
            "1:14: {{define}} must not stand inside another block",
        ),
        (
            "{{define `t`}}1{{end}}{{define `t`}}2{{end}}",
            "1:25: the template \"t\" is defined twice",
        ),
        (
            "{{ template t }}",
            "1:13: unexpected \"t\" in {{template}}: a name in quotes must follow",
        ),
        ("{{ break }}", "1:4: {{break}} stands in no {{range}}"),
        (
            "{{ range . }}{{ else }}{{ continue }}{{ end }}",
            "1:27: {{continue}} stands in no {{range}}",
        ),
    ]);
}

#[test]
fn actions_that_fail_say_why_and_show_no_values_of_variables() {
    assert_fails(&[
        (
            "{{ .A.B }}",
            "1:6: cannot take the field .B of a string of length 5",
        ),
        (
            "{{ .NONE.B }}",
            "1:9: cannot take the field .B of an empty string",
        ),
        (
            "{{ .A 1 }}",
            "1:4: .A cannot have arguments; only a function can",
        ),
        (
            "{{ 1 | (print 2) }}",
            "1:8: cannot pipe into (…), which is no function",
        ),
        ("{{ nil }}", "1:4: nil is not a command"),
        ("{{ $x = 1 }}", "1:4: the variable $x is not declared"),
        (
            "{{if 0}}{{$x := 1}}{{else}}{{$x}}{{end}}",
            "1:30: the variable $x has no value here",
        ),
        (
            "{{and 0 ($x := 1)}}{{$x}}",
            "1:22: the variable $x has no value here",
        ),
        (
            "{{ range .A }}{{ end }}",
            "1:4: range cannot iterate over a string of length 5",
        ),
        (
            "{{ template `t` }}",
            "1:4: the template \"t\" is not defined",
        ),
        ("{{ env 1 2 }}", "1:4: env takes 1 argument, not 2"),
        ("{{ .A | split }}", "1:9: split takes 2 arguments, not 1"),
        (
            "{{ loop 1 2 3 }}",
            "1:4: loop takes 1 or 2 arguments, not 3",
        ),
        (
            "{{ env .N.X }}",
            "1:10: cannot take the field .X of a string of length 1",
        ),
        (
            "{{ eq .A 1 }}",
            "1:4: eq: cannot compare a string of length 5 with int 1",
        ),
        ("{{ eq 1 }}", "1:4: eq: there is nothing to compare with"),
        (
            "{{ index . 1 }}",
            "1:4: index: argument 2 must be a string, not int 1",
        ),
        (
            "{{ index .A 5 }}",
            "1:4: index: the index 5 is out of range: the length is 5",
        ),
        (
            "{{ slice .A 2 1 }}",
            "1:4: slice: the indexes 2 1 5 are not in order",
        ),
        (
            "{{ loop .A }}",
            "1:4: loop: a string of length 5 is not an integer",
        ),
        (
            "{{ regexReplaceAll `\\pL` `` .A }}",
            "1:4: regexReplaceAll: the pattern: \\p (Unicode classes) is not supported; use ASCII classes such as [[:alpha:]] or ranges such as [à-ÿ]",
        ),
        (
            "{{ regexReplaceAll `a{1001}` `` .A }}",
            "1:4: regexReplaceAll: the pattern: the count 1001 is more than 1000",
        ),
    ]);
}

#[test]
fn what_is_never_reached_may_be_wrong() {
    assert_renders(&[
        (
            "{{if 0}}{{env}}{{nil}}{{template `t`}}{{$x = 1}}{{$x}}{{1 2}}{{end}}ok",
            "ok",
        ),
        ("{{and false (index .A 9)}} {{or 1 (env)}}", "false 1"),
    ]);
}

#[test]
fn variables_belong_to_their_block_and_to_what_has_been_run() {
    assert_renders(&[
        (
            "{{$x := 1}}{{if $x := 2}}{{$x}}{{$x = 3}}{{$x}}{{end}}{{$x}}",
            "231",
        ),
        ("{{$x := 1}}{{$x := print $x 2}}{{$x}}", "1 2"),
        (
            "{{if $x := 0}}{{else if $y := 2}}{{$x}}{{$y}}{{else}}{{end}}",
            "02",
        ),
        ("{{$x := 0}}{{range $x = loop 3}}{{end}}{{$x}}", "2"),
        (
            "{{$i := 0}}{{$v := 0}}{{range $i, $v = split `,` .LIST}}{{end}}{{$i}}{{$v}}",
            "2c",
        ),
        (
            "{{range $i, $v := loop 0}}{{else}}{{$i}}{{$v}}{{end}}",
            "[][]",
        ),
        ("{{with $x := .A}}{{$x}}{{$.N}}{{.}}{{end}}", "alpha3alpha"),
        ("{{print ($x := 1) $x}}", "1 1"),
        (
            "{{define `t`}}{{$}}{{.}}{{end}}{{template `t` 1}}{{template `t`}}",
            "11<no value><no value>",
        ),
    ]);
}

#[test]
fn loops_are_left_and_continued_wherever_they_are() {
    assert_renders(&[
        (
            "{{range $i := loop 5}}{{with 1}}{{if eq $i 1}}{{continue}}{{end}}{{if eq $i 3}}{{break}}{{end}}{{end}}{{.}}{{end}}.",
            "02.",
        ),
        (
            "{{range loop 2}}{{range loop 0}}{{else}}{{break}}{{end}}x{{end}}.",
            ".",
        ),
        (
            "{{range loop 2}}{{range loop 9}}{{break}}{{end}}{{.}}{{end}}",
            "01",
        ),
        (
            "{{range $k, $v := .}}{{$k}}={{$v}};{{end}}",
            "A=alpha;EMPTY=;LIST=a,b,c;N=3;URL=http://h/?a=1&b=2;",
        ),
    ]);
}

#[test]
fn templates_are_defined_once_or_replace_blank_ones() {
    assert_renders(&[
        (
            "{{define `t`}} {{end}}{{define `t`}}1{{end}}{{template `t`}}",
            "1",
        ),
        (
            "{{block `b` .A}}<{{.}}>{{end}}{{template `b` 1}}",
            "<alpha><1>",
        ),
        (
            "{{define `t`}}{{block `u` 1}}{{.}}{{end}}{{end}}{{template `t`}}",
            "1",
        ),
        (
            "{{define `t`}}{{if .}}{{index . 0}}{{template `t` slice . 1}}{{end}}{{end}}{{template `t` split `,` .LIST}}",
            "abc",
        ),
    ]);
}

#[test]
fn bytes_that_are_no_text_survive_until_the_end() {
    assert_renders(&[
        ("{{$x := `é`}}{{slice $x 0 1}}{{slice $x 1 2}}", "é"),
        (
            "{{`é` | len}} {{index `é` 1}} {{printf `%T` (index `é` 1)}}",
            "2 169 uint8",
        ),
        ("{{\"\\xff\"}}", "\u{FFFD}"),
        ("{{join `|` (split `` \"a\\xffé\")}}", "a|\u{FFFD}|é"),
    ]);
}

#[test]
fn the_table_of_functions_is_in_order() {
    let names: Vec<_> = functions::names().collect();
    assert!(names.is_sorted(), "{names:?}");
    for name in names {
        assert_eq!(functions::find(name).unwrap().name, name);
    }
}

#[test]
fn an_error_counts_characters_not_bytes() {
    let error = render("é\n\tééé{{ nosuch }}", &environment()).unwrap_err();
    let TemplateError { line, column, .. } = error;
    assert_eq!((line, column), (2, 8));
}
