//! A program that is talked to through its standard input, and listened to on its standard output and error, the way a
//! person uses a shell: say a line, wait for the words that answer it.
//!
//! The program is killed, by its id, when the dialogue is dropped.

use std::io::{self, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long an answer may take. Only a program that says nothing more waits so long; a slow machine needs the room.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running program and what it said so far.
#[derive(Debug)]
pub struct Dialogue {
    child: Child,
    stdin: Option<ChildStdin>,
    heard: Arc<Heard>,
    /// Where in the output the next answer is looked for.
    cursor: usize,
}

#[derive(Debug, Default)]
struct Heard {
    said: Mutex<Said>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct Said {
    text: String,
    /// How many of the two pipes have ended.
    ended: u8,
}

impl Dialogue {
    /// Starts `command` with all three standard streams piped.
    pub fn start(mut command: Command) -> io::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let heard = Arc::new(Heard::default());
        if let Some(stdout) = child.stdout.take() {
            listen(stdout, Arc::clone(&heard));
        }
        if let Some(stderr) = child.stderr.take() {
            listen(stderr, Arc::clone(&heard));
        }
        let stdin = child.stdin.take();
        Ok(Self { child, stdin, heard, cursor: 0 })
    }

    /// The id of the process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Writes one line.
    pub fn say(&mut self, line: &str) -> io::Result<()> {
        let stdin = self.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        stdin.write_all(format!("{line}\n").as_bytes())?;
        stdin.flush()
    }

    /// Waits for `words` after everything that earlier calls have found, and returns the text up to their end.
    pub fn expect(&mut self, words: &str) -> io::Result<String> {
        self.expect_all(&[words])
    }

    /// Waits for several pieces of text in any order, for answers that race with each other (a reply and an event of
    /// another thread). Returns the text up to the end of the last of them.
    pub fn expect_all(&mut self, pieces: &[&str]) -> io::Result<String> {
        let deadline = Instant::now() + PATIENCE;
        let mut said = self.heard.lock();
        loop {
            let text = said.text.get(self.cursor..).unwrap_or_default();
            let ends: Option<Vec<usize>> =
                pieces.iter().map(|piece| text.find(piece).map(|at| at + piece.len())).collect();
            if let Some(end) = ends.map(|ends| ends.into_iter().max().unwrap_or(0)) {
                let answer = text.get(..end).unwrap_or_default().to_owned();
                self.cursor += end;
                return Ok(answer);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || said.ended == 2 {
                let why = format!("waited for {pieces:?}; the whole transcript:\n{}", said.text);
                return Err(io::Error::new(io::ErrorKind::TimedOut, why));
            }
            said = self.heard.more.wait_timeout(said, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Says `line` and waits for `words`.
    pub fn ask(&mut self, line: &str, words: &str) -> io::Result<String> {
        self.say(line)?;
        self.expect(words)
    }

    /// Everything said until now.
    pub fn transcript(&self) -> String {
        self.heard.lock().text.clone()
    }

    /// Closes the input and waits until the program ends by itself. Returns its status and everything it said.
    pub fn finish(mut self) -> io::Result<(ExitStatus, String)> {
        self.stdin = None;
        let deadline = Instant::now() + PATIENCE;
        let mut said = self.heard.lock();
        while said.ended < 2 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let why = format!("the program did not end; it said:\n{}", said.text);
                return Err(io::Error::new(io::ErrorKind::TimedOut, why));
            }
            said = self.heard.more.wait_timeout(said, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let text = said.text.clone();
        drop(said);
        Ok((self.child.wait()?, text))
    }
}

impl Drop for Dialogue {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Heard {
    fn lock(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn listen(mut pipe: impl Read + Send + 'static, heard: Arc<Heard>) {
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = pipe.read(&mut buffer) {
            let piece = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()).into_owned();
            heard.lock().text.push_str(&piece);
            heard.more.notify_all();
        }
        heard.lock().ended += 1;
        heard.more.notify_all();
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::process::Command;

    use super::Dialogue;

    #[test]
    fn answers_are_looked_for_after_the_ones_already_found() {
        let mut cat = Dialogue::start(Command::new("cat")).unwrap();
        assert_eq!(cat.ask("one two", "two").unwrap(), "one two");
        cat.say("three one").unwrap();
        assert_eq!(cat.expect_all(&["one", "three"]).unwrap(), "\nthree one");
        let (status, transcript) = cat.finish().unwrap();
        assert!(status.success());
        assert_eq!(transcript, "one two\nthree one\n");
    }

    #[test]
    fn words_that_never_come_are_an_error_with_the_transcript() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo only this"]);
        let error = Dialogue::start(command).unwrap().expect("that").unwrap_err();
        assert!(error.to_string().contains("only this"), "{error}");
    }
}
