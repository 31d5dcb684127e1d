//! How much memory can be had, asked before it is taken.
//!
//! A system that promises more memory than it has kills the process which uses the promise: no allocation fails, so
//! none can be reported. Whoever lets a user or a file choose a size asks here first.
//! Ground of the house: imports `error`. Begin reading at [`require`].

use crate::error::{Error, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// Refuses `bytes` that this process cannot have; `what` needs them.
///
/// Only what is certainly too much is refused: more than is [`available`]. Where that is not known, nothing is.
///
/// **Errors**: [`Error::Memory`] with both figures.
///
/// ```
/// use deltarule::memory::require;
///
/// assert!(require("a row", 1000).is_ok());
/// let refusal = require("a dream", u128::from(u64::MAX)).map_err(|e| e.to_string());
/// assert!(refusal.is_err_and(|text| text.contains("needs 18446744073709551615 bytes")));
/// ```
pub fn require(what: &str, bytes: u128) -> Result<()> {
    let refuse = |what: String| Err(Error::Memory { what, bytes: usize::try_from(bytes).unwrap_or(usize::MAX) });
    match available() {
        // No allocation is longer than this.
        None if bytes > isize::MAX as u128 => refuse(what.into()),
        Some(free) if bytes > u128::from(free) => refuse(format!("{what}, where {free} bytes are free,")),
        _ => Ok(()),
    }
}

/// The bytes that this process can still have: the system's free and reclaimable memory and swap, and no more than its
/// control groups allow; `None` where the system does not say (any but Linux).
pub fn available() -> Option<u64> {
    let free = fs::read_to_string("/proc/meminfo").ok().and_then(|text| free_in(&text));
    let limits = fs::read_to_string("/proc/self/cgroup").map(|text| limit_files(&text)).unwrap_or_default();
    // A group without a limit says "max", or the largest number there is.
    let limits = limits.iter().filter_map(|path| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok());
    free.into_iter().chain(limits).min()
}

/// Free memory and swap in the text of `/proc/meminfo`.
fn free_in(meminfo: &str) -> Option<u64> {
    let kibibytes = |name: &str| {
        let rest = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    };
    Some(1024 * (kibibytes("MemAvailable")? + kibibytes("SwapFree").unwrap_or(0)))
}

/// The files that may hold a limit, by the text of `/proc/self/cgroup`: of the groups, and of all groups around them.
///
/// Inside a container the groups' own paths are often not there; then only the last, that of the root, is found.
fn limit_files(groups: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (fields.next(), fields.next()) else { continue };
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        let around = Path::new(group.trim_start_matches('/')).ancestors();
        files.extend(around.map(|group| Path::new(root).join(group).join(file)));
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_memory_counts_swap_and_what_can_be_reclaimed() {
        let text = "MemTotal:       100 kB\nMemFree:   1 kB\nMemAvailable:    40 kB\nSwapFree:  2 kB\n";
        assert_eq!(free_in(text), Some(42 * 1024));
        assert_eq!(free_in("MemAvailable:    40 kB\n"), Some(40 * 1024));
        assert_eq!(free_in("MemFree: 40 kB\n"), None, "old kernels do not say");
    }

    #[test]
    fn limits_of_both_kinds_of_groups_are_looked_for() {
        let found = limit_files("9:name=systemd:/\n4:cpu,memory:/a/b\n0::/c\n");
        let expected = [
            "/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes",
            "/sys/fs/cgroup/memory/a/memory.limit_in_bytes",
            "/sys/fs/cgroup/memory/memory.limit_in_bytes",
            "/sys/fs/cgroup/c/memory.max",
            "/sys/fs/cgroup/memory.max",
        ];
        assert_eq!(found, expected.map(PathBuf::from));
    }

    #[test]
    fn what_cannot_be_had_is_refused() {
        assert!(require("a page", 4096).is_ok());
        assert!(matches!(require("all", u128::MAX), Err(Error::Memory { .. })));
        if cfg!(target_os = "linux") {
            let free = available().expect("Linux says");
            assert!(require("twice what is free", 2 * u128::from(free)).is_err());
        }
    }
}
