//! The levels of vector instructions: which there are, which this machine has, which is used.

use std::fmt;
use std::sync::OnceLock;

#[cfg(target_arch = "aarch64")]
use super::neon::Neon;
#[cfg(target_arch = "x86_64")]
use super::x86::{Avx2, Avx512};
use crate::error::{Error, Result};

/// The environment variable that forces a level.
pub const VARIABLE: &str = "DELTARULE_ISA";

/// A level of vector instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Isa {
    /// No vector instructions: the reference semantics.
    Portable,
    /// x86-64 with AVX2 and FMA.
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ and VL.
    Avx512,
    /// aarch64 with NEON.
    Neon,
}

impl Isa {
    /// Every level, the slowest first.
    const ALL: [Self; 4] = [Self::Portable, Self::Neon, Self::Avx2, Self::Avx512];

    /// The level in use: [`from_environment`](Self::from_environment), decided at the first call.
    ///
    /// A library has nobody to tell that the variable is wrong, so here a wrong one means [`best`](Self::best). A program asks
    /// [`from_environment`](Self::from_environment) once when it starts, and reports what that says.
    pub fn current() -> Self {
        static CURRENT: OnceLock<Isa> = OnceLock::new();
        *CURRENT.get_or_init(|| Self::from_environment().unwrap_or_else(|_| Self::best()))
    }

    /// The level that the variable `DELTARULE_ISA` names, or the best if it is unset or empty.
    ///
    /// **Errors** if it names no level, or one that this machine does not have.
    pub fn from_environment() -> Result<Self> {
        match std::env::var_os(VARIABLE) {
            Some(name) if !name.is_empty() => {
                let isa = Self::parse(&name.to_string_lossy())?;
                isa.require(VARIABLE)
            }
            _ => Ok(Self::best()),
        }
    }

    /// This level if the machine has it.
    ///
    /// **Errors** otherwise, in the name of `setting`, which asked for it.
    pub fn require(self, setting: &str) -> Result<Self> {
        if self.is_available() {
            return Ok(self);
        }
        let names: Vec<_> = Self::available().map(Self::name).collect();
        Err(Error::setting(setting, format!("a level that this machine has ({})", names.join(", ")), self))
    }

    /// The fastest level of this machine.
    pub fn best() -> Self {
        Self::available().last().unwrap_or(Self::Portable)
    }

    /// The levels of this machine, the slowest first.
    pub fn available() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|isa| isa.is_available())
    }

    /// Whether this machine has the level.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => Avx2::new().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => Avx512::new().is_some(),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => Neon::new().is_some(),
            // The levels of other processors.
            _ => false,
        }
    }

    /// Reads a level's name, whether or not this machine has it.
    ///
    /// **Errors** if no level has that name.
    pub fn parse(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|isa| isa.name() == name)
            .ok_or_else(|| Error::setting(VARIABLE, "portable, avx2, avx512 or neon", format!("'{name}'")))
    }

    /// How many numbers of type `T` a vector of this level has: [`Lanes::WIDTH`](super::Lanes::WIDTH), for those who prepare the work
    /// of kernels.
    pub fn lanes<T>(self) -> usize {
        match self {
            Self::Portable => super::portable::WIDTH,
            Self::Neon => 16 / size_of::<T>(),
            Self::Avx2 => 32 / size_of::<T>(),
            Self::Avx512 => 64 / size_of::<T>(),
        }
    }

    /// The level's name: `portable`, `avx2`, `avx512` or `neon`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Neon => "neon",
        }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Kernel, Lanes, Vectorized};

    struct Width;

    impl<T: Vectorized> Kernel<T> for Width {
        type Output = usize;
        #[inline(always)]
        fn run<L: Lanes<T>>(self, _: L) -> usize {
            L::WIDTH
        }
    }

    #[test]
    fn a_levels_lanes_are_its_vectors() {
        for isa in Isa::available() {
            assert_eq!(
                (isa.lanes::<f32>(), isa.lanes::<f64>()),
                (f32::dispatch(isa, Width), f64::dispatch(isa, Width))
            );
        }
    }
}
