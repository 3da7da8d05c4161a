//! What some write and others follow.

include!(concat!(env!("OUT_DIR"), "/feed.rs"));

mod models {
    use super::*;
    use crate::check;
    use crate::ring::records;
    use crate::thread::spawn;

    /// Reads until the end, as a stream does, and returns the records.
    fn follow(mut reader: Reader) -> Vec<Vec<u8>> {
        let (waker, mut out, mut all) = (Waker::new(), Vec::new(), Vec::new());
        loop {
            match reader.read(&mut out, Some(&waker)) {
                Found::Records(_) => all.extend(records(&out).map(<[u8]>::to_vec)),
                Found::Nothing => waker.wait(),
                Found::End => return all,
            }
        }
    }

    #[test]
    fn who_follows_gets_everything_and_is_woken_for_it() {
        check(3, || {
            let (bytes, records) = (1000, u64::MAX);
            let feed = Arc::new(Feed::new(Limits { bytes, records }));
            let reader = feed.from_the_oldest();
            let writer = Arc::clone(&feed);
            let writer = spawn(move || {
                writer.push(&[b"a"]);
                writer.push(&[b"b"]);
                writer.close();
            });
            assert_eq!(follow(reader), [b"a", b"b"]);
            writer.join().unwrap();
        });
    }

    #[test]
    fn two_who_follow_do_not_take_each_others_wake_up() {
        check(2, || {
            let (bytes, records) = (1000, u64::MAX);
            let feed = Arc::new(Feed::new(Limits { bytes, records }));
            let readers = [(), ()].map(|()| feed.from_the_oldest());
            let threads = readers.map(|reader| spawn(move || follow(reader)));
            feed.push(&[b"a"]);
            feed.close();
            for thread in threads {
                assert_eq!(thread.join().unwrap(), [b"a"]);
            }
            assert!(feed.lock().asleep.is_empty());
        });
    }
}
