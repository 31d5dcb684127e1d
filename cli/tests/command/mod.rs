//! Runs the command that was built, in a folder of its own, and keeps all that it said.
//!
//! Begin reading at [`Case`] and [`rejects`]: what is refused is refused quickly, in words, and leaves no trace.
#![allow(dead_code, reason = "each harness uses a part")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

pub mod certified;
pub mod data;

/// How long a refusal may take.
pub const REFUSAL: Duration = Duration::from_secs(2);
/// How long anything may take before it counts as stuck.
const STUCK: Duration = Duration::from_secs(60);

/// A folder that is gone after the test.
#[derive(Debug)]
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).expect("a file in a temporary folder");
        path
    }

    pub fn read(&self, name: impl AsRef<Path>) -> Vec<u8> {
        let path = self.path(name);
        fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// Every entry, with its bytes if it is a file.
    pub fn snapshot(&self) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
        let entries = fs::read_dir(self.0.path()).expect("a folder");
        let entry = |path: PathBuf| (path.clone(), path.is_file().then(|| fs::read(path).expect("a readable file")));
        entries.map(|e| entry(e.expect("an entry").path())).collect()
    }

    /// The command, about to run here.
    pub fn command(&self) -> Deltarule {
        let mut command = Command::new(env!("CARGO_BIN_EXE_deltarule"));
        command.current_dir(self.0.path()).env_remove("DELTARULE_ISA").env("RUST_BACKTRACE", "0");
        Deltarule { command, input: Vec::new() }
    }

    /// The command, about to run here with so much address space.
    #[cfg(unix)]
    pub fn limited(&self, kibibytes: u64) -> Deltarule {
        let Deltarule { command: free, input } = self.command();
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!(r#"ulimit -v {kibibytes} && exec "$0" "$@""#)).arg(free.get_program());
        command.current_dir(self.0.path());
        free.get_envs().for_each(|(name, value)| {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        });
        Deltarule { command, input }
    }

    /// Runs the command with the words of `line`.
    pub fn run(&self, line: &str) -> Run {
        self.command().words(line).run()
    }

    /// Runs the command with the words of `line`, which must succeed.
    pub fn must(&self, line: &str) -> Run {
        let run = self.run(line);
        assert_eq!(run.code(), 0, "deltarule {line}\n{}", run.stderr);
        run
    }
}

/// A command line in the making.
#[derive(Debug)]
pub struct Deltarule {
    command: Command,
    input: Vec<u8>,
}

impl Deltarule {
    pub fn words(mut self, line: &str) -> Self {
        self.command.args(line.split_whitespace());
        self
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// What stands on standard input.
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// Runs it to its end; stuck, it is ended and the test fails.
    pub fn run(mut self) -> Run {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let begun = Instant::now();
        let mut child = self.command.spawn().expect("the command runs");
        let stdin = child.stdin.take().expect("a pipe");
        let writer = thread::spawn(move || {
            let mut stdin = stdin;
            // A command that does not read its input closes the pipe.
            let _ = stdin.write_all(&self.input);
        });
        let (stdout, stderr) = (reader(child.stdout.take()), reader(child.stderr.take()));
        let status = wait(&mut child, begun);
        let took = begun.elapsed();
        writer.join().expect("the writer");
        let stderr = String::from_utf8(stderr.join().expect("a reader")).expect("messages in UTF-8");
        let run = Run { status, stdout: stdout.join().expect("a reader"), stderr, took };
        run.check_end();
        run
    }

    /// Runs it with the given standard output and error, and checks how it ends.
    pub fn run_into(mut self, stdout: impl Into<Stdio>, stderr: impl Into<Stdio>) -> ExitStatus {
        let mut child = self.command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).spawn().expect("it runs");
        wait(&mut child, Instant::now())
    }

    /// Runs it to its end, which must be a good one; the most memory that it had, in bytes (`VmHWM`), seen every millisecond.
    #[cfg(target_os = "linux")]
    pub fn run_for_peak(mut self) -> u64 {
        self.command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = self.command.spawn().expect("the command runs");
        let status = format!("/proc/{}/status", child.id());
        let (begun, mut peak) = (Instant::now(), 0);
        loop {
            // Gone once the command has ended; the figure never falls before.
            let text = fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kibibytes = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
            peak = peak.max(1024 * kibibytes.unwrap_or(0));
            if let Some(status) = child.try_wait().expect("a child") {
                assert!(status.success() && peak > 0, "{status}, {peak} bytes");
                return peak;
            }
            assert!(begun.elapsed() < STUCK, "the command is stuck");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Starts it, for a test that ends it; what it says is for whoever takes it, and must fit into a pipe.
    pub fn start(mut self) -> Child {
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs")
    }

    /// As what another program runs: its words, then this command's.
    pub fn under(self, program: &str, words: &[&str]) -> Self {
        let Self { command: inner, input } = self;
        let mut command = Command::new(program);
        command.args(words).arg(inner.get_program()).args(inner.get_args());
        command.current_dir(inner.get_current_dir().expect("a folder"));
        command.env_remove("DELTARULE_ISA").env("RUST_BACKTRACE", "0");
        Self { command, input }
    }

    /// Runs it into a pipe that nobody reads: closed at once.
    pub fn run_unread(mut self, stdout: bool) -> ExitStatus {
        let (closed, open) = (Stdio::piped(), Stdio::null());
        let (out, err) = if stdout { (closed, open) } else { (open, closed) };
        let mut child = self.command.stdin(Stdio::null()).stdout(out).stderr(err).spawn().expect("it runs");
        drop((child.stdout.take(), child.stderr.take()));
        wait(&mut child, Instant::now())
    }
}

fn reader<R: Read + Send + 'static>(pipe: Option<R>) -> thread::JoinHandle<Vec<u8>> {
    let mut pipe = pipe.expect("a pipe");
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).expect("a readable pipe");
        bytes
    })
}

fn wait(child: &mut Child, begun: Instant) -> ExitStatus {
    loop {
        if let Some(status) = child.try_wait().expect("a child") {
            return status;
        }
        if begun.elapsed() > STUCK {
            child.kill().expect("a child that can be ended");
            panic!("the command is stuck: it did not end within {STUCK:?}");
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// What a command did.
#[derive(Debug)]
pub struct Run {
    status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: String,
    pub took: Duration,
}

impl Run {
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("ended by a signal: {}\n{}", self.status, self.stderr))
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("output in UTF-8")
    }

    /// The one JSON object on standard output.
    pub fn json(&self) -> serde_json::Value {
        let text = self.text();
        assert!(text.ends_with('\n') && text.lines().count() == 1, "expected one line, found {text:?}");
        let value: serde_json::Value = serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"));
        assert!(value.is_object(), "{text}");
        value
    }

    /// No run panics or dies, and none writes control characters to a terminal.
    fn check_end(&self) {
        self.code();
        assert!(!self.stderr.contains("panicked at"), "{}", self.stderr);
        let control = self.stderr.chars().find(|c| c.is_control() && *c != '\n');
        assert_eq!(control, None, "a control character in a message: {:?}", self.stderr);
    }
}

/// A command line that is refused.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The arguments, parted by spaces.
    pub line: &'a str,
    /// The exit code.
    pub code: i32,
    /// What the message must hold.
    pub says: &'a [&'a str],
}

/// Runs a command line that must be refused: with the exit code and every fragment of the message; within two seconds;
/// with nothing on standard output; and with every file of the folder as it was, none added.
pub fn rejects(folder: &Folder, case: Case<'_>) {
    rejects_command(folder, folder.command().words(case.line), case);
}

/// As [`rejects`], for a command line that words alone do not make.
pub fn rejects_command(folder: &Folder, command: Deltarule, case: Case<'_>) {
    let before = folder.snapshot();
    let run = command.run();
    let Case { line, code, says } = case;
    let shown = format!("deltarule {line}\nexit {}, {:?}\n{}", run.code(), run.took, run.stderr);
    assert_eq!(run.code(), code, "expected exit {code}: {shown}");
    for fragment in says {
        assert!(run.stderr.contains(fragment), "expected {fragment:?} in: {shown}");
    }
    assert!(run.stdout.is_empty(), "standard output of a refusal: {:?}\n{shown}", run.text());
    assert!(run.took <= REFUSAL, "a refusal may take {REFUSAL:?}: {shown}");
    let after = folder.snapshot();
    let names = |files: &BTreeMap<PathBuf, _>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&before), names(&after), "files came or went: {shown}");
    let changed: Vec<_> = before.iter().filter(|(name, bytes)| after[*name] != **bytes).map(|(name, _)| name).collect();
    assert!(changed.is_empty(), "changed: {changed:?} by {shown}");
}

/// A device that takes nothing.
pub fn full() -> File {
    File::options().write(true).open("/dev/full").expect("/dev/full")
}
