//! A command in the place of a configuration file.

use super::*;

#[test]
fn what_follows_two_dashes_is_a_command() {
    let cases: [(&[&str], &[&str], Option<&str>, Option<Format>); 4] = [
        (&["--", "a"], &["a"], None, None),
        (
            &["--", "a", "-ping", "--", ""],
            &["a", "-ping", "--", ""],
            None,
            None,
        ),
        (&["-socket=/s", "--", "a"], &["a"], Some("/s"), None),
        (
            &["--logging", "json", "-socket", "", "--", "a"],
            &["a"],
            None,
            Some(Format::Json),
        ),
    ];
    for (arguments, argv, socket, format) in cases {
        let command = Command {
            argv: argv.iter().map(ToString::to_string).collect(),
            socket: socket.map(str::to_owned),
            format,
        };
        assert_eq!(
            parsed(arguments),
            Ok(Invocation::Run(command)),
            "{arguments:?}"
        );
    }
    let supervise = |config: Option<&str>, ignored: &[&str]| Invocation::Supervise {
        config: config.map(PathBuf::from),
        ignored: ignored.iter().map(OsString::from).collect(),
    };
    let file = supervise(Some("f"), &["a"]);
    assert_eq!(parsed(&["-config", "f", "--", "a"]), Ok(file));
    assert_eq!(
        parsed(&["a", "--", "b"]),
        Ok(supervise(None, &["a", "--", "b"]))
    );
    assert_eq!(parsed(&["--"]), Ok(supervise(None, &[])));
}
