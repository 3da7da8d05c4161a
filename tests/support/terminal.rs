//! A terminal with a program on it, as `docker run -it` makes one.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::process::Child;
use std::ptr;

use super::facts::poll;
use super::{command, deadline};

/// The other side of a terminal, where somebody types and reads. What is typed is
/// not shown.
#[derive(Debug)]
pub(crate) struct Terminal {
    keyboard: File,
    child: Child,
    screen: Vec<u8>,
    /// Up to here [`Terminal::wait_for`] has read.
    cursor: usize,
}

impl Terminal {
    /// Runs a program as the leader of a session whose terminal this is. To have a
    /// PID namespace in front of that, the program is one that starts `setsid -c`.
    pub(crate) fn run(words: &[&str]) -> Self {
        let (keyboard, screen) = pair();
        let stream = || screen.try_clone().unwrap();
        let child = command::command(words[0])
            .args(&words[1..])
            .env("PS1", "$ ")
            .stdin(stream())
            .stdout(stream())
            .stderr(stream())
            .spawn()
            .unwrap();
        Self {
            keyboard: keyboard.into(),
            child,
            screen: Vec::new(),
            cursor: 0,
        }
    }

    /// Types, at once.
    pub(crate) fn type_in(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).unwrap();
    }

    /// Makes the window another size.
    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        let size = libc::winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let keyboard = self.keyboard.as_raw_fd();
        // SAFETY: the size is valid for reading.
        let result = unsafe { libc::ioctl(keyboard, libc::TIOCSWINSZ, &raw const size) };
        assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    }

    /// Waits for a text, after the last one found so.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) {
        loop {
            let fresh = &self.screen[self.cursor..];
            let mut places = fresh.windows(text.len());
            if let Some(place) = places.position(|part| part == text.as_bytes()) {
                self.cursor += place + text.len();
                return;
            }
            assert!(self.read(), "{text:?} is not shown: {}", self.shown());
        }
    }

    /// Waits for the end of the program: its exit code.
    #[track_caller]
    pub(crate) fn wait_exit(&mut self) -> i32 {
        let status = command::wait(&mut self.child, deadline());
        let status = status.unwrap_or_else(|| panic!("it goes on: {}", self.shown()));
        command::exit_code(status)
    }

    /// Everything that was shown so far.
    pub(crate) fn shown(&self) -> String {
        String::from_utf8_lossy(&self.screen).into_owned()
    }

    /// Reads what is there, or comes; false if nothing does.
    fn read(&mut self) -> bool {
        if poll(self.keyboard.as_raw_fd(), libc::POLLIN, deadline()) & libc::POLLIN == 0 {
            return false;
        }
        let mut chunk = [0; 4096];
        let length = self.keyboard.read(&mut chunk).unwrap_or(0);
        self.screen.extend_from_slice(&chunk[..length]);
        length > 0
    }
}

impl Drop for Terminal {
    /// Whoever still uses the terminal is told that it has gone.
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Both sides of a new terminal, the keyboard's first. Programs of other tests get
/// neither.
fn pair() -> (OwnedFd, OwnedFd) {
    let (mut keyboard, mut screen) = (-1, -1);
    // SAFETY: both are valid for writing, and nothing else is asked for.
    let result = unsafe {
        libc::openpty(
            &raw mut keyboard,
            &raw mut screen,
            ptr::null_mut(),
            ptr::null(),
            ptr::null(),
        )
    };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    // SAFETY: it was made just now, and nobody else owns it.
    let keyboard = unsafe { OwnedFd::from_raw_fd(keyboard) };
    // SAFETY: as above.
    let screen = unsafe { OwnedFd::from_raw_fd(screen) };
    for fd in [&keyboard, &screen] {
        // SAFETY: F_SETFD takes an integer.
        unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    // SAFETY: termios is plain data, which tcgetattr fills in.
    let mut settings: libc::termios = unsafe { std::mem::zeroed() };
    // SAFETY: the settings are valid for writing.
    unsafe { libc::tcgetattr(screen.as_raw_fd(), &raw mut settings) };
    settings.c_lflag &= !libc::ECHO;
    // SAFETY: the settings are valid for reading.
    unsafe { libc::tcsetattr(screen.as_raw_fd(), libc::TCSANOW, &raw const settings) };
    (keyboard, screen)
}
