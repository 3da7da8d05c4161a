//! Templates: rendering always ends, with text or with an error whose place is
//! in the template; the same template renders to the same text.
#![no_main]

use containerpilot::config::template::{self, MAX_BYTES};
use containerpilot_fuzz::{assert_place, environment};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let environment = environment();
    let rendered = template::render(text, &environment);
    match &rendered {
        Ok(rendered) => {
            assert!(rendered.len() <= 3 * MAX_BYTES);
            if !text.contains("{{") {
                assert_eq!(rendered, text);
            }
        }
        Err(error) => {
            assert!(!error.message.is_empty());
            assert_place(text, error.line, error.column);
        }
    }
    if text.len() < 64 {
        assert_eq!(template::render(text, &environment), rendered);
    }
});
