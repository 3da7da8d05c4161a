//! The soak still works, and what it does a hundredth of goes well. Whether
//! anything grows shows only in a whole one, which scripts/soak does.

mod support;

use std::time::Duration;

use support::binary;
use support::command::{command, run_within};

#[test]
fn a_hundredth_of_a_long_life_goes_well() {
    let mut soak = command(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/soak"));
    soak.args(["--scale", "0.01", "--seed", "1", "--binary"]);
    soak.arg(binary());
    let outcome = run_within(Duration::from_secs(180), &mut soak);
    println!("{outcome}");
    assert_eq!(outcome.code, 0, "{outcome}");
    let table = outcome.stdout.join("\n");
    for part in ["| 10 % |", "| 50 % |", "| 100 % |", "faults: "] {
        assert!(table.contains(part), "{part}: {outcome}");
    }
}
