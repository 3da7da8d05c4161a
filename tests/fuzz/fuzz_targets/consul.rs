//! What Consul answers, or whoever listens there: the first byte says to which
//! question. Nothing but an answer is taken for one, whatever it says is bounded
//! and printable, and the token is in no message.
#![no_main]

use std::cell::RefCell;

use containerpilot::discovery::fuzzing::{Answer, Asker};
use libfuzzer_sys::fuzz_target;

thread_local! {
    static ASKER: RefCell<Asker> = RefCell::new(Asker::new("127.0.0.1:8500"));
}

fuzz_target!(|input: &[u8]| {
    let Some((number, answer)) = input.split_first() else {
        return;
    };
    let got = ASKER.with_borrow(|asker| asker.ask(*number, answer));
    match &got {
        Answer::Instances(count, _) => assert!(*count <= 10_000),
        Answer::Service => assert!(!answer.is_empty()),
        Answer::Refused(status, text) => {
            assert!(!(200..300).contains(status), "{got:?}");
            assert!((1..1000).contains(&text.len()), "{got:?}");
            assert!(!text.contains(char::is_control), "{got:?}");
            assert!(!text.contains("secret"), "{got:?}");
        }
        Answer::Nonsense(why) => {
            assert!(!why.is_empty() && !why.contains("secret"), "{got:?}");
            assert!(
                why.len() < 400 && !why.contains(char::is_control),
                "{got:?}"
            );
        }
    }
});
