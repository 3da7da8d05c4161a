//! The flags that follow something, and those beside them.
#![allow(clippy::unwrap_used)]

use std::ffi::OsString;

use crate::cli::{Invocation, Manner, Task, parse};

#[test]
fn streams_are_followed_as_the_flags_beside_them_say() {
    let client = |arguments: &[&str]| match parse(arguments.iter().map(OsString::from)) {
        Ok(Invocation::Client { tasks, manner, .. }) => Ok((
            tasks.into_iter().map(|task| task.task).collect::<Vec<_>>(),
            manner,
        )),
        Ok(other) => Err(format!("{other:?}")),
        Err(error) => Err(error.to_string()),
    };
    let manner = Manner {
        since: Some(5),
        ..Manner::default()
    };
    assert_eq!(
        client(&["-events", "-since", "5"]),
        Ok((vec![Task::Events], manner))
    );
    let manner = Manner {
        lines: Some(10),
        follow: true,
        ..Manner::default()
    };
    let of_app = vec![Task::Logs(Some("app".to_owned()))];
    assert_eq!(
        client(&["-logs", "app", "-follow", "-lines=10"]),
        Ok((of_app, manner))
    );
    assert_eq!(
        client(&["-logs"]),
        Ok((vec![Task::Logs(None)], Manner::default()))
    );
    let wait = vec![Task::Wait(vec![("a=b".to_owned(), "healthy".to_owned())])];
    assert_eq!(
        client(&["-wait", "a=b=healthy"]),
        Ok((wait, Manner::default()))
    );
    for (arguments, error) in [
        (&["-follow"][..], "-follow is of use with -logs only"),
        (
            &["-ping", "-since", "1"],
            "-since is of use with -events only",
        ),
        (
            &["-logs", "-lines", "few"],
            "invalid value for -lines: \"few\" is no number",
        ),
        (
            &["-wait", "app"],
            "invalid value for -wait: \"app\" is not in the format \"name=healthy\"",
        ),
    ] {
        assert_eq!(client(arguments), Err(error.to_owned()));
    }
    let error = client(&["-wait", "app=fine"]).unwrap_err();
    assert!(
        error.starts_with("invalid value for -wait: \"fine\" is no state (waiting, "),
        "{error}"
    );
}
