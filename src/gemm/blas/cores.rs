//! The kernels that OpenBLAS has for each CPU ("cores"), and which of them this machine should use.
//!
//! Row 2 of the house: imports its parent and `error`.
//!
//! OpenBLAS takes a CPU that is newer than itself for an old one: Debian 12's 0.3.21 runs `Prescott`, SSE3 kernels, on a
//! Sapphire Rapids, at a fifth of the speed (OpenBLAS issue 4267). The environment variable `OPENBLAS_CORETYPE` overrules it,
//! read once, when the library is loaded.

use super::About;
use crate::error::{Error, Result};

/// The environment variable in which OpenBLAS is told its core.
pub(super) const VARIABLE: &str = "OPENBLAS_CORETYPE";

/// Which kernels a loaded OpenBLAS uses.
///
/// Any but [`Detected`](Self::Detected) sets `OPENBLAS_CORETYPE` in this process's environment, where it stays, also for the
/// programs that this one starts. An environment must not change while another thread may read it, so they are refused where
/// the process is not known to have a single thread: load the library first of all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Core {
    /// Those that it chooses.
    #[default]
    Detected,
    /// Those for this CPU's instructions that every OpenBLAS of this decade has (`SkylakeX` with AVX-512, `Haswell` with AVX2); what
    /// `OPENBLAS_CORETYPE` names already, if it is set; the library's choice on other CPUs, and of a library that is no OpenBLAS.
    Best,
    /// Those of this name. Refused if this CPU cannot run them, or the library does not have them.
    Named(String),
}

impl Core {
    /// Reads `auto` as [`Best`](Self::Best), and anything else as a name.
    ///
    /// **Errors** if it can be no core's name.
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "auto" => Ok(Self::Best),
            name => check_name(name).map(|()| Self::Named(name.into())),
        }
    }

    /// What `OPENBLAS_CORETYPE` must be set to before OpenBLAS is loaded.
    ///
    /// **Errors** if it can be no core's name, or this CPU could not run it.
    pub(super) fn to_set(&self) -> Result<Option<&str>> {
        match self {
            Self::Detected => Ok(None),
            Self::Best if std::env::var_os(VARIABLE).is_some_and(|set| !set.is_empty()) => Ok(None),
            Self::Best => Ok(best()),
            Self::Named(name) => {
                check_name(name)?;
                check_runs(name, best())?;
                Ok(Some(name))
            }
        }
    }

    /// Refuses a library that does not have the core that was asked for by name.
    pub(super) fn check_chosen(&self, about: &About) -> Result<()> {
        let Self::Named(name) = self else { return Ok(()) };
        match &about.core {
            Some(core) if core.eq_ignore_ascii_case(name) => Ok(()),
            Some(core) => Err(Error::setting(
                "BLAS core",
                format!("one that '{}' has and had not passed over before", about.name),
                format!("'{name}', and it uses '{core}'"),
            )),
            None => Err(Error::setting("BLAS core", "a library with cores to choose from (OpenBLAS)", &about.name)),
        }
    }
}

/// Refuses what would not be one word in an environment.
fn check_name(name: &str) -> Result<()> {
    match name {
        _ if !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') => Ok(()),
        _ => Err(Error::setting("BLAS core", "auto, or a name such as Haswell", format!("'{name}'"))),
    }
}

/// OpenBLAS's kernels for 512-bit vectors, and for 256-bit ones.
const AVX512_CORES: [&str; 3] = ["SkylakeX", "Cooperlake", "SapphireRapids"];
const AVX2_CORES: [&str; 3] = ["Haswell", "Zen", "Excavator"];

/// The kernels for this CPU's vectors.
fn best() -> Option<&'static str> {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
    {
        return Some(AVX512_CORES[0]);
    } else if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        return Some(AVX2_CORES[0]);
    }
    None
}

/// Refuses a core with longer vectors than those of `best`: OpenBLAS takes it at its word, and the process dies of an
/// instruction that is none.
fn check_runs(name: &str, best: Option<&str>) -> Result<()> {
    let names = |list: &[&str], name: &str| list.iter().any(|core| core.eq_ignore_ascii_case(name));
    let width = |name: &str| match name {
        _ if names(&AVX512_CORES, name) => 512,
        _ if names(&AVX2_CORES, name) => 256,
        _ => 128,
    };
    let has = best.map_or(128, width);
    match width(name) {
        needs if needs <= has => Ok(()),
        needs => {
            let expected = format!("one for vectors of at most {has} bits, which this CPU has");
            Err(Error::setting("BLAS core", expected, format!("'{name}', for {needs} bits")))
        }
    }
}

/// What to do if OpenBLAS did not know this CPU and fell back to old kernels, which can be five times slower.
pub(super) fn warning(core: &str) -> Option<String> {
    advice(core, best()?)
}

/// OpenBLAS's names for x86 kernels without AVX2: what it falls back to, and what it would rightly take on CPUs before 2013.
const OLD_CORES: [&str; 19] = [
    "Generic",
    "Katmai",
    "Coppermine",
    "Northwood",
    "Prescott",
    "Banias",
    "Core2",
    "Penryn",
    "Dunnington",
    "Nehalem",
    "Atom",
    "Athlon",
    "Opteron",
    "Opteron_SSE3",
    "Barcelona",
    "Bobcat",
    "Nano",
    "Sandybridge",
    "Bulldozer",
];

/// The warning for a CPU that could run the kernels named `better`.
fn advice(core: &str, better: &str) -> Option<String> {
    OLD_CORES.iter().any(|old| old.eq_ignore_ascii_case(core)).then(|| {
        format!(
            "OpenBLAS does not know this CPU and fell back to its old '{core}' kernels, which can be five times slower: set the \
             environment variable OPENBLAS_CORETYPE={better} before the program starts, install a newer OpenBLAS, or choose the \
             embedded GEMM"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_core_on_a_new_cpu_is_warned_of_and_a_new_one_is_not() {
        let warning = advice("Prescott", "SkylakeX").expect("Prescott knows no AVX2");
        assert!(warning.contains("OPENBLAS_CORETYPE=SkylakeX"), "{warning}");
        for core in ["SkylakeX", "Haswell", "Zen", "Cooperlake", "Sapphirerapids"] {
            assert_eq!(advice(core, "SkylakeX"), None);
        }
    }

    #[test]
    fn a_core_that_the_cpu_cannot_run_is_refused() {
        for (name, best, runs) in [
            ("SkylakeX", Some("SkylakeX"), true),
            ("sapphirerapids", Some("SkylakeX"), true),
            ("Prescott", Some("SkylakeX"), true),
            ("Zen", Some("Haswell"), true),
            ("cooperlake", Some("Haswell"), false),
            ("Haswell", None, false),
            ("NEOVERSEN1", None, true),
        ] {
            assert_eq!(check_runs(name, best).is_ok(), runs, "{name} where the best is {best:?}");
        }
        let refusal = check_runs("SkylakeX", Some("Haswell")).unwrap_err().to_string();
        assert!(refusal.contains("at most 256 bits") && refusal.contains("'SkylakeX', for 512 bits"), "{refusal}");
    }

    #[test]
    fn a_name_is_one_word() {
        assert_eq!(Core::parse("auto").unwrap(), Core::Best);
        assert_eq!(Core::parse("Haswell").unwrap(), Core::Named("Haswell".into()));
        for bad in ["", "Has well", "a=b", "é", "a\0b"] {
            assert!(Core::parse(bad).unwrap_err().to_string().contains("BLAS core"), "{bad:?}");
            assert!(Core::Named(bad.into()).to_set().is_err(), "{bad:?}");
        }
        assert_eq!(Core::Detected.to_set().unwrap(), None);
    }
}
