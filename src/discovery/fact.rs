//! What service discovery finds out, as values.
//!
//! Apart from the threads that find it out, so that messages can carry it.

/// Something that the discovery threads found out.
#[derive(Debug, PartialEq, Eq)]
pub enum Fact {
    /// The answer to [`Discovery::withdraw`](super::Discovery::withdraw).
    Withdrawn {
        /// The id of the service.
        service: String,
        /// Whether Consul has confirmed it. If not, it can not be told for now;
        /// the thread goes on trying, but there is no point in waiting.
        is_confirmed: bool,
    },
    /// The instances of a watched service, when there are others than before, and
    /// at the first answer.
    Watched {
        /// As given to [`Discovery::watch`](super::Discovery::watch).
        generation: u64,
        /// As given to [`Discovery::watch`](super::Discovery::watch).
        watch: usize,
        /// In order, without duplicates.
        instances: Vec<Instance>,
    },
    /// Consul can be reached again, or, with the reason, no longer.
    Reachable(Result<(), String>),
    /// A thread that nobody told to end has ended; its name.
    Ended(&'static str),
}

/// One healthy instance of a watched service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instance {
    /// The service id.
    pub id: String,
    /// Where it is reached: the address of the service, or that of its node.
    pub address: String,
    /// The port on which it is reached.
    pub port: u16,
}
