//! Writing: whole or not at all, whatever stands there and whatever goes wrong.

use super::{fit, small, table};
use deltarule::file::{Existing, check_writable, write_whole};
use deltarule::model::Model;
use std::fs;
use std::path::Path;

/// What stands in a folder, hidden files too.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_could_not_be_read_again_is_not_written() {
    let mut broken = small();
    broken.network.params_mut()[5] = f32::INFINITY;
    let error = broken.to_bytes().unwrap_err().to_string();
    assert_eq!(error, "layer 1, weight from input 2 to unit 2: expected a finite number, found inf");
    let mut broken = small();
    broken.provenance.rows = 0;
    let error = broken.to_bytes().unwrap_err().to_string();
    assert_eq!(error, "the model cannot be written: its training rows are not counted for each class");
    let mut broken = fit::<f64>(&table("price"), |_| {});
    if let deltarule::data::Target::Number(number) = &mut broken.target {
        number.scale = f64::NAN;
    }
    let error = broken.to_bytes().unwrap_err().to_string();
    assert!(error.starts_with("the model cannot be written: target 'price': "), "{error}");
}

#[test]
fn a_file_of_the_other_type_or_none_at_all_is_refused_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    small().save(&path, Existing::Keep).unwrap();
    assert_eq!(Model::<f32>::load(&path).unwrap(), small());
    let error = Model::<f64>::load(&path).unwrap_err().to_string();
    assert_eq!(error, format!("{}: not a usable model: its numbers are f32, expected f64", path.display()));
    let missing = folder.path().join("missing");
    for (path, reason) in [(&missing, "No such file"), (&folder.path().to_path_buf(), "expected a regular file")] {
        let error = Model::<f32>::load(path).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}: {reason}", path.display())), "{error}");
    }
    assert!(small().save(&path, Existing::Keep).unwrap_err().to_string().contains("exists already"));
}

#[test]
fn a_new_file_appears_an_old_one_is_kept_or_replaced_and_nothing_else_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.bin");
    write_whole(&path, b"first", Existing::Keep).unwrap();
    let error = write_whole(&path, b"second", Existing::Keep).unwrap_err().to_string();
    assert_eq!(error, format!("{}: exists already (--force replaces it)", path.display()));
    assert_eq!(fs::read(&path).unwrap(), b"first");
    write_whole(&path, b"second", Existing::Replace).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"second");
    // The longest name that a file may have: there must be room for the temporary one.
    let long = folder.path().join("m".repeat(255));
    write_whole(&long, b"long", Existing::Keep).unwrap();
    write_whole(&long, b"longer", Existing::Replace).unwrap();
    assert_eq!(fs::read(&long).unwrap(), b"longer");
    assert_eq!(names(folder.path()), ["a.bin".to_string(), "m".repeat(255)]);
}

#[test]
fn what_cannot_be_written_is_said_before_any_work() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("none/a.bin");
    for (path, reason) in [
        (folder.path().to_path_buf(), "is a folder, expected a file to write".to_string()),
        (inside.clone(), format!("the folder '{}' does not exist", inside.parent().unwrap().display())),
    ] {
        for existing in [Existing::Keep, Existing::Replace] {
            let expected = format!("{}: {reason}", path.display());
            assert_eq!(check_writable(&path, existing).unwrap_err().to_string(), expected);
            assert_eq!(write_whole(&path, b"x", existing).unwrap_err().to_string(), expected);
        }
    }
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn a_temporary_file_is_in_nobodys_way_and_stays_while_it_is_held() {
    let folder = tempfile::tempdir().unwrap();
    let temporary = |number: u32| format!(".deltarule-{}-{number}.tmp", std::process::id());
    let (held, left) = (temporary(0), temporary(1));
    fs::write(folder.path().join(&held), "half").unwrap();
    fs::write(folder.path().join(&left), "half").unwrap();
    // Whoever writes holds a lock; a killed process, which in a container may have had the same number, holds none.
    let holder = fs::File::options().write(true).open(folder.path().join(&held)).unwrap();
    holder.try_lock().unwrap();
    write_whole(&folder.path().join("a.bin"), b"whole", Existing::Keep).unwrap();
    assert_eq!(names(folder.path()), [&held[..], "a.bin"]);
    assert_eq!(fs::read(folder.path().join(held)).unwrap(), b"half", "it is another thread's");
}

#[test]
fn many_writers_of_one_path_leave_one_of_their_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = &folder.path().join("a.bin");
    std::thread::scope(|scope| {
        for writer in 0..8u8 {
            scope.spawn(move || (0..20).for_each(|_| write_whole(path, &[writer; 5000], Existing::Replace).unwrap()));
        }
    });
    let found = fs::read(path).unwrap();
    assert!(found.len() == 5000 && found.iter().all(|byte| *byte == found[0]));
    assert_eq!(names(folder.path()), ["a.bin"]);

    // Of those who must not replace anything, one wins.
    let path = &folder.path().join("b.bin");
    let written = std::thread::scope(|scope| {
        let writers =
            [0u8, 1, 2, 3].map(|writer| scope.spawn(move || write_whole(path, &[writer], Existing::Keep).is_ok()));
        writers.into_iter().filter_map(|writer| writer.join().ok()).filter(|written| *written).count()
    });
    assert_eq!((written, names(folder.path())), (1, vec!["a.bin".to_string(), "b.bin".to_string()]));
}

#[cfg(unix)]
#[test]
fn mode_and_symbolic_links_stay() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("file"), folder.path().join("link"));
    fs::write(&file, "old").unwrap();
    let set_mode = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    set_mode(0o444);
    assert!(write_whole(&file, b"new", Existing::Replace).is_err(), "who protects a file means it");
    assert_eq!(fs::read(&file).unwrap(), b"old");
    for mode in [0o600, 0o640] {
        set_mode(mode);
        write_whole(&file, b"new", Existing::Replace).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, mode);
    }
    // A link to a link, relative, into another folder; and one to a file that is not there yet.
    fs::create_dir(folder.path().join("inner")).unwrap();
    symlink("../file", folder.path().join("inner/link")).unwrap();
    symlink("inner/link", &link).unwrap();
    write_whole(&link, b"through", Existing::Replace).unwrap();
    symlink("inner/later", folder.path().join("early")).unwrap();
    for existing in [Existing::Keep, Existing::Replace] {
        write_whole(&folder.path().join("early"), b"later", existing).unwrap();
    }
    assert!(write_whole(&folder.path().join("early"), b"again", Existing::Keep).is_err());
    assert_eq!(fs::read(&file).unwrap(), b"through");
    assert_eq!(fs::read(folder.path().join("inner/later")).unwrap(), b"later");
    for name in ["link", "inner/link", "early"] {
        assert!(fs::symlink_metadata(folder.path().join(name)).unwrap().is_symlink(), "{name}");
    }
    assert_eq!(names(&folder.path().join("inner")), ["later", "link"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_device_is_written_to_as_it_is_and_stays_one() {
    let full = Path::new("/dev/full");
    let error = write_whole(full, &[0; 100_000], Existing::Keep).unwrap_err().to_string();
    assert!(error.starts_with("/dev/full: No space left on device"), "{error}");
    write_whole(Path::new("/dev/null"), b"gone", Existing::Keep).unwrap();
    for device in [full, Path::new("/dev/null")] {
        assert!(!fs::metadata(device).unwrap().is_file());
    }
}

// ------------------------------------------------------------------------------------------- under another system's rules

/// Runs the test `name` of this harness in a shell that has done `before`, and gives what it printed. As a user without
/// rights if there are some to give up: nothing is forbidden to root.
#[cfg(unix)]
fn child(name: &str, before: &str, folder: &Path) -> String {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;
    // A copy, for the folder of the original may be closed to others.
    let program = folder.join("harness");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let mut command = std::process::Command::new("sh");
    command.arg("-c").arg(format!("{before} exec \"$0\" \"$@\"")).arg(&program);
    command.args(["--exact", name, "--ignored", "--nocapture", "--test-threads=1"]).env(FOLDER, folder);
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    if fs::metadata(folder).unwrap().uid() == 0 {
        const NOBODY: u32 = 65534;
        std::os::unix::fs::chown(folder.join("theirs"), Some(NOBODY), Some(NOBODY)).unwrap();
        for entry in fs::read_dir(folder.join("theirs")).unwrap() {
            std::os::unix::fs::chown(entry.unwrap().path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        command.uid(NOBODY).gid(NOBODY);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("1 passed"), "{text}");
    text
}

/// Tells the child where to write.
#[cfg(unix)]
const FOLDER: &str = "DELTARULE_TEST_FOLDER";

/// What the child does: tries to replace the model, and says why it could not.
#[cfg(unix)]
#[test]
#[ignore = "run by the tests below, in a process of its own"]
fn replaces_the_model() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let path = Path::new(&folder).join("theirs/model.safetensors");
    match write_whole(&path, &[b'x'; 100_000], Existing::Replace) {
        Ok(()) => println!("written"),
        Err(error) => println!("error: {error}"),
    }
}

/// Lets the child try, and gives what it said and what then stands in the folder.
#[cfg(unix)]
fn attempt(before: &str, mode: u32) -> (String, Vec<String>) {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let theirs = folder.path().join("theirs");
    fs::create_dir(&theirs).unwrap();
    fs::write(theirs.join("model.safetensors"), "old").unwrap();
    fs::set_permissions(&theirs, fs::Permissions::from_mode(mode)).unwrap();
    let said = child("writing::replaces_the_model", before, folder.path());
    fs::set_permissions(&theirs, fs::Permissions::from_mode(0o755)).unwrap();
    let content = fs::read_to_string(theirs.join("model.safetensors")).unwrap();
    assert_eq!(content.len(), if said.contains("written") { 100_000 } else { 3 });
    (said, names(&theirs))
}

#[cfg(unix)]
#[test]
fn a_folder_that_is_closed_or_a_disk_that_is_full_leaves_the_old_file() {
    let (said, found) = attempt("", 0o755);
    assert!(said.contains("written") && found == ["model.safetensors"], "without hindrance it works: {said}");
    let (said, found) = attempt("", 0o555);
    assert!(
        said.contains("model.safetensors: Permission denied") && found == ["model.safetensors"],
        "{said} {found:?}"
    );
    // Files end at 8 blocks of 512 or 1024 bytes: the temporary one cannot be finished.
    let (said, found) = attempt("trap '' XFSZ; ulimit -f 8;", 0o755);
    assert!(said.contains("model.safetensors: File too large") && found == ["model.safetensors"], "{said} {found:?}");
}
