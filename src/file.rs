//! Files that appear whole or not at all.
//!
//! Temporary files of processes that were killed are removed before the next process writes to the same folder. A writer holds an
//! advisory lock on its own, which the system drops when the process dies, however it dies: one that can be locked is nobody's.
//!
//! Ground of the house: imports `error`. Begin reading at [`write_whole`].

use crate::error::{Error, Result};
use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Whether a file that is already there may be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and writing is an error.
    Keep,
    /// It is replaced, at once and as a whole.
    Replace,
}

/// Refuses to write to `path` before any work is done for it: it exists and must be kept, it is a folder or write-protected,
/// or nothing can be created in its folder, which is tried. What is there is not touched.
pub fn check_writable(path: &Path, existing: Existing) -> Result<()> {
    let refuse = |kind, reason: &str| Err(Error::io(path, io::Error::new(kind, reason.to_string())));
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => {
            return refuse(io::ErrorKind::IsADirectory, "is a folder, expected a file to write");
        }
        Ok(found) if found.is_file() && existing == Existing::Keep => {
            return refuse(io::ErrorKind::AlreadyExists, "exists already (--force replaces it)");
        }
        // A rename would replace it all the same.
        Ok(found) if found.is_file() && found.permissions().readonly() => {
            return refuse(io::ErrorKind::PermissionDenied, "is write-protected");
        }
        // A device or a pipe is written to as it is.
        Ok(found) if !found.is_file() => return Ok(()),
        Ok(_) => {}
        Err(_) => {}
    }
    let place = through_links(path);
    if place.is_symlink() {
        return refuse(io::ErrorKind::InvalidInput, "is a link that leads to no file");
    }
    let folder = folder_of(&place);
    if !folder.is_dir() {
        return refuse(io::ErrorKind::NotFound, &format!("the folder '{}' does not exist", folder.display()));
    }
    // `a/` has the file name `a` and yet means a folder.
    if place.file_name().is_none() || place.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return refuse(io::ErrorKind::InvalidInput, "is no name of a file");
    }
    let (_file, trial) = temporary_beside(&place).map_err(|source| Error::io(path, source))?;
    fs::remove_file(trial).map_err(|source| Error::io(path, source))
}

/// Whether two paths mean one file, there or yet to be written.
pub fn is_same(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| {
        let path = through_links(path);
        let beside = || Some(fs::canonicalize(folder_of(&path)).ok()?.join(path.file_name()?));
        fs::canonicalize(&path).ok().or_else(beside)
    };
    one == other || place(one).zip(place(other)).is_some_and(|(one, other)| one == other)
}

/// Writes `bytes` to `path` so that at every instant, and after a crash, the path holds the old file or the new one:
/// into a temporary file of the same folder, fsync, rename, fsync of the folder. What is not a regular file (a device, a
/// pipe) is written to as it is.
///
/// **Errors** name the path and the system's reason; the temporary file is removed, and the old one untouched, unless it was the
/// last step that failed, the fsync of the folder: then the new file is there and a power cut might bring back the old.
pub fn write_whole(path: &Path, bytes: &[u8], existing: Existing) -> Result<()> {
    check_writable(path, existing)?;
    let mut file = Whole::begin(path, existing)?;
    file.write_all(bytes).map_err(|source| Error::io(&file.path, source))?;
    file.finish()
}

/// A file that is being written, piece by piece, and appears under its name when it is [finished](Self::finish), as
/// [`write_whole`] has it; dropped before, it never does.
///
/// ```
/// use deltarule::file::{Existing, Whole};
/// use std::io::Write;
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("numbers");
/// let mut file = Whole::begin(&path, Existing::Keep)?;
/// (1..=3).try_for_each(|number| writeln!(file, "{number}"))?;
/// assert!(!path.exists());
/// file.finish()?;
/// assert_eq!(std::fs::read(&path)?, b"1\n2\n3\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Whole {
    file: File,
    /// Where it will stand.
    path: PathBuf,
    /// Where it is until then; nowhere else where the path is a device or a pipe, which is written to as it is.
    temporary: Option<PathBuf>,
    existing: Existing,
}

impl Whole {
    /// Begins a file beside `path`.
    ///
    /// **Errors** name the path and the system's reason.
    pub fn begin(path: &Path, existing: Existing) -> Result<Self> {
        let path = through_links(path);
        let begun = (|| {
            let old = fs::metadata(&path).ok();
            if old.as_ref().is_some_and(|found| !found.is_file()) {
                return Ok((File::options().write(true).open(&path)?, None));
            }
            let (file, temporary) = temporary_beside(&path)?;
            // Before the content, which may be nobody else's business.
            if let Some(old) = &old
                && let Err(error) = file.set_permissions(old.permissions())
            {
                let _ = fs::remove_file(&temporary);
                return Err(error);
            }
            Ok((file, Some(temporary)))
        })();
        match begun {
            Ok((file, temporary)) => Ok(Self { file, path, temporary, existing }),
            Err(source) => Err(Error::io(&path, source)),
        }
    }

    /// Puts it in its place.
    ///
    /// **Errors** name the path and the system's reason; the old file is untouched and the temporary one removed.
    pub fn finish(mut self) -> Result<()> {
        let Some(temporary) = &self.temporary else { return Ok(()) };
        let path = &self.path;
        let placed = (|| {
            self.file.sync_all()?;
            match self.existing {
                Existing::Replace => fs::rename(temporary, path)?,
                // A link refuses a name that was taken meanwhile, which a rename would silently replace.
                Existing::Keep => match fs::hard_link(temporary, path) {
                    Err(e) if e.kind() != io::ErrorKind::AlreadyExists => fs::rename(temporary, path)?,
                    linked => linked.and_then(|()| fs::remove_file(temporary))?,
                },
            }
            sync_folder(folder_of(path))
        })();
        match placed {
            Ok(()) => {
                self.temporary = None;
                Ok(())
            }
            Err(source) => Err(Error::io(path, source)),
        }
    }
}

impl Write for Whole {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        // What went wrong was said by whoever gave up.
        if let Some(temporary) = &self.temporary {
            let _ = fs::remove_file(temporary);
        }
    }
}

/// Reads a regular file of at most `limit` bytes.
///
/// **Errors** name the path: missing, unreadable, not a regular file, or too large.
pub fn read_whole(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let fail = |source| Error::io(path, source);
    let invalid = |reason: String| Error::io(path, io::Error::new(io::ErrorKind::InvalidInput, reason));
    let found = fs::metadata(path).map_err(fail)?;
    if !found.is_file() {
        return Err(invalid("expected a regular file".into()));
    }
    if found.len() > limit {
        return Err(invalid(format!("holds {} bytes, expected at most {limit}", found.len())));
    }
    fs::read(path).map_err(fail)
}

/// The file that a symbolic link points to, also where there is none yet: it is written, and the link stays.
fn through_links(path: &Path) -> PathBuf {
    let mut path = path.to_path_buf();
    // As many links as Linux follows.
    for _ in 0..40 {
        match fs::read_link(&path) {
            Ok(target) => path = folder_of(&path).join(target),
            Err(_) => break,
        }
    }
    path
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// How many names of temporary files are tried. Each writer holds one; those of processes that were killed are removed before,
/// but where files cannot be locked they stay, and in a container a process may always have the same number.
const NAMES: u32 = 1000;
/// What the name of a temporary file begins and ends with; short, so that it can be had beside any name.
const TEMPORARY: (&str, &str) = (".deltarule-", ".tmp");

/// A new file in the same folder, of a name that nobody uses, locked for as long as it is open.
fn temporary_beside(path: &Path) -> io::Result<(File, PathBuf)> {
    let folder = folder_of(path);
    remove_dead_once(folder);
    let (begins, ends) = TEMPORARY;
    let mut taken = io::Error::from(io::ErrorKind::AlreadyExists);
    for number in 0..NAMES {
        let temporary = folder.join(format!("{begins}{}-{number}{ends}", std::process::id()));
        match File::options().write(true).create_new(true).open(&temporary) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => taken = e,
            Err(e) => return Err(e),
            // Before it was locked, another process may have taken it for a dead one's, and still hold it or have removed it.
            Ok(file) => match file.try_lock() {
                Err(TryLockError::WouldBlock) => {}
                // A file system without locks: nobody can lock it there, so nobody removes it.
                Err(TryLockError::Error(_)) => return Ok((file, temporary)),
                Ok(()) if is_at(&file, &temporary) => return Ok((file, temporary)),
                Ok(()) => {}
            },
        }
    }
    Err(taken)
}

/// Removes what processes that were killed have left in a folder, before this process first writes to it.
fn remove_dead_once(folder: &Path) {
    static CLEARED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    let Ok(whole) = fs::canonicalize(folder) else { return };
    // Whoever panicked with the lock left a set that is whole.
    let is_new = CLEARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(whole);
    if is_new {
        remove_dead(folder);
    }
}

/// Removes temporary files that nobody holds. What cannot be read, locked or removed stays: it is no reason not to write.
fn remove_dead(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        // A pipe of such a name would keep whoever opens it waiting.
        if !is_file || !entry.file_name().to_str().is_some_and(is_temporary) {
            continue;
        }
        let path = entry.path();
        if let Ok(file) = File::options().write(true).open(&path)
            && file.try_lock().is_ok()
            && is_at(&file, &path)
        {
            let _ = fs::remove_file(&path);
        }
    }
}

/// Whether [`temporary_beside`] gives such names.
fn is_temporary(name: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    name.strip_prefix(TEMPORARY.0)
        .and_then(|rest| rest.strip_suffix(TEMPORARY.1))
        .and_then(|numbers| numbers.split_once('-'))
        .is_some_and(|(process, number)| is_number(process) && is_number(number))
}

/// Whether the open file still has that name.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |found: fs::Metadata| (found.dev(), found.ino());
    let named = fs::symlink_metadata(path).map(place);
    file.metadata().map(place).ok().zip(named.ok()).is_some_and(|(open, named)| open == named)
}

/// Whether the open file still has that name, as far as can be told.
#[cfg(not(unix))]
fn is_at(_file: &File, path: &Path) -> bool {
    path.exists()
}

/// Makes a rename in `folder` last through a power cut, where the system can.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn dead_temporaries_go_and_living_ones_stay() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in [".deltarule-1-0.tmp", ".deltarule-99999999-12.tmp", ".deltarule-x-0.tmp", ".deltarule-1-.tmp", "a"]
        {
            fs::write(at(name), "left").unwrap();
        }
        let living = File::create(at(".deltarule-2-0.tmp")).unwrap();
        living.try_lock().unwrap();
        write_whole(&at("b"), b"new", Existing::Keep).unwrap();
        let kept = [".deltarule-1-.tmp", ".deltarule-2-0.tmp", ".deltarule-x-0.tmp", "a", "b"];
        assert_eq!(names(folder.path()), kept);
        drop(living);
        remove_dead(folder.path());
        assert!(!names(folder.path()).contains(&".deltarule-2-0.tmp".into()));
    }

    #[test]
    fn writers_and_sweepers_do_not_harm_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = &|writer: usize| folder.path().join(format!("file {writer}"));
        std::thread::scope(|scope| {
            for writer in 0..3 {
                scope.spawn(move || {
                    for round in 0..200_u32 {
                        write_whole(&path(writer), &round.to_le_bytes(), Existing::Replace).unwrap();
                        assert_eq!(fs::read(path(writer)).unwrap(), round.to_le_bytes());
                    }
                });
            }
            scope.spawn(|| (0..2000).for_each(|_| remove_dead(folder.path())));
        });
        assert_eq!(names(folder.path()), ["file 0", "file 1", "file 2"]);
    }
}
