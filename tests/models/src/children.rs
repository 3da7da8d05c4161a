//! Children that end before anybody has told who they are.

include!(concat!(env!("OUT_DIR"), "/process_children.rs"));

mod models {
    use super::*;
    use crate::sync::{Arc, Condvar, Mutex};
    use crate::thread::spawn;
    use crate::{check, kernel};

    enum Message {
        DidStart(ExecId, Pid),
        DidFailToStart(ExecId),
        /// SIGCHLD.
        Ended,
    }

    /// The inbox of the loop.
    #[derive(Default)]
    struct Inbox {
        messages: Mutex<Vec<Message>>,
        filled: Condvar,
    }

    impl Inbox {
        fn send(&self, message: Message) {
            self.messages.lock().unwrap().push(message);
            self.filled.notify_all();
        }

        fn take(&self) -> Vec<Message> {
            let mut messages = self.messages.lock().unwrap();
            while messages.is_empty() {
                messages = self.filled.wait(messages).unwrap();
            }
            std::mem::take(&mut messages)
        }
    }

    /// A worker starts a process that ends at once with its number.
    fn start(inbox: &Inbox, exec: ExecId) {
        let pid = kernel::fork(true);
        kernel::exit(pid, exec.0 as i32);
        inbox.send(Message::Ended);
        inbox.send(Message::DidStart(exec, pid));
    }

    /// A worker fails to: the C library reaps what it had made.
    fn fail(inbox: &Inbox, exec: ExecId) {
        let pid = kernel::fork(true);
        kernel::exit(pid, 127);
        inbox.send(Message::Ended);
        kernel::release(pid);
        inbox.send(Message::DidFailToStart(exec));
    }

    /// What the loop does, until no execution is left; what ended, and how.
    fn run(children: &mut Children, inbox: &Inbox) -> Vec<(Option<ExecId>, ExitStatus)> {
        let mut ends = Vec::new();
        while !children.is_empty() || kernel::count() > 0 {
            for message in inbox.take() {
                match message {
                    Message::DidStart(exec, pid) => assert!(children.did_start(exec, pid)),
                    Message::DidFailToStart(exec) => children.did_fail_to_start(exec),
                    Message::Ended => {}
                }
                while let Some(ended) = children.next_ended() {
                    ends.push((ended.exec, ended.status));
                    children.reap(ended);
                }
            }
        }
        ends
    }

    fn statuses(of: &[(Option<ExecId>, ExitStatus)]) -> Vec<(u64, ExitStatus)> {
        let ours = of
            .iter()
            .filter_map(|(exec, status)| Some((exec.as_ref()?.0, *status)));
        let mut ours: Vec<_> = ours.collect();
        ours.sort_by_key(|(exec, _)| *exec);
        ours
    }

    #[test]
    fn every_end_is_claimed_by_its_own_execution_however_early_it_is() {
        check(3, || {
            let (mut children, inbox) = (Children::default(), Arc::<Inbox>::default());
            let threads = [1, 2].map(|number| {
                children.will_start(ExecId(number));
                let inbox = Arc::clone(&inbox);
                spawn(move || start(&inbox, ExecId(number)))
            });
            let ends = run(&mut children, &inbox);
            let expected = [(1, ExitStatus::Code(1)), (2, ExitStatus::Code(2))];
            assert_eq!(statuses(&ends), expected);
            for thread in threads {
                thread.join().unwrap();
            }
        });
    }

    #[test]
    fn a_start_that_fails_leaves_nothing_to_the_next_one_with_its_pid() {
        check(3, || {
            let (mut children, inbox) = (Children::default(), Arc::<Inbox>::default());
            for number in 1..=3 {
                children.will_start(ExecId(number));
                if number == 2 {
                    run_one(&mut children, &inbox);
                }
            }
            let starting = Arc::clone(&inbox);
            let thread = spawn(move || {
                fail(&starting, ExecId(2));
                start(&starting, ExecId(3));
            });
            let ends = run(&mut children, &inbox);
            assert_eq!(statuses(&ends), [(3, ExitStatus::Code(3))]);
            thread.join().unwrap();
        });
    }

    /// The first start fails, while another is in flight.
    fn run_one(children: &mut Children, inbox: &Arc<Inbox>) {
        let failing = Arc::clone(inbox);
        let thread = spawn(move || fail(&failing, ExecId(1)));
        let mut is_starting = true;
        while is_starting {
            for message in inbox.take() {
                if let Message::DidFailToStart(exec) = message {
                    children.did_fail_to_start(exec);
                    is_starting = false;
                }
                while let Some(ended) = children.next_ended() {
                    assert_eq!(ended.exec, None);
                    children.reap(ended);
                }
            }
        }
        thread.join().unwrap();
    }

    #[test]
    fn orphans_are_reaped_and_taken_for_nobody() {
        check(3, || {
            let (mut children, inbox) = (Children::default(), Arc::<Inbox>::default());
            children.will_start(ExecId(1));
            let starting = Arc::clone(&inbox);
            let starter = spawn(move || start(&starting, ExecId(1)));
            let ending = Arc::clone(&inbox);
            let orphan = spawn(move || {
                let pid = kernel::fork(true);
                kernel::exit(pid, 99);
                ending.send(Message::Ended);
            });
            let ends = run(&mut children, &inbox);
            assert_eq!(statuses(&ends), [(1, ExitStatus::Code(1))]);
            starter.join().unwrap();
            orphan.join().unwrap();
            while let Some(ended) = children.next_ended() {
                assert_eq!(ended.exec, None);
                children.reap(ended);
            }
            assert_eq!(kernel::count(), 0);
        });
    }
}
