//! What the fuzz targets share: a small world, and what always holds.

pub mod answers;
pub mod model;
pub mod walk;

use std::net::IpAddr;

use containerpilot::config::Host;
use containerpilot::config::user_database::UserDatabase;
use containerpilot::environment::Environment;

/// An environment with something for everybody.
pub fn environment() -> Environment {
    let variables: [(&str, &str); 12] = [
        ("A", "alpha"),
        ("B", "beta"),
        ("C", "c"),
        ("EMPTY", ""),
        ("LIST", "a,b,,c"),
        ("N", "3"),
        ("NEGATIVE", "-2"),
        ("PATH", "/usr/bin:/bin"),
        ("QUOTES", "it's \"quoted\" \\ <&>"),
        ("SPACES", "  x  y\t\n"),
        ("U", "héllo wörld €"),
        ("X", "a=b=c"),
    ];
    variables.into_iter().collect()
}

/// A host with some interfaces and users.
pub fn host() -> Host {
    let interfaces: [(&str, [u8; 4]); 3] = [
        ("eth0", [10, 0, 0, 1]),
        ("eth1", [192, 168, 1, 2]),
        ("lo", [127, 0, 0, 1]),
    ];
    let interfaces = interfaces.into_iter();
    let mut interfaces: Vec<(String, IpAddr)> = interfaces
        .map(|(name, address)| (name.to_owned(), address.into()))
        .collect();
    interfaces.push(("eth0".to_owned(), [0xfd00, 0, 0, 0, 0, 0, 0, 1].into()));
    let users = UserDatabase::of(
        "root:x:0:0:root:/root:/bin/sh\nwww:x:33:33::/var/www:/bin/false\n",
        "root:x:0:\nwww:x:33:\nlog:x:4:www,root\n",
    );
    Host::new("host", interfaces).with_users(users)
}

/// Fails if there is no such line and column in `text`; both count from 1, and
/// the end of a line has a column, too.
pub fn assert_place(text: &str, line: usize, column: usize) {
    let found = text.split('\n').nth(line.wrapping_sub(1));
    let Some(found) = found else {
        panic!("no line {line} in {text:?}");
    };
    let length = found.chars().count();
    assert!(
        (1..=length + 1).contains(&column),
        "no column {column} in line {line} of {text:?}"
    );
}
