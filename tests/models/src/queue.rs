//! The bytes between those who log and the thread that writes.

include!(concat!(env!("OUT_DIR"), "/logging_queue.rs"));

mod models {
    use super::*;
    use crate::check;
    use crate::sync::Arc;
    use crate::thread::spawn;

    /// Takes until it has so many bytes.
    fn write(queue: &Queue, count: usize) -> Vec<u8> {
        let (mut batch, mut all) = (Vec::new(), Vec::new());
        while all.len() < count {
            let taken = queue.take(&mut batch);
            all.append(&mut batch);
            queue.settle(taken.ticket);
        }
        all
    }

    #[test]
    fn whoever_waits_for_room_gets_it() {
        check(2, || {
            let queue = Arc::new(Queue::default());
            let pushers = [b"aa", b"bb"].map(|lines| {
                let queue = Arc::clone(&queue);
                spawn(move || {
                    queue.push(lines);
                    queue.push(lines);
                })
            });
            let written = write(&queue, 8);
            for pusher in pushers {
                pusher.join().unwrap();
            }
            let pairs: Vec<&[u8]> = written.chunks(2).collect();
            assert!(pairs.iter().all(|pair| pair == b"aa" || pair == b"bb"));
            assert_eq!(written.len(), 8);
        });
    }

    #[test]
    fn who_may_not_wait_does_not_and_what_is_refused_is_counted() {
        check(3, || {
            let queue = Arc::new(Queue::default());
            let offering = Arc::clone(&queue);
            let offering = spawn(move || (0..3).filter(|_| offering.offer(b"aa")).count());
            let (mut batch, mut taken) = (Vec::new(), 0);
            let mut refused = 0;
            while taken + refused < 3 {
                refused += queue.take(&mut batch).refused as usize;
                taken += batch.len() / 2;
                batch.clear();
            }
            assert_eq!((taken, refused), (offering.join().unwrap(), 3 - taken));
        });
    }

    #[test]
    fn what_is_left_to_the_writer_is_written_once_it_is_woken_or_somebody_waits_for_it() {
        for is_flushed in [false, true] {
            check(3, move || {
                let queue = Arc::new(Queue::default());
                let leaving = Arc::clone(&queue);
                let leaving = spawn(move || {
                    assert!(leaving.leave(b"a") && leaving.leave(b"b"));
                    match is_flushed {
                        false => leaving.wake(),
                        true => {
                            let deadline = Instant::now() + Duration::from_secs(9);
                            assert!(leaving.wait_settled(deadline));
                        }
                    }
                });
                assert_eq!(write(&queue, 2), b"ab");
                leaving.join().unwrap();
            });
        }
    }

    #[test]
    fn a_flush_ends_when_all_before_it_is_written() {
        check(3, || {
            let queue = Arc::new(Queue::default());
            let written = Arc::new(Mutex::new(Vec::new()));
            let (writing, to) = (Arc::clone(&queue), Arc::clone(&written));
            let writer = spawn(move || {
                let mut batch = Vec::new();
                while to.lock().unwrap().len() < 2 {
                    let taken = writing.take(&mut batch);
                    to.lock().unwrap().append(&mut batch);
                    writing.settle(taken.ticket);
                }
            });
            let other = Arc::clone(&queue);
            let other = spawn(move || other.push(b"b"));
            queue.push(b"a");
            assert!(queue.wait_settled(Instant::now() + Duration::from_secs(9)));
            assert!(written.lock().unwrap().contains(&b'a'));
            other.join().unwrap();
            writer.join().unwrap();
        });
    }

    #[test]
    fn a_command_stands_between_what_was_queued_before_and_after_it() {
        check(3, || {
            let queue = Arc::new(Queue::default());
            let writer = Arc::clone(&queue);
            let writer = spawn(move || {
                let (mut batch, mut before, mut found) = (Vec::new(), 0, None);
                while found.is_none() || before < 2 {
                    let taken = writer.take(&mut batch);
                    if let Some((position, _)) = taken.commands.first() {
                        found = Some(before + position);
                    }
                    before += batch.len();
                    batch.clear();
                }
                found
            });
            assert!(queue.offer(b"a"));
            queue.command(Command::Reopen);
            assert!(queue.offer(b"b"));
            assert_eq!(writer.join().unwrap(), Some(1));
        });
    }
}
