//! An application in an image that has no shell: listens on `/app.socket`, says with
//! what words it was started, and serves until it is told to end.

use std::io::Write as _;
use std::os::unix::net::UnixListener;

fn main() {
    let _left_by_an_earlier_run = std::fs::remove_file("/app.socket");
    let listener = UnixListener::bind("/app.socket").ok();
    let words: Vec<String> = std::env::args().skip(1).collect();
    writeln!(std::io::stdout(), "serving {}", words.join(" ")).unwrap();
    loop {
        match &listener {
            Some(listener) => drop(listener.accept()),
            None => std::thread::park(),
        }
    }
}
