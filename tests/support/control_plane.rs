//! A control plane whose supervisor is a thread of the test.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use containerpilot::config::ControlSpec;
use containerpilot::control::request::{Reply, Request};
use containerpilot::control::server::Control;
use containerpilot::control::streams::Sources;
use containerpilot::message::Message;
use crossbeam_channel::unbounded;

/// How long anything may take before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub type Observed = Arc<Mutex<Vec<(&'static str, u16)>>>;

/// A control plane with a supervisor that knows the metric `known`, is not yet in
/// maintenance mode, and writes down what it is asked.
pub struct Plane {
    pub control: Option<Control>,
    pub socket: PathBuf,
    asked: Arc<Mutex<Vec<Request>>>,
    pub observed: Observed,
    supervisor: Option<thread::JoinHandle<()>>,
}

impl Plane {
    pub fn start() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::SeqCst);
        let directory =
            std::env::temp_dir().join(format!("cp-plane-{}-{number}", std::process::id()));
        let socket = directory.join("run/containerpilot.sock");
        let (inbox, messages) = unbounded();
        let observed = Observed::default();
        let observer = Arc::clone(&observed);
        let control = Control::start(
            &ControlSpec::at(&socket),
            Sources::default(),
            move |message| inbox.send(message).unwrap(),
            move |path, status| observer.lock().unwrap().push((path, status)),
        )
        .unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let supervisor = thread::spawn(move || {
            let mut is_in_maintenance = false;
            for message in messages {
                let Message::Request(request, reply_to) = message else {
                    panic!("{message:?}");
                };
                let reply = match &request {
                    Request::Ping => Reply::Pong,
                    Request::Maintenance(enable) => {
                        let updated = is_in_maintenance != *enable;
                        is_in_maintenance = *enable;
                        Reply::Updated(updated)
                    }
                    Request::PutMetric(values)
                        if values.iter().any(|(name, _)| name != "known") =>
                    {
                        Reply::Refused {
                            status: 400,
                            message: "no such metric".to_owned(),
                        }
                    }
                    Request::Reload(_) => Reply::Refused {
                        status: 422,
                        message: "jobs[0]: bad\njobs[1]: worse".to_owned(),
                    },
                    Request::Operate(_) | Request::Signal { .. } => Reply::Done,
                    Request::Status | Request::Health(_) => Reply::Health(Vec::new()),
                    Request::Job(name) => Reply::Refused {
                        status: 404,
                        message: format!("no such job: {name:?}"),
                    },
                    Request::PutEnv(_) | Request::PutMetric(_) | Request::End(_) => Reply::Done,
                };
                log.lock().unwrap().push(request);
                reply_to.send(reply);
            }
        });
        Self {
            control: Some(control),
            socket,
            asked,
            observed,
            supervisor: Some(supervisor),
        }
    }

    pub fn asked(&self) -> Vec<Request> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    /// Sends raw bytes and returns all that comes back.
    pub fn talk(&self, bytes: &str) -> String {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(bytes.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    pub fn post(&self, path: &str, body: &str) -> String {
        let length = body.len();
        self.talk(&format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        drop(self.control.take());
        let ended = self.supervisor.take().unwrap().join();
        let directory = self.socket.ancestors().nth(2).unwrap();
        let _best_effort = fs::remove_dir_all(directory);
        if !thread::panicking() {
            ended.unwrap();
        }
    }
}
