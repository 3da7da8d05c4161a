//! The threads that start processes.

include!(concat!(env!("OUT_DIR"), "/process_workers.rs"));

mod models {
    use super::*;
    use crate::{check, time};

    /// What is done: which things, in their order; and who waits for it.
    #[derive(Default)]
    struct Book {
        done: Mutex<Vec<u8>>,
        changed: Condvar,
    }

    impl Book {
        fn write(&self, number: u8) {
            self.done.lock().unwrap().push(number);
            self.changed.notify_all();
        }

        fn wait(&self, count: usize) -> Vec<u8> {
            let mut done = self.done.lock().unwrap();
            while done.len() < count {
                done = self.changed.wait(done).unwrap();
            }
            done.clone()
        }
    }

    struct Thing {
        number: u8,
        book: Arc<Book>,
        /// Hangs until so many things are done.
        hangs: usize,
    }

    fn work(thing: Thing) {
        thing.book.wait(thing.hangs);
        thing.book.write(thing.number);
    }

    fn add(workers: &Workers<Thing>, book: &Arc<Book>, number: u8, hangs: usize) {
        let book = Arc::clone(book);
        let added = workers.add(Thing {
            number,
            book,
            hangs,
        });
        assert!(added.is_ok());
    }

    /// Lets time pass.
    fn pass(workers: &Workers<Thing>) {
        time::pass(|| drop(workers.0.lock()), &workers.0.added);
    }

    /// All threads must leave when there is nothing to do and time passes.
    fn end(workers: &Workers<Thing>) {
        while thread::alive() > 0 {
            pass(workers);
            thread::yield_now();
        }
        let state = workers.0.lock();
        assert!(state.idle == 0 && state.waiting.is_empty());
    }

    #[test]
    fn everything_is_done_once_and_in_order_by_one_thread_that_gets_on() {
        check(2, || {
            let (workers, book) = (Workers::new(work), Arc::<Book>::default());
            add(&workers, &book, 1, 0);
            add(&workers, &book, 2, 0);
            assert_eq!(book.wait(2), [1, 2]);
            end(&workers);
        });
    }

    #[test]
    fn what_hangs_is_overtaken_when_time_has_passed() {
        check(2, || {
            let (workers, book) = (Workers::new(work), Arc::<Book>::default());
            add(&workers, &book, 1, 1);
            add(&workers, &book, 2, 0);
            // It may not hang yet when the first age passes.
            while book.done.lock().unwrap().is_empty() {
                pass(&workers);
                thread::yield_now();
            }
            assert_eq!(book.wait(2), [2, 1]);
            end(&workers);
        });
    }

    #[test]
    fn what_comes_while_threads_leave_is_done_all_the_same() {
        check(2, || {
            let (workers, book) = (Workers::new(work), Arc::<Book>::default());
            add(&workers, &book, 1, 0);
            pass(&workers);
            add(&workers, &book, 2, 0);
            assert_eq!(book.wait(2), [1, 2]);
            end(&workers);
        });
    }
}
