//! What the page on security says of the release: how it is linked, and what it is
//! made of.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set up its world must fail loudly"
)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::Value;
use support::{programs, run};

/// Of elf(5), for 64 bits.
const EXECUTABLE: usize = 2;
const LOAD: u32 = 1;
const INTERPRETER: u32 = 3;
const STACK: u32 = 0x6474_e551;
const RELRO: u32 = 0x6474_e552;
const MAY_EXECUTE: u32 = 1;
const MAY_WRITE: u32 = 2;

#[test]
#[cfg_attr(
    not(target_arch = "x86_64"),
    ignore = "it reads the release for x86_64"
)]
fn the_release_is_static_at_a_fixed_place_and_nothing_in_it_can_be_written_and_executed() {
    let Some(path) = programs::static_release() else {
        return;
    };
    let file = fs::read(path).unwrap();
    let number = |place: usize, size: usize| {
        let mut bytes = [0; 8];
        bytes[..size].copy_from_slice(&file[place..place + size]);
        u64::from_le_bytes(bytes) as usize
    };
    assert_eq!(&file[..5], b"\x7fELF\x02");
    assert_eq!(number(16, 2), EXECUTABLE);
    let (headers, size, count) = (number(32, 8), number(54, 2), number(56, 2));
    let headers = (0..count).map(|index| headers + index * size);
    let headers: Vec<_> = headers
        .map(|at| {
            (
                number(at, 4) as u32,
                number(at + 4, 4) as u32,
                number(at + 40, 8),
            )
        })
        .collect();
    let of_kind = |wanted| headers.iter().filter(move |(kind, ..)| *kind == wanted);
    assert_eq!(of_kind(INTERPRETER).count(), 0);
    for (_, flags, _) in of_kind(LOAD).chain(of_kind(STACK)) {
        assert_ne!(
            flags & (MAY_EXECUTE | MAY_WRITE),
            MAY_EXECUTE | MAY_WRITE,
            "{headers:x?}"
        );
    }
    assert_eq!(
        of_kind(STACK)
            .map(|(_, flags, _)| flags & MAY_EXECUTE)
            .max(),
        Some(0)
    );
    // What the linker would have protected after relocating: next to nothing.
    assert!(
        of_kind(RELRO).all(|(.., size)| *size <= 1024),
        "{headers:x?}"
    );
}

/// Licences that ask for no more than a notice, as cargo-deny is told them too.
fn licences() -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/deny.toml");
    let text = fs::read_to_string(path).unwrap();
    let list = text.split_once("\nallow = [").unwrap().1.split_once(']');
    let quoted = list.unwrap().0.split(',').map(str::trim);
    quoted
        .map(|name| name.trim_matches('"').to_owned())
        .collect()
}

#[test]
fn every_package_has_a_licence_that_suits() {
    // It needs the compiler, wherever that is.
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version", "1", "--locked", "--offline"]);
    cargo.args(["--filter-platform", "x86_64-unknown-linux-gnu"]);
    cargo.arg("--manifest-path");
    cargo.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    let outcome = run(&mut cargo);
    assert_eq!(outcome.code, 0, "{outcome}");
    let metadata: Value = serde_json::from_str(&outcome.stdout.join("\n")).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 10);
    let known = licences();
    let is_known = |licence: &str| {
        let licence = licence.trim().trim_matches(['(', ')']);
        known.iter().any(|known| known == licence)
    };
    let suits = |licence: &str| licence.split("AND").all(is_known);
    let mut offences = Vec::new();
    for package in packages {
        let licence = package["license"].as_str().unwrap_or_default();
        if !licence.replace('/', " OR ").split(" OR ").any(suits) {
            offences.push(format!("{}: {licence}", package["name"]));
        }
    }
    assert_eq!(offences, Vec::<String>::new());
}

/// The value of a key of a package in `Cargo.lock`.
fn locked<'a>(package: &'a str, key: &str) -> Option<&'a str> {
    let of_key = |line: &'a str| line.strip_prefix(key)?.strip_prefix(" = ");
    let value = package.lines().find_map(of_key)?;
    Some(value.trim_matches('"'))
}

#[test]
fn every_package_of_any_platform_is_locked_once_by_its_hash_and_from_one_registry() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock");
    let lock = fs::read_to_string(path).unwrap();
    let (mut offences, mut names, mut sources) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for package in lock.split("[[package]]").skip(1) {
        let name = locked(package, "name").unwrap();
        if !names.insert(name) {
            offences.push(format!("{name} is there in two versions"));
        }
        match locked(package, "source") {
            Some(source) => sources.insert(source),
            None if name == env!("CARGO_PKG_NAME") => continue,
            None => sources.insert("a directory"),
        };
        if locked(package, "checksum").is_none_or(|hash| hash.len() != 64) {
            offences.push(format!("{name} has no hash"));
        }
    }
    assert!(names.len() > 10, "{names:?}");
    assert_eq!(offences, Vec::<String>::new());
    assert!(
        sources.len() == 1 && sources.iter().all(|source| source.starts_with("registry+")),
        "{sources:?}"
    );
}
