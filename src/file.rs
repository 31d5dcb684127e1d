//! Files that appear whole or not at all.
//!
//! Ground of the house: imports `error`.

use crate::error::{Error, Result};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

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
    let (_, trial) = temporary_beside(&place).map_err(|source| Error::io(path, source))?;
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
/// **Errors** name the path and the system's reason; the old file is untouched and the temporary one removed.
pub fn write_whole(path: &Path, bytes: &[u8], existing: Existing) -> Result<()> {
    check_writable(path, existing)?;
    let path = through_links(path);
    let fail = |source| Error::io(&path, source);
    let old = fs::metadata(&path).ok();
    if old.as_ref().is_some_and(|found| !found.is_file()) {
        return File::options().write(true).open(&path).and_then(|mut f| f.write_all(bytes)).map_err(fail);
    }
    let (mut file, temporary) = temporary_beside(&path).map_err(fail)?;
    let written = (|| {
        // Before the content, which may be nobody else's business.
        if let Some(old) = &old {
            file.set_permissions(old.permissions())?;
        }
        file.write_all(bytes)?;
        file.sync_all()?;
        match existing {
            Existing::Replace => fs::rename(&temporary, &path)?,
            // A link refuses a name that was taken meanwhile, which a rename would silently replace.
            Existing::Keep => match fs::hard_link(&temporary, &path) {
                Err(e) if e.kind() != io::ErrorKind::AlreadyExists => fs::rename(&temporary, &path)?,
                linked => linked.and_then(|()| fs::remove_file(&temporary))?,
            },
        }
        sync_folder(folder_of(&path))
    })();
    written.map_err(|source| {
        // The first error is the one to report, whether or not the clean-up works.
        let _ = fs::remove_file(&temporary);
        fail(source)
    })
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

/// How many names of temporary files are tried: as many may be left of processes of the same number that were killed,
/// which in a container is always the same.
const NAMES: u32 = 1000;

/// A new file in the same folder, of a name that nobody uses; short, so that it can be had beside any name.
fn temporary_beside(path: &Path) -> io::Result<(File, PathBuf)> {
    let mut taken = io::Error::from(io::ErrorKind::AlreadyExists);
    for number in 0..NAMES {
        let temporary = folder_of(path).join(format!(".deltarule-{}-{number}.tmp", std::process::id()));
        match File::options().write(true).create_new(true).open(&temporary) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => taken = e,
            opened => return opened.map(|file| (file, temporary)),
        }
    }
    Err(taken)
}

/// Makes a rename in `folder` last through a power cut, where the system can.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
