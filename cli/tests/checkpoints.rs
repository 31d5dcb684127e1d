//! A training is killed at any instant, interrupted, or its disk is full: what it goes on from is whole, it comes to the bits that it
//! would have come to, and it never says that it is done when it is not.
//!
//! `DELTARULE_KILLS=200` kills that often, and interrupts half as often; without it a few seconds' worth.
#![cfg(target_os = "linux")]

mod command;

use command::data::{blobs, classes, csv};
use command::{Case, Folder, rejects};
use std::fs;
use std::io::Read;
use std::process::{Child, Command, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Some hundred milliseconds of training in eight epochs' worth of batches each, with rows held back and threads that could differ.
const TRAIN: &str = "train d.csv --target y --hidden 24 --epochs 150 --schedule constant --l2 0 --patience 9999 --batch 8 --seed 3 --early-stopping 0.25 --json";

/// The same by solvers that look at all rows; what ends them is one of them's tolerance, and the other's epochs.
const WHOLE_BATCH: [&str; 2] = [
    "train d.csv --target y --hidden 24 --epochs 150 --patience 9999 --solver lbfgs --seed 3 --early-stopping 0.25 --json",
    "train d.csv --target x3 --task regress --hidden 6 --epochs 60 --solver bayes --seed 3 --json",
];

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("d.csv", blobs(90, 4));
    folder
}

/// What is there of temporary files.
fn temporaries(folder: &Folder) -> Vec<String> {
    let names = fs::read_dir(folder.path(".")).expect("a folder").map(|e| e.expect("an entry").file_name());
    names.filter_map(|name| name.into_string().ok()).filter(|name| name.ends_with(".tmp")).collect()
}

/// Instants to do something at: a fraction of a whole each.
fn fractions(seed: u64) -> impl Iterator<Item = f64> {
    let mut rng = deltarule::rng::Rng::new(seed);
    std::iter::repeat_with(move || rng.uniform::<f64>(0.0, 1.0))
}

/// How often to kill.
fn kills() -> usize {
    std::env::var("DELTARULE_KILLS").map_or(25, |text| text.parse().expect("DELTARULE_KILLS: a number"))
}

/// How a child ended and what it said; stuck, it is ended and the test fails.
fn end(mut child: Child) -> (ExitStatus, String, String) {
    let begun = Instant::now();
    let status = loop {
        match child.try_wait().expect("a child") {
            Some(status) => break status,
            None if begun.elapsed() > Duration::from_secs(60) => {
                child.kill().expect("a child that can be ended");
                panic!("stuck");
            }
            None => sleep(Duration::from_millis(1)),
        }
    };
    let mut text = [String::new(), String::new()];
    child.stdout.take().expect("a pipe").read_to_string(&mut text[0]).expect("UTF-8");
    child.stderr.take().expect("a pipe").read_to_string(&mut text[1]).expect("UTF-8");
    let [out, err] = text;
    (status, out, err)
}

fn hash(json: &str) -> String {
    let object: serde_json::Value = serde_json::from_str(json).unwrap_or_else(|e| panic!("{e}: {json:?}"));
    object["parameters_sha256"].as_str().expect("a checksum").into()
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status().expect("kill runs");
    assert!(sent.success(), "{name}");
}

/// Waits until a child hears SIGINT; it may be over before it is seen to.
fn wait_until_it_listens(child: &mut Child) {
    let begun = Instant::now();
    while child.try_wait().expect("a child").is_none() {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        if caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 2 != 0) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "it never listens");
        sleep(Duration::from_millis(1));
    }
}

#[test]
fn killed_at_any_instant_it_comes_to_the_same_bits() {
    killed_at_any_instant(TRAIN, kills());
}

#[test]
fn killed_at_any_instant_a_solver_that_looks_at_all_rows_comes_to_the_same_bits() {
    WHOLE_BATCH.into_iter().for_each(|train| killed_at_any_instant(train, kills().div_ceil(2)));
}

fn killed_at_any_instant(train: &str, kills: usize) {
    let folder = folder();
    let expected = hash(folder.must(&format!("{train} --threads 1 --model whole.st")).text());
    let begun = Instant::now();
    folder.must(&format!("{train} --threads 1 --checkpoint timed.st"));
    let whole = begun.elapsed();
    let (mut killed, mut runs, mut finished) = (0, 0, 0);
    let mut instants = fractions(1);
    while killed < kills {
        let _ = (fs::remove_file(folder.path("c.st")), fs::remove_file(folder.path("m.st")));
        loop {
            runs += 1;
            let line = format!(
                "{train} --checkpoint c.st --resume --every {} --model m.st --threads {}",
                1 + runs % 3,
                1 + runs % 2
            );
            let mut child = folder.command().words(&line).start();
            sleep(whole.mul_f64(instants.next().expect("an endless sequence")));
            if child.try_wait().expect("a child").is_none() {
                child.kill().expect("a child that can be killed");
                killed += 1;
            }
            let (status, out, err) = end(child);
            // Some end between the look and the kill.
            if let Some(code) = status.code() {
                assert_eq!(code, 0, "{err}");
                assert_eq!(hash(&out), expected, "after {killed} kills");
                assert_eq!(folder.read("m.st"), folder.read("whole.st"));
                break;
            }
            // Killed as the last thing it did, the model is there, and stays unless it may be replaced.
            let _ = fs::remove_file(folder.path("m.st"));
        }
        finished += 1;
        assert_eq!(temporaries(&folder), [""; 0], "after {killed} kills");
    }
    println!("{train}: {killed} kills in {runs} runs, {finished} trainings finished, {whole:?} each");
}

#[test]
fn interrupted_at_any_instant_it_says_so_and_continues() {
    interrupted_at_any_instant(TRAIN, kills().div_ceil(2));
}

#[test]
fn interrupted_at_any_instant_a_solver_that_looks_at_all_rows_says_so_and_continues() {
    WHOLE_BATCH.into_iter().for_each(|train| interrupted_at_any_instant(train, kills().div_ceil(4)));
}

fn interrupted_at_any_instant(train: &str, times: usize) {
    let folder = folder();
    let expected = hash(folder.must(&format!("{train} --threads 1")).text());
    let begun = Instant::now();
    folder.must(&format!("{train} --threads 1 --checkpoint timed.st"));
    let whole = begun.elapsed();
    let mut slowest = Duration::ZERO;
    for (i, fraction) in fractions(2).take(times).enumerate() {
        let (name, code) = if i % 2 == 0 { ("-INT", 130) } else { ("-TERM", 143) };
        let line = format!("{train} --checkpoint c.st --every 1000 --resume --model m.st --force");
        let mut child = folder.command().words(&line).start();
        wait_until_it_listens(&mut child);
        sleep(whole.mul_f64(0.7 * fraction));
        if child.try_wait().expect("a child").is_none() {
            signal(&child, name);
            let asked = Instant::now();
            let (status, out, err) = end(child);
            slowest = slowest.max(asked.elapsed());
            let object: serde_json::Value = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out:?} {err}"));
            let was_over = object["stopped"] != "interrupted";
            // The signal may come between the last look and the end of the process.
            assert!(status.code() == Some(code) || was_over && status.code() == Some(0), "{status}: {err}");
            if !was_over {
                assert!(err.contains("the same command with --resume continues from c.st"), "{err}");
                // What is written is a model.
                folder.must("predict m.st d.csv");
            }
        }
        let run = folder.must(&format!("{train} --checkpoint c.st --resume --threads {}", 1 + i % 2));
        assert_eq!(hash(run.text()), expected, "interrupted {i}: {}", run.stderr);
        fs::remove_file(folder.path("c.st")).expect("a checkpoint");
    }
    println!("the slowest answer to a signal took {slowest:?}");
    assert!(slowest < Duration::from_secs(2));
}

#[test]
fn without_a_checkpoint_an_interrupt_ends_it_in_order() {
    let folder = folder();
    let long = TRAIN.replace("--epochs 150", "--epochs 1000000");
    for solver in ["adam", "lbfgs --tolerance 0", "rprop --tolerance 0"] {
        let line = if solver == "adam" { long.clone() } else { long.replace("--batch 8", "") };
        let mut child = folder.command().words(&format!("{line} --solver {solver} --model m.st --force")).start();
        wait_until_it_listens(&mut child);
        sleep(Duration::from_millis(50));
        if child.try_wait().expect("a child").is_none() {
            signal(&child, "-INT");
        }
        let (status, out, err) = end(child);
        if !out.contains("converged") && !out.contains("line_search") {
            assert_eq!(status.code(), Some(130), "{solver}: {err}");
            assert!(out.contains(r#""stopped":"interrupted""#), "{out}");
        }
        folder.must("inspect m.st");
    }
}

#[test]
fn a_second_interrupt_ends_it_at_once() {
    let folder = Folder::new();
    folder.write("d.csv", blobs(2000, 20));
    // A step of some 200 GFLOP.
    let line = "train d.csv --target y --hidden 4000,4000 --batch 2000 --epochs 100 --threads 1 --checkpoint c.st";
    let mut child = folder.command().words(line).start();
    wait_until_it_listens(&mut child);
    sleep(Duration::from_millis(300));
    signal(&child, "-INT");
    sleep(Duration::from_millis(300));
    assert_eq!(child.try_wait().expect("a child"), None, "a step this long is not over yet");
    signal(&child, "-INT");
    let asked = Instant::now();
    assert_eq!(end(child).0.code(), Some(130));
    assert!(asked.elapsed() < Duration::from_secs(2));
    assert!(!folder.path("c.st").exists());
}

#[test]
fn another_training_is_refused_by_the_field_that_differs() {
    let folder = folder();
    let epochs = |count: usize| TRAIN.replace("--epochs 150", &format!("--epochs {count}")) + " --checkpoint c.st";
    let begun = epochs(5);
    folder.must(&begun);
    folder.write("other.csv", blobs(90, 4).replace("0.5", "0.4"));
    folder.write("fewer.csv", blobs(87, 4));
    let cases: [(&str, &str, &[&str]); 14] = [
        ("--seed 3", "--seed 4", &["c.st is of seed 3, this training has seed 4"]),
        ("d.csv", "other.csv", &["training inputs sha256 "]),
        ("d.csv", "fewer.csv", &["is of training rows", "this training has training rows"]),
        ("--hidden 24", "--hidden 24,5", &["architecture 4-24-3", "architecture 4-24-5-3"]),
        ("--batch 8", "--batch 9", &["is of batch 8, this training has batch 9"]),
        ("--batch 8", "--batch 8 --solver sgd", &["is of solver adam", "this training has solver sgd"]),
        ("--batch 8", "--batch 8 --beta1 0.8", &["is of solver adam", "0.8"]),
        ("--batch 8", "--batch 8 --rate 0.01", &["is of learning rate 0.005, this training has learning rate 0.01"]),
        ("--l2 0", "--l2 0.1", &["is of l2 0, this training has l2 0.1"]),
        ("--batch 8", "--batch 8 --dtype f64", &["is of dtype f32, this training has dtype f64"]),
        ("--batch 8", "--batch 8 --init he_normal", &["is of initial parameters sha256 "]),
        ("--batch 8", "--batch 8 --label-smoothing 0.1", &["is of training targets sha256 "]),
        ("--patience 9999", "--patience 9998", &["is of patience 9999, this training has patience 9998"]),
        ("--epochs 5", "--epochs 4", &["is of epochs 5 done, this training has epochs 4 in all"]),
    ];
    for (from, to, says) in cases {
        let line = begun.replace(from, to) + " --resume";
        rejects(&folder, Case { line: &line, code: 2, says });
    }
    // A solver that looks at all rows is another training by the same fields.
    let whole = |flags: &str| format!("train d.csv --target y --hidden 4 --epochs 3 --checkpoint w.st {flags}");
    folder.must(&whole("--solver lbfgs"));
    let cases: [(&str, &[&str]); 5] = [
        ("--solver scg", &["w.st is of solver L-BFGS, this training has solver scaled conjugate gradients"]),
        ("--solver lbfgs --seed 9", &["w.st is of seed 0, this training has seed 9"]),
        ("--solver lbfgs --l2 0.5", &["is of l2 0.00556, this training has l2 0.5"]),
        ("--solver lbfgs --dtype f64", &["is of dtype f32, this training has dtype f64"]),
        ("--solver rprop", &["is of solver L-BFGS, this training has solver Rprop {"]),
    ];
    for (flags, says) in cases {
        rejects(&folder, Case { line: &(whole(flags) + " --resume"), code: 2, says });
    }
    // More epochs and another number of threads are the same training.
    let longer = folder.must(&format!("{} --resume --threads 2", epochs(9)));
    assert!(longer.stderr.contains("continuing c.st, after 5 epochs"), "{}", longer.stderr);
    let whole = folder.must(&format!("{} --force --threads 1", epochs(9)));
    assert_eq!(hash(longer.text()), hash(whole.text()));
}

#[test]
fn what_cannot_be_kept_is_refused_by_name() {
    let folder = folder();
    folder.write("t.csv", csv("a,b,y", &classes()));
    let train = "train t.csv --target y --epochs 3 --test 0";
    folder.must(&format!("{train} --checkpoint c.st --model m.st"));
    let whole = folder.read("c.st");
    folder.write("damaged.st", &whole[..whole.len() - 1]);
    let cases: [(&str, i32, &[&str]); 13] = [
        ("--checkpoint c.st", 6, &["c.st: exists already (--resume continues it, --force replaces it)"]),
        ("--checkpoint c.st --every 0", 2, &["--every: expected at least 1 epoch, found 0"]),
        ("--resume", 2, &["--checkpoint <FILE>"]),
        ("--every 2", 2, &["--checkpoint <FILE>"]),
        ("--checkpoint x.st --model x.st", 2, &["output files: expected different names, found 'x.st' twice"]),
        ("--checkpoint x.svg --plot x.svg", 2, &["expected different names"]),
        ("--checkpoint t.csv --resume", 2, &["another file than the input, found 't.csv'"]),
        ("--checkpoint t.csv --force", 2, &["another file than the input, found 't.csv'"]),
        ("--checkpoint m.st --resume", 4, &["m.st: not a usable checkpoint", "'deltarule_checkpoint'"]),
        ("--checkpoint damaged.st --resume", 4, &["damaged.st: not a usable checkpoint"]),
        ("--checkpoint none/x.st", 6, &["the folder 'none' does not exist"]),
        ("--checkpoint /dev/full --resume", 6, &["/dev/full: expected a regular file"]),
        ("--checkpoint /dev/full", 6, &["/dev/full: No space left on device"]),
    ];
    for (flags, code, says) in cases {
        rejects(&folder, Case { line: &format!("{train} {flags}"), code, says });
    }
    let line = "train t.csv --target y --cv 3 --checkpoint x.st";
    rejects(&folder, Case { line, code: 2, says: &["'--cv <K[xR]>' cannot be used with", "--checkpoint"] });
    rejects(&folder, Case { line: "predict c.st t.csv", code: 4, says: &["c.st: not a usable model"] });
    let anew = folder.must(&format!("{train} --checkpoint new.st --resume"));
    assert!(anew.stderr.contains("new.st is not there yet: beginning anew"), "{}", anew.stderr);
}

#[test]
fn where_a_file_may_not_be_that_long_the_old_one_stays() {
    let folder = folder();
    let line = TRAIN.replace("--epochs 150", "--epochs 5") + " --checkpoint c.st";
    let expected = hash(folder.must(&line.replace("--epochs 5", "--epochs 9").replace("c.st", "whole.st")).text());
    folder.must(&line);
    let old = folder.read("c.st");
    let more = line.replace("--epochs 5", "--epochs 9") + " --resume";
    // A block is 512 bytes; without the trap the signal kills.
    for (script, code) in [
        (r#"trap '' XFSZ; ulimit -f 2; exec "$0" "$@""#, Some(6)),
        (r#"ulimit -c 0; ulimit -f 2; exec "$0" "$@""#, None),
    ] {
        let (status, out, err) = end(folder.command().words(&more).under("sh", &["-c", script]).start());
        assert_eq!(status.code(), code, "{status} {err}");
        assert!(out.is_empty() && (code.is_none() || err.contains("c.st: File too large")), "{out} {err}");
        assert_eq!(folder.read("c.st"), old);
    }
    assert_eq!(hash(folder.must(&more).text()), expected);
    assert_eq!(temporaries(&folder), [""; 0]);
}

#[test]
fn where_the_disk_is_full_the_old_one_stays() {
    let folder = folder();
    fs::create_dir(folder.path("full")).expect("a folder");
    let mount = "mount -t tmpfs -o size=12k none full";
    let tried = Command::new("unshare").args(["-rm", "sh", "-c", mount]).current_dir(folder.path(".")).output();
    if !tried.is_ok_and(|run| run.status.success()) {
        println!("skipped: no file system can be mounted");
        return;
    }
    let line = TRAIN.replace("--epochs 150", "--epochs 5") + " --checkpoint c.st";
    folder.must(&line);
    let old = folder.read("c.st");
    // Three pages of 4096 bytes: of two each, one fits.
    assert!((4097..=8192).contains(&old.len()), "{} bytes", old.len());
    let more = line.replace("--epochs 5", "--epochs 9").replace("c.st", "full/c.st") + " --resume";
    let script = format!(
        r#"{mount} && cp c.st full && "$0" "$@"; code=$?; cp full/c.st kept.st; ls -A full > names; exit $code"#
    );
    let (status, out, err) = end(folder.command().words(&more).under("unshare", &["-rm", "sh", "-c", &script]).start());
    assert_eq!(status.code(), Some(6), "{err}");
    assert!(out.is_empty() && err.contains("full/c.st: No space left on device"), "{out} {err}");
    assert_eq!(folder.read("kept.st"), old);
    assert_eq!(folder.read("names"), b"c.st\n");
}

/// Whether processes can be traced here; says so if not.
fn can_trace(folder: &Folder) -> bool {
    let tried =
        Command::new("strace").args(["-f", "-qq", "-o", "/dev/null", "true"]).current_dir(folder.path(".")).output();
    let can = tried.is_ok_and(|run| run.status.success());
    if !can {
        println!("skipped: strace is not there or may not trace");
    }
    can
}

#[test]
fn whichever_step_of_a_write_fails_a_whole_state_stays_and_success_is_not_claimed() {
    let folder = folder();
    if !can_trace(&folder) {
        return;
    }
    let line =
        |epochs: usize| TRAIN.replace("--epochs 150", &format!("--epochs {epochs}")) + " --checkpoint c.st --threads 1";
    folder.must(&line(1));
    let old = folder.read("c.st");
    let expected = hash(folder.must(&(line(3) + " --force")).text());
    let (mut injected, mut successes) = (0, 0);
    let mut faults = vec![
        ("write", "EINTR"),
        ("write", "ENOSPC"),
        ("write", "EIO"),
        ("fsync", "EIO"),
        ("/^rename", "EIO"),
        ("flock", "ENOLCK"),
        ("/^unlink", "EIO"),
        ("/^fchmod", "EPERM"),
    ];
    if std::env::var_os("DELTARULE_KILLS").is_some() {
        // Many are of the system's loader.
        faults.extend([("openat", "EMFILE"), ("close", "EIO")]);
    }
    for (call, error) in faults {
        // Interrupted for ever, a write is tried for ever.
        let modes: &[_] = if error == "EINTR" { &[""] } else { &["", "+"] };
        for mode in modes {
            for number in 1.. {
                folder.write("c.st", &old);
                let fault = format!("inject={call}:error={error}:when={number}{mode}");
                let strace = ["-f", "-qq", "-o", "trace", "-e", "trace=all", "-e", &fault];
                let (status, out, err) =
                    end(folder.command().words(&(line(3) + " --resume")).under("strace", &strace).start());
                let was_injected = String::from_utf8_lossy(&folder.read("trace")).contains("(INJECTED)");
                if status.code() == Some(0) {
                    // Done is done: with the figures said and the last state there.
                    assert_eq!(hash(&out), expected, "{fault}: {err}");
                    let again = folder.must(&(line(3) + " --resume"));
                    assert!(again.stderr.contains("after 3 epochs"), "{fault}: {}", again.stderr);
                    successes += usize::from(was_injected);
                }
                assert!(was_injected || status.code() == Some(0), "{fault}: {status} {err}");
                // Without a fault it continues from whatever is there.
                let resumed = folder.must(&(line(3) + " --resume"));
                assert!(resumed.stderr.contains("continuing c.st"), "{fault}: {}", resumed.stderr);
                assert_eq!(hash(resumed.text()), expected, "{fault}");
                assert_eq!(temporaries(&folder), [""; 0], "{fault}");
                if !was_injected {
                    break;
                }
                injected += 1;
                assert!(number < 1000, "{fault}: it never ends");
            }
        }
    }
    println!("{injected} runs with faults, of which {successes} could do without the call");
}

#[test]
fn a_state_is_written_beside_synced_renamed_and_its_folder_synced() {
    let folder = folder();
    if !can_trace(&folder) {
        return;
    }
    let line = TRAIN.replace("--epochs 150", "--epochs 1") + " --checkpoint c.st --threads 1";
    let strace = ["-f", "-qq", "-y", "-o", "trace", "-e", "trace=openat,write,fsync,/^rename,flock"];
    let (status, _, err) = end(folder.command().words(&line).under("strace", &strace).start());
    assert_eq!(status.code(), Some(0), "{err}");
    let trace = String::from_utf8(folder.read("trace")).expect("UTF-8");
    let lines: Vec<&str> =
        trace.lines().map(|line| line.split_once(' ').map_or(line, |(_, call)| call.trim())).collect();
    let begin = lines
        .iter()
        .rposition(|call| call.starts_with("openat") && call.contains(".deltarule-"))
        .expect("a temporary file");
    let calls: Vec<(&str, &str)> = lines[begin..].iter().filter_map(|call| call.split_once('(')).collect();
    let expected: [(&str, &str); 6] = [
        ("openat", "O_CREAT|O_EXCL"),
        ("flock", ".tmp"),
        ("write", ".tmp"),
        ("fsync", ".tmp"),
        ("rename", "c.st"),
        ("fsync", ""),
    ];
    let mut rest = calls.iter();
    for (name, with) in expected {
        assert!(
            rest.any(|(call, arguments)| call.starts_with(name) && arguments.contains(with)),
            "{name}({with}) in {calls:#?}"
        );
    }
}
