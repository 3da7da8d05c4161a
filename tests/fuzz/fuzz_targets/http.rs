//! Raw bytes on the control socket: the real server, its endpoints and the
//! bodies that they take. The supervisor behind it agrees to everything.
//!
//! Whatever comes, it is answered with complete answers and nothing else, none
//! of which tells of a bug, and the connection ends.
#![no_main]

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use containerpilot::config::ControlSpec;
use containerpilot::control::request::{Reply, Request};
use containerpilot::control::server::Control;
use containerpilot::control::status::{Status, SupervisorStatus};
use containerpilot::control::streams::Sources;
use containerpilot::event::{Code, Event};
use containerpilot::message::Message;
use containerpilot_fuzz::answers;
use libfuzzer_sys::fuzz_target;

struct World {
    socket: PathBuf,
    _control: Control,
}

static WORLD: OnceLock<World> = OnceLock::new();

fn world() -> &'static World {
    WORLD.get_or_init(|| {
        let directory = std::env::temp_dir().join(format!("cp-fuzz-{}", std::process::id()));
        let socket = directory.join("s");
        let sources = Sources::default();
        sources.journal.publish(&Event::new(Code::Healthy, "app"));
        // Streams end when they have told what there is.
        sources.journal.close();
        let control = Control::start(
            &ControlSpec::at(&socket),
            sources,
            |message| {
                if let Message::Request(request, to) = message {
                    to.send(reply(&request));
                }
            },
            |_, status| assert_ne!(status, 500),
        );
        World {
            socket,
            _control: control.expect("a socket in the directory for temporary files"),
        }
    })
}

fn reply(request: &Request) -> Reply {
    match request {
        Request::Ping => Reply::Pong,
        Request::Status => Reply::Status(Box::new(status())),
        Request::Job(_) => Reply::Jobs(Instant::now(), Vec::new()),
        Request::Health(Some(job)) => Reply::Health(vec![job.clone()]),
        Request::Health(None) => Reply::Health(Vec::new()),
        Request::Maintenance(updated) => Reply::Updated(*updated),
        Request::Reload(how) if how.verbose => Reply::Plan("nothing changes\n".to_owned()),
        Request::Operate(operation) => Reply::Refused {
            status: 404,
            message: format!("no job {:?}", operation.job),
        },
        Request::PutEnv(variables) => {
            for (name, value) in variables {
                assert!(!name.is_empty() && !name.contains(['=', '\0']));
                let value = value.as_deref();
                assert!(value.is_none_or(|value| !value.is_empty() && !value.contains('\0')));
            }
            Reply::Done
        }
        Request::Reload(_) | Request::PutMetric(_) | Request::End(_) | Request::Signal { .. } => {
            Reply::Done
        }
    }
}

fn status() -> Status {
    Status {
        now: Instant::now(),
        supervisor: SupervisorStatus {
            version: "0",
            pid: 1,
            started: Instant::now(),
            is_shutting_down: false,
            maintenance: false,
            config: Some("/etc/containerpilot.json5".into()),
            last_reload: None,
            consul: None,
        },
        jobs: Vec::new(),
        watches: Vec::new(),
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut stream = UnixStream::connect(&world().socket).expect("a connection");
    // Only who hangs gets to feel it.
    let patience = Some(Duration::from_secs(20));
    stream.set_read_timeout(patience).expect("a deadline");
    // A server that has heard enough may have closed.
    let _closed = stream.write_all(bytes);
    let _closed = stream.shutdown(Shutdown::Write);
    let mut answers = Vec::new();
    if let Err(error) = stream.read_to_end(&mut answers) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
        return;
    }
    // The body that is missing behind an answer to HEAD looks like nothing else.
    let asks_for_heads = bytes.windows(4).any(|window| window == b"HEAD");
    let mut rest = answers.as_slice();
    while !rest.is_empty() && !asks_for_heads {
        let Some(answer) = answers::first(rest) else {
            panic!("{:?} is no answer", String::from_utf8_lossy(rest));
        };
        assert!((100..=505).contains(&answer.status), "{answer:?}");
        assert_ne!(answer.status, 500);
        rest = &rest[answer.length..];
    }
});
