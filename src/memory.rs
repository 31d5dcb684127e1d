//! How much memory can be had, asked before it is taken.
//!
//! A system that promises more memory than it has kills the process which uses the promise: no allocation fails, so
//! none can be reported. Whoever lets a user or a file choose a size asks here first.
//! Ground of the house: imports `scalar` and `error`. Begin reading at [`require`].

use crate::error::{Error, Result};
use crate::scalar::Scalar;
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

/// `length` zeros, or the error that says how many bytes could not be had; `what` needs them.
pub(crate) fn zeros<T: Scalar>(length: usize, what: &str) -> Result<Vec<T>> {
    let refuse = || Error::Memory { what: what.to_string(), bytes: length.saturating_mul(size_of::<T>()) };
    let mut buffer = Vec::new();
    buffer.try_reserve_exact(length).map_err(|_| refuse())?;
    buffer.resize(length, T::ZERO);
    Ok(buffer)
}

/// Refuses `bytes` of address space that this process's own limits (`ulimit -v`, `ulimit -d`) do not leave; how much memory
/// the system has is not asked: `what` will not use all that it reserves.
///
/// **Errors**: [`Error::Memory`] with both figures.
pub fn require_address_space(what: &str, bytes: u128) -> Result<()> {
    match limited() {
        Some(free) if bytes > u128::from(free) => {
            let what = format!("{what}, where the process's limit leaves {free} bytes of address space,");
            Err(Error::Memory { what, bytes: usize::try_from(bytes).unwrap_or(usize::MAX) })
        }
        _ => Ok(()),
    }
}

/// The bytes that this process can still have: the system's free and reclaimable memory and swap, and no more than its
/// control groups and its own limits (`ulimit -v`, `ulimit -d`) allow; `None` where the system does not say (any but Linux).
pub fn available() -> Option<u64> {
    let free = fs::read_to_string("/proc/meminfo").ok().and_then(|text| free_in(&text));
    let limits = fs::read_to_string("/proc/self/cgroup").map(|text| limit_files(&text)).unwrap_or_default();
    // A group without a limit says "max", or the largest number there is.
    let limits = limits.iter().filter_map(|path| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok());
    free.into_iter().chain(limits).chain(limited()).min()
}

/// What is kept back of a limit, and for each thread: stacks, packed panels of products (2.6 MB), results, and all else that is
/// too small to be asked for. Where the allocator fails there, the process dies. Without a reserve, 1 of 200 limits between 6 and
/// 600 MB ended a training of two layers of 2,000 units so; with it 1 of 2,467 did, over seven trainings: where the eight threads
/// of one had just taken all there was for their own heaps.
const RESERVE: u64 = 8 << 20;
const RESERVE_OF_A_THREAD: u64 = 4 << 20;

/// What the limits of this process leave, if it has any.
fn limited() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    // Without a limit, which is the rule, the other file is not read.
    if LIMITS.iter().all(|(limit, _)| limit_in(&limits, limit).is_none()) {
        return None;
    }
    left_in(&limits, &fs::read_to_string("/proc/self/status").ok()?)
}

/// Each limit of memory, and what counts towards it: address space; and of that, what can be written and is not shared.
const LIMITS: [(&str, &str); 2] = [("Max address space", "VmSize:"), ("Max data size", "VmData:")];

/// The soft limit of this name in the text of `/proc/self/limits`; none if it is `unlimited`.
fn limit_in(limits: &str, name: &str) -> Option<u64> {
    limits.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

/// What the texts of `/proc/self/limits` and `/proc/self/status` leave.
fn left_in(limits: &str, status: &str) -> Option<u64> {
    let used = |name: &str| status.lines().find_map(|line| kibibytes(line.strip_prefix(name)?));
    let threads = status.lines().find_map(|line| line.strip_prefix("Threads:")?.trim().parse().ok()).unwrap_or(1);
    let reserve = RESERVE.saturating_add(RESERVE_OF_A_THREAD.saturating_mul(threads));
    let free = |limit, use_| Some(limit_in(limits, limit)?.saturating_sub(used(use_)?).saturating_sub(reserve));
    LIMITS.iter().filter_map(|&(limit, use_)| free(limit, use_)).min()
}

/// The bytes of a figure such as `   40 kB`.
fn kibibytes(text: &str) -> Option<u64> {
    text.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Free memory and swap in the text of `/proc/meminfo`.
fn free_in(meminfo: &str) -> Option<u64> {
    let figure = |name: &str| meminfo.lines().find_map(|line| kibibytes(line.strip_prefix(name)?));
    Some(figure("MemAvailable:")? + figure("SwapFree:").unwrap_or(0))
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
    fn the_tighter_of_the_process_limits_counts() {
        let limits = |space: &str, data: &str| {
            format!(
                "Limit                     Soft Limit           Hard Limit           Units     \n\
                 Max data size             {data}            unlimited            bytes     \n\
                 Max address space         {space}            unlimited            bytes     \n"
            )
        };
        let status = "VmPeak:\t  9 kB\nVmSize:\t  3 kB\nVmData:\t  1 kB\nThreads:\t2\n";
        let reserve = RESERVE + 2 * RESERVE_OF_A_THREAD;
        let left = |space: u64, data: u64| {
            let text = |limit| if limit == 0 { "unlimited".to_string() } else { u64::to_string(&(limit + reserve)) };
            left_in(&limits(&text(space), &text(data)), status)
        };
        assert_eq!(left(0, 0), None);
        assert_eq!(left(4096, 0), Some(1024));
        assert_eq!(left(0, 4096), Some(3072));
        assert_eq!(left(8192, 1500), Some(476));
        assert_eq!(left(1024, 0), Some(0), "set lower than what is used");
        assert_eq!(left_in(&limits("4096", "4096"), "nothing"), None);
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
