//! Whether Consul can be reached, as all discovery threads together see it.
//!
//! Each thread says how its requests go; the first that gets no answer is an
//! outage, and it is over when every one of them has had an answer again. So an
//! outage is one line in the log when it begins and one when it ends, however
//! many threads notice it and however often they try.

use std::sync::{Arc, Mutex, PoisonError};

use log::{debug, info, warn};

use crate::inbox::Sender;
use crate::message::Message;
use crate::sorted::SortedSet;

/// The shared view.
pub(super) struct Link {
    address: String,
    inbox: Sender<Message>,
    state: Mutex<State>,
}

/// Held while telling, so that the facts of several threads arrive in the order
/// in which they became true.
#[derive(Default)]
struct State {
    /// The number of the next thread that joins.
    next: u64,
    /// Those whose last request got no answer.
    failing: SortedSet<u64>,
    /// Whether an outage was told and its end was not yet.
    is_out: bool,
}

impl Link {
    pub(super) fn new(address: &str, inbox: Sender<Message>) -> Arc<Self> {
        Arc::new(Self {
            address: address.to_owned(),
            inbox,
            state: Mutex::default(),
        })
    }

    fn tell(&self, result: Result<(), String>) {
        // Without an event loop nobody wants to know.
        let _gone = self.inbox.send(Message::Reachable(result));
    }

    /// Takes part from now on, under a name for the log.
    pub(super) fn join(self: &Arc<Self>, name: String) -> Party {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.next += 1;
        Party {
            link: Arc::clone(self),
            number: state.next,
            name,
        }
    }
}

/// One thread that asks Consul; dropped when it asks no longer.
pub(super) struct Party {
    link: Arc<Link>,
    number: u64,
    name: String,
}

impl Party {
    /// What the log calls it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The last request got no usable answer.
    pub(super) fn failed(&self, why: &str) {
        let Self { link, name, .. } = self;
        let mut state = link.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.failing.insert(self.number);
        if std::mem::replace(&mut state.is_out, true) {
            debug!("cannot reach consul at {} for {name}: {why}", link.address);
        } else {
            warn!(
                "cannot reach consul at {} for {name}: {why}; trying again",
                link.address
            );
            link.tell(Err(why.to_owned()));
        }
    }

    /// The last request got an answer.
    pub(super) fn works(&self) {
        let link = &self.link;
        let mut state = link.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.failing.remove(&self.number);
        if state.failing.is_empty() && std::mem::take(&mut state.is_out) {
            info!("consul at {} can be reached again", link.address);
            link.tell(Ok(()));
        }
    }
}

impl Drop for Party {
    /// Says nothing of the outage: who asks no longer does not know.
    fn drop(&mut self) {
        let mut state = self
            .link
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        state.failing.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use crate::inbox::{Inbox, inbox};

    use super::*;

    fn link() -> (Arc<Link>, Inbox<Message>) {
        let (inbox, told) = inbox();
        (Link::new("127.0.0.1:8500", inbox), told)
    }

    /// What was told since the last look.
    fn told(inbox: &Inbox<Message>) -> Vec<bool> {
        let messages = std::iter::from_fn(|| inbox.try_recv().ok());
        messages
            .filter_map(|message| match message {
                Message::Reachable(result) => Some(result.is_ok()),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn an_outage_is_told_once_when_it_begins_and_once_when_all_are_back() {
        let (link, inbox) = link();
        let services = link.join("services".to_owned());
        let watch = link.join("watch db".to_owned());
        services.works();
        assert_eq!(told(&inbox), [true; 0], "nothing to tell while all is well");
        services.failed("refused");
        services.failed("refused");
        watch.failed("refused");
        assert_eq!(told(&inbox), [false]);
        services.works();
        services.works();
        assert_eq!(told(&inbox), [true; 0], "the watch is still cut off");
        watch.works();
        assert_eq!(told(&inbox), [true]);
    }

    #[test]
    fn who_leaves_ends_no_outage_but_does_not_keep_it_up_either() {
        let (link, inbox) = link();
        let services = link.join("services".to_owned());
        let watch = link.join("watch db".to_owned());
        watch.failed("refused");
        assert_eq!(told(&inbox), [false]);
        drop(watch);
        assert_eq!(told(&inbox), [true; 0]);
        services.works();
        assert_eq!(told(&inbox), [true]);
    }
}
