//! The places that a pool gives away: one to each connection, and one of fewer to
//! each stream.
//!
//! Called by the connection, which leaves its places when it drops them.

use std::sync::Arc;
use std::time::Instant;

use super::Pool;
use crate::http::stream::Stream;
use crate::waker::Waker;

/// The place of one connection in the pool, which it leaves when this is dropped.
pub(in crate::http) struct Visit {
    pub(in crate::http) pool: Arc<Pool>,
    pub(in crate::http) stream: Arc<Stream>,
    pub(in crate::http) arrived: Instant,
    pub(super) id: u64,
}

impl Visit {
    /// From now on the client waits for us. `false` if the connection had to make
    /// room in this very moment: then nothing may be done for it.
    pub(in crate::http) fn begin(&self) -> bool {
        match self.pool.lock().entry(self.id) {
            Some(entry) if !entry.evicted => {
                entry.waits_since = None;
                true
            }
            _ => false,
        }
    }

    /// From now on we wait for the client.
    pub(in crate::http) fn await_client(&self) {
        if let Some(entry) = self.pool.lock().entry(self.id) {
            entry.waits_since = Some(Instant::now());
            entry.is_kept = true;
        }
    }

    /// Takes one of the places for streams, or tells the status and the reason
    /// why there is none.
    pub(in crate::http) fn streaming(&self) -> Result<Streaming<'_>, (u16, String)> {
        let waker =
            Waker::new().map_err(|error| (503, format!("cannot start a stream: {error}")))?;
        let mut state = self.pool.lock();
        let most = self.pool.limits.streams;
        if state.streams >= most {
            let reason = format!("{most} streams are open already; end one of them first");
            return Err((429, reason));
        }
        state.streams += 1;
        if let Some(entry) = state.entry(self.id) {
            entry.waker = Some(waker.clone());
        }
        let pool = &self.pool;
        Ok(Streaming { pool, waker })
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut state = self.pool.lock();
        // Whoever waits for this is told by the thread, after the descriptor has
        // been closed.
        state.visits.retain(|entry| entry.id != self.id);
    }
}

/// The place of one stream.
pub(in crate::http) struct Streaming<'a> {
    pool: &'a Pool,
    waker: Waker,
}

impl Streaming<'_> {
    /// Ends its wait.
    pub(in crate::http) fn waker(&self) -> &Waker {
        &self.waker
    }
}

impl Drop for Streaming<'_> {
    fn drop(&mut self) {
        self.pool.lock().streams -= 1;
    }
}
