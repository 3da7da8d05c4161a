//! One value from whoever has it to who waits for it.

include!(concat!(env!("OUT_DIR"), "/handoff.rs"));

mod models {
    use super::*;
    use crate::check;
    use crate::thread::spawn;

    const PATIENCE: Duration = Duration::from_secs(40);

    #[test]
    fn the_value_arrives_or_its_absence_does() {
        for gives in [true, false] {
            check(3, move || {
                let (giver, taker) = handoff();
                let other = giver.clone();
                let first = spawn(move || drop(other));
                let second = spawn(move || match gives {
                    true => giver.give(7),
                    false => drop(giver),
                });
                let expected = match gives {
                    true => Ok(7),
                    false => Err(RecvTimeoutError::Disconnected),
                };
                assert_eq!(taker.recv_timeout(PATIENCE), expected);
                first.join().unwrap();
                second.join().unwrap();
            });
        }
    }

    #[test]
    fn the_value_arrives_while_others_could_still_give_one() {
        check(3, || {
            let (giver, taker) = handoff();
            let other = giver.clone();
            let giving = spawn(move || giver.give(7));
            assert_eq!(taker.recv_timeout(PATIENCE), Ok(7));
            giving.join().unwrap();
            drop(other);
        });
    }
}
