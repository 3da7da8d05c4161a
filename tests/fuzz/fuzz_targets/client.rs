//! What answers a client on the control socket, and a health check: the first
//! byte says which question is asked, the rest is the answer.
//!
//! Nothing hangs. A body that is taken for one is the body that is in the bytes,
//! taken out by other code. Tables of it fit the terminal.
#![no_main]

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use containerpilot::client::{self, stream};
use containerpilot::control::request::Reload;
use containerpilot::{probe, subcommand};
use containerpilot_fuzz::answers;
use libfuzzer_sys::fuzz_target;

struct World {
    socket: PathBuf,
    answers: Sender<Vec<u8>>,
}

static WORLD: OnceLock<World> = OnceLock::new();

fn world() -> &'static World {
    WORLD.get_or_init(|| {
        let socket = std::env::temp_dir().join(format!("cp-fuzz-{}.socket", std::process::id()));
        let _left_over = std::fs::remove_file(&socket);
        let listener = UnixListener::bind(&socket).expect("a socket");
        let (answers, wanted) = channel();
        thread::spawn(move || serve(&listener, &wanted));
        World { socket, answers }
    })
}

/// Reads the head of a request, which has no body, and says what is wanted.
fn serve(listener: &UnixListener, wanted: &Receiver<Vec<u8>>) {
    while let Ok(answer) = wanted.recv() {
        let (mut stream, _) = listener.accept().expect("a connection");
        let (mut request, mut piece) = (Vec::new(), [0; 4096]);
        while !request.ends_with(b"\r\n\r\n") {
            let count = stream.read(&mut piece).expect("a request");
            request.extend_from_slice(&piece[..count]);
        }
        // Who has heard enough has closed.
        let _closed = stream.write_all(&answer);
    }
}

/// The body of the final answer, if other code finds one and nothing behind it.
fn expected(mut bytes: &[u8]) -> Option<answers::Answer> {
    loop {
        let answer = answers::first(bytes)?;
        if answer.status >= 200 {
            return Some(answer);
        }
        bytes = &bytes[answer.length..];
    }
}

fn assert_same_text(got: &str, bytes: &[u8]) {
    if let Some(answer) = expected(bytes) {
        let text = String::from_utf8_lossy(&answer.body);
        assert_eq!(got, text.trim_end());
        assert!((200..300).contains(&answer.status), "{answer:?}");
    }
}

fn follow(mut stream: stream::Stream<'_>, bytes: &[u8]) {
    let mut all = Vec::new();
    loop {
        match stream.more() {
            Ok(Some(data)) => all.extend_from_slice(&data),
            Ok(None) => break,
            Err(_cut_off) => return,
        }
    }
    if let Some(answer) = expected(bytes) {
        assert_eq!(all, answer.body);
    }
}

fn check(bytes: &[u8]) {
    for has_body in [true, false] {
        let Some((status, _, body)) = probe::fuzzing::response(bytes, has_body) else {
            continue;
        };
        assert!((200..=599).contains(&status));
        assert!(has_body || body.is_empty());
        if let Some(answer) = expected(bytes) {
            assert_eq!(status, answer.status);
            assert!(!has_body || matches!(status, 204 | 304) || body == answer.body);
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((which, bytes)) = input.split_first() else {
        return;
    };
    check(bytes);
    let world = world();
    let socket = world.socket.as_path();
    world.answers.send(bytes.to_vec()).expect("a server");
    match which % 6 {
        0 => {
            let reload = Reload::default();
            if let Ok(text) = client::reload(socket, reload) {
                assert_same_text(&text, bytes);
            }
        }
        1 => {
            if let Ok(stream) = stream::events(socket, Some(1)) {
                follow(stream, bytes);
            }
        }
        2 => {
            let lines = stream::Lines::default();
            if let Ok(stream) = stream::follow_logs(socket, lines) {
                follow(stream, bytes);
            }
        }
        which => {
            let answer = match which {
                3 => client::jobs::status(socket, None),
                4 => client::jobs::health(socket, Some("app")),
                _ => client::ping(socket),
            };
            match answer {
                Ok(text) => {
                    assert_same_text(&text, bytes);
                    let (table, ..) = subcommand::fuzzing::shown(&text, 80);
                    assert!(!table.contains('\x1b') || text == table);
                }
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
    }
});
