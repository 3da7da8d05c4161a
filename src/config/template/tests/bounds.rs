//! What no template may do: run, grow or call without end, or exhaust the stack.

use std::thread;

use super::super::{MAX_BYTES, render};
use super::{assert_fails, environment};

#[test]
fn whatever_grows_without_end_is_stopped_with_an_error() {
    let work = "the template takes too much work: its loops are too large";
    let long = format!("the text would become longer than {MAX_BYTES} bytes");
    assert_fails(&[
        (
            "{{define `t`}}{{template `t`}}{{end}}{{template `t`}}",
            "1:17: the template \"t\" is called more than 1000 deep",
        ),
        (
            "{{loop 1000000000}}",
            "1:3: loop: 1000000000 integers are more than the 200000 allowed",
        ),
        (
            "{{loop -9223372036854775808 9223372036854775807}}",
            "1:3: loop: 18446744073709551615 integers are more than the 200000 allowed",
        ),
        (
            "{{split `` (printf `%0900000d` 1)}}",
            "1:3: split: the text has more than 200000 places to change",
        ),
        (
            "{{$x := printf `%9000s` ``}}{{regexReplaceAll ` *1{1000}| ` `` $x}}",
            &format!("1:31: regexReplaceAll: {work}"),
        ),
        (
            "{{range loop 200000}}{{printf `%1000d` .}}{{end}}",
            &format!("1:24: {long}"),
        ),
        (
            "{{$x := `ab`}}{{range loop 99}}{{$x = print $x $x}}{{end}}",
            &format!("1:39: print: {long}"),
        ),
        (
            "{{replaceAll `` (printf `%9999d` 1) (printf `%9999d` 1)}}",
            &format!("1:3: replaceAll: {long}"),
        ),
        (
            "{{printf (replaceAll ` ` `%9999999[1]d` (printf `%99s` ``)) 1}}",
            &format!("1:3: printf: {long}"),
        ),
    ]);
    let endless = "{{range loop 200000}}{{range loop 200000}}{{end}}{{end}}";
    let error = render(endless, &environment()).unwrap_err();
    assert_eq!(error.message, work);
}

#[test]
fn the_smallest_stack_is_enough_for_the_deepest_nesting() {
    let deep = |open: &str, inner: &str, close: &str, depth| {
        format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
    };
    let too_deep = |line, what| format!("{line}: {what} are nested more than 1000 deep");
    let table = [
        (deep("{{if 1}}", "x", "{{end}}", 1000), Ok("x".to_owned())),
        (
            deep("{{if 1}}", "x", "{{end}}", 100_000),
            Err(too_deep("1:8003", "blocks")),
        ),
        (
            deep("{{block `b` 1}}", "x", "{{end}}", 100_000),
            Err(too_deep("1:15003", "blocks")),
        ),
        (
            format!("{{{{{}}}}}", deep("(", "1", ")", 1000)),
            Ok("1".to_owned()),
        ),
        (
            format!("{{{{{}}}}}", deep("(", "1", ")", 100_000)),
            Err(too_deep("1:1003", "parentheses")),
        ),
        (
            format!(
                "{{{{define `t`}}}}{}{{{{end}}}}{{{{template `t`}}}}",
                deep("{{with 1}}", "{{template `t`}}", "{{end}}", 99)
            ),
            Err("1:1007: the template \"t\" is called more than 1000 deep".to_owned()),
        ),
        (
            format!(
                "{{{{regexReplaceAll `{}` `x` `a`}}}}",
                deep("(?i:a|b(?:", "a", ")*c){1,2}", 6)
            ),
            Ok("x".to_owned()),
        ),
        (
            format!(
                "{{{{regexReplaceAll `{}` `x` `a`}}}}",
                deep("(", "a", ")*", 13)
            ),
            Err(
                "1:3: regexReplaceAll: the pattern: groups are nested more than 12 deep".to_owned(),
            ),
        ),
    ];
    for (template, expected) in table {
        let rendering = move || render(&template, &environment());
        let thread = thread::Builder::new().stack_size(64 << 10);
        let rendered = thread.spawn(rendering).unwrap().join().unwrap();
        assert_eq!(rendered.map_err(|error| error.to_string()), expected);
    }
}
