//! Templates that are right by construction render to what a model says.
#![no_main]

use containerpilot::config::template;
use containerpilot_fuzz::{environment, model};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let environment = environment();
    let template = model::write(bytes);
    let variables: model::Variables = environment
        .iter()
        .map(|(name, value)| {
            (
                name.to_string_lossy().into(),
                value.to_string_lossy().into(),
            )
        })
        .collect();
    let Some(expected) = template.render(&variables) else {
        return;
    };
    let rendered = template::render(&template.source, &environment);
    assert_eq!(rendered.as_deref(), Ok(expected.as_str()), "{template:#?}");
});
