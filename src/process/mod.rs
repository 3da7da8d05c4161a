//! Child processes: starting them and logging what they print (SPEC §5, §13).

pub mod output;
