//! What the control plane can be asked and what it answers, as values.
//!
//! The server turns HTTP into a [`Request`] and a [`Reply`] back into HTTP; the
//! supervisor sees only these. Nothing here does I/O.

/// What a client asks of the supervisor, completely validated.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// `GET /v3/ping`
    Ping,
    /// `POST /v3/env`: set each variable, or unset it where there is no value.
    PutEnv(Vec<(String, Option<String>)>),
    /// `POST /v3/metric`: push each value to the metric of that exported name.
    PutMetric(Vec<(String, f64)>),
    /// `POST /v3/reload`
    Reload,
    /// `POST /v3/maintenance/enable` (`true`) and `/disable` (`false`).
    Maintenance(bool),
}

/// What the supervisor answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// 200 without a body.
    Done,
    /// 200 with the body `ok`.
    Pong,
    /// 200 with `{"updated": …}`.
    Updated(bool),
    /// The request was understood but not carried out; nothing has changed.
    Refused {
        /// The HTTP status, 4xx or 5xx.
        status: u16,
        /// Why, for people; one line, or one line per configuration error.
        message: String,
    },
}
