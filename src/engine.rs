//! Which instructions and which GEMM a computation uses: a small value, chosen once and passed down.
//!
//! Row 2 of the house: imports `gemm::blas`, `simd` and `error`.

use crate::error::{Error, Result};
use crate::gemm::blas::{Core, Library};
use crate::simd::Isa;
use std::fmt;

/// The library that multiplies matrices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Backend {
    /// The kernels built in: nothing to install.
    #[default]
    Embedded,
    /// A linked CBLAS (cargo feature `blas` or `openblas`); without it [`Engine::new`] refuses this.
    Blas,
    /// A CBLAS loaded at run time.
    Loaded(Library),
}

impl Backend {
    /// Reads a backend's name: `embedded`, `blas`, or what [`Library::load`] takes, which is then loaded.
    ///
    /// **Errors** if it is neither and no library that can be loaded.
    pub fn parse(name: &str) -> Result<Self> {
        Self::parse_with_core(name, &Core::Detected)
    }

    /// As [`parse`](Self::parse), with the kernels that a library to be loaded is to use.
    ///
    /// **Errors** as there, and those of [`Core`]; also if a core is asked for and no library is named: the embedded GEMM has
    /// none, and the linked library chose its own when the program started.
    pub fn parse_with_core(name: &str, core: &Core) -> Result<Self> {
        if ["embedded", "blas"].contains(&name) && *core != Core::Detected {
            return Err(Error::setting(
                "BLAS core",
                "a BLAS library that is loaded by name or path",
                format!("'{name}'"),
            ));
        }
        match name {
            "embedded" => Ok(Self::Embedded),
            "blas" => Ok(Self::Blas),
            name => Library::load(name, core).map(Self::Loaded).map_err(|error| match error {
                Error::Setting { name, expected, found } if name == "BLAS library" => {
                    Error::setting("gemm", format!("embedded or blas, or a BLAS library: {expected}"), found)
                }
                other => other,
            }),
        }
    }

    /// The name that [`parse`](Self::parse) reads.
    pub fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Blas => "blas",
            Self::Loaded(library) => &library.about().name,
        }
    }

    /// Whether this build holds the backend.
    pub fn available(self) -> bool {
        match self {
            Self::Embedded | Self::Loaded(_) => true,
            Self::Blas => cfg!(feature = "blas"),
        }
    }

    /// The library that multiplies, if it is not we.
    pub fn blas(self) -> Option<Library> {
        match self {
            Self::Embedded => None,
            Self::Blas => Library::linked(),
            Self::Loaded(library) => Some(library),
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The instruction set of our kernels and the GEMM backend: an engine that exists can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Engine {
    pub(crate) isa: Isa,
    pub(crate) backend: Backend,
}

impl Engine {
    /// An engine of these two; a BLAS library is [tested](Library::self_test) when it is first taken.
    ///
    /// **Errors** if this machine lacks the instruction set or this build the backend; [`Error::Check`] if the library computes
    /// wrongly.
    pub fn new(isa: Isa, backend: Backend) -> Result<Self> {
        if !isa.is_available() {
            return Err(Error::setting("isa", "an instruction set that this machine has", format!("{isa:?}")));
        }
        if !backend.available() {
            return Err(Error::Unsupported(format!(
                "gemm: '{backend}' is not in this build: build with the cargo feature 'openblas' (the system's OpenBLAS) or \
                 'blas' (a CBLAS that your binary links), name a BLAS library to be loaded, or choose 'embedded'"
            )));
        }
        if let Some(library) = backend.blas() {
            library.self_test()?;
        }
        Ok(Self { isa, backend })
    }

    /// The instruction set of our own kernels, the embedded GEMM's included.
    pub fn isa(self) -> Isa {
        self.isa
    }

    /// Who multiplies large matrices.
    pub fn backend(self) -> Backend {
        self.backend
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self { isa: Isa::current(), backend: Backend::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backends_name_reads_back_and_another_is_refused() {
        for backend in [Backend::Embedded, Backend::Blas] {
            assert_eq!(Backend::parse(backend.name()).unwrap(), backend);
            assert_eq!(format!("{backend:>10}").trim_start(), backend.name());
        }
        let message = Backend::parse("cuda").unwrap_err().to_string();
        assert!(message.starts_with("gemm: expected embedded or blas, or a BLAS library: openblas, "), "{message}");
        assert!(message.contains(", found 'cuda' ("), "{message}");
        let refusal = Backend::parse_with_core("embedded", &Core::Best).unwrap_err().to_string();
        assert_eq!(refusal, "BLAS core: expected a BLAS library that is loaded by name or path, found 'embedded'");
    }

    #[test]
    fn an_engine_that_cannot_run_is_refused_in_words() {
        let absent = if cfg!(target_arch = "aarch64") { Isa::Avx2 } else { Isa::Neon };
        assert!(Engine::new(absent, Backend::Embedded).unwrap_err().to_string().contains("isa"));
        let blas = Engine::new(Isa::Portable, Backend::Blas);
        assert_eq!(blas.is_ok(), cfg!(feature = "blas"));
        if let Err(refusal) = blas {
            assert!(refusal.to_string().contains("'openblas'"), "{refusal}");
        }
    }
}
