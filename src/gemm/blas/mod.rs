//! Other people's GEMM through CBLAS, linked or loaded at run time, on one thread: we parallelise ourselves, and BLAS threads
//! under ours cost up to 1.9 times.
//!
//! Row 2 of the house, to the right of `engine`: imports the ground alone. Begin with [`Library`].
//! `call` knows `cblas_?gemm`, `linked` and `loaded` where it comes from, `cores` the kernels that OpenBLAS may choose, and
//! `selftest` whether it computes. All `unsafe` stands in the first three.
//!
//! With the cargo feature `blas` alone the linked provider is the caller's, named through blas-src in his own binary; how many
//! threads it takes is then set by that provider's own means. With `openblas` it is the system's OpenBLAS, which we set to
//! one thread. Neither is needed to load a library.

#[allow(unsafe_code, reason = "calls C")]
pub(super) mod call;
mod cores;
#[cfg(feature = "blas")]
#[allow(unsafe_code, reason = "declares and calls C")]
mod linked;
#[allow(unsafe_code, reason = "loads libraries and calls C")]
mod loaded;
mod selftest;

pub use cores::Core;

use crate::error::{Error, Result};
use crate::memory;
use call::{Cblas, Functions, Product};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// A CBLAS with 32-bit sizes that this process holds until it ends: a number, cheap to copy and compare.
///
/// ```
/// use deltarule::engine::{Backend, Engine};
/// use deltarule::gemm::blas::{Core, Library};
/// use deltarule::simd::Isa;
///
/// // Nothing needs to be installed to build this; whether the library is there shows here.
/// if let Ok(library) = Library::load("openblas", &Core::Detected) {
///     println!("{:?}", library.about());
///     let engine = Engine::new(Isa::best(), Backend::Loaded(library))?;
///     assert_eq!(engine.backend().blas(), Some(library));
/// }
/// # Ok::<(), deltarule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Library(u8);

/// What is known of a library.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct About {
    /// The name or path by which it was first asked for; `blas` for the linked one.
    pub name: String,
    /// What it says of itself, for example `OpenBLAS 0.3.21`.
    pub version: Option<String>,
    /// The kernels that it chose for this CPU, for example `SkylakeX`; only OpenBLAS and BLIS say.
    pub core: Option<String>,
    /// What stands before the names of its functions: nothing, or `scipy_`.
    pub prefix: &'static str,
    /// How many threads it takes for a product: 1 where it lets itself be told; nothing where it does not say.
    pub threads: Option<usize>,
    /// What makes it slow, and what to do.
    pub warnings: Vec<String>,
}

/// A self-test that was passed.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SelfTest {
    /// How many products were compared with a plain loop.
    pub products: usize,
    /// How long that took.
    pub duration: Duration,
}

/// A library as it is kept.
#[derive(Debug)]
struct Entry {
    about: About,
    functions: Functions,
    /// What its self-test said, once it was asked for.
    tested: OnceLock<std::result::Result<SelfTest, String>>,
}

/// The most libraries of a process, the linked one included: more than there are BLAS to compare.
const MOST: usize = 64;

/// The linked library, then the loaded ones; what stands here is never unloaded, so a [`Library`] is valid for ever.
static LIBRARIES: [OnceLock<Entry>; MOST] = [const { OnceLock::new() }; MOST];

impl Library {
    /// The library that this build is linked with; nothing without the cargo features `blas` and `openblas`.
    pub fn linked() -> Option<Self> {
        #[cfg(feature = "blas")]
        {
            LIBRARIES[0].get_or_init(|| {
                let (about, functions) = linked::library();
                Entry { about, functions, tested: OnceLock::new() }
            });
            Some(Self(0))
        }
        #[cfg(not(feature = "blas"))]
        {
            None
        }
    }

    /// Loads a library, sets it to one thread, and keeps it until the process ends; one that is loaded already is given back.
    ///
    /// `name` is a path (anything with a separator), a file name that the system searches for, or `openblas`, `mkl`, `blis` or
    /// `accelerate`: the file names under which those are usually installed. The names of its functions may begin with
    /// `scipy_`, as those of the wheels scipy-openblas32 do.
    ///
    /// What it holds is called, so it must be a BLAS and come from where you would install programs from.
    ///
    /// **Errors**: a path that cannot be read; what is no library, or holds no `cblas_sgemm` and `cblas_dgemm`; one whose
    /// integers have 64 bits; a `core` that cannot be had ([`Core`] says when); an address space so limited that OpenBLAS
    /// would hang in it.
    pub fn load(name: &str, core: &Core) -> Result<Self> {
        // One at a time: two threads must not load the same library into two places.
        static LOADING: Mutex<()> = Mutex::new(());
        let _guard: MutexGuard<'_, ()> = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
        let known = |same: &dyn Fn(&Entry) -> bool| {
            (1..MOST).find(|&at| LIBRARIES[at].get().is_some_and(same)).map(|at| Self(at as u8))
        };
        if let Some(library) = known(&|entry| entry.about.name == name) {
            return library.with_core(core);
        }
        let free = (1..MOST).find(|&at| LIBRARIES[at].get().is_none()).ok_or_else(|| {
            Error::Unsupported(format!(
                "'{name}' would be library number {MOST} of this process, which holds {}",
                MOST - 1
            ))
        })?;
        let (about, functions) = loaded::open(name, core)?;
        // The same library by another path.
        if let Some(library) = known(&|entry| entry.functions == functions) {
            return library.with_core(core);
        }
        LIBRARIES[free].get_or_init(|| Entry { about, functions, tested: OnceLock::new() });
        Self(free as u8).with_core(core)
    }

    /// What is known of it.
    pub fn about(self) -> &'static About {
        &self.entry().about
    }

    /// Compares products of both types with a plain loop, at the first call; gives the same answer at every other.
    ///
    /// It stops short of `tests/gemm.rs`, and takes at most 20 ms. It holds the shapes in which releases of OpenBLAS were wrong: no
    /// terms at all, 625 x 5 x 625, single rows and columns; every transpose, padded rows, and a C full of NaN where `beta` is 0.
    ///
    /// **Errors**: [`Error::Check`] with shape, element, expected and found of the first product that is wrong, and
    /// [`Error::Memory`] where the test itself does not fit.
    pub fn self_test(self) -> Result<SelfTest> {
        let Entry { about, functions, tested } = self.entry();
        if tested.get().is_none() {
            memory::require("the self-test of a BLAS", selftest::BYTES)?;
        }
        let outcome = tested.get_or_init(|| {
            let begun = Instant::now();
            let products = selftest::run(functions)?;
            Ok(SelfTest { products, duration: begun.elapsed() })
        });
        outcome.clone().map_err(|fault| {
            Error::Check(format!(
                "the BLAS '{}'{} computes wrongly: {fault}; install another version, or choose the embedded GEMM",
                about.name,
                about.core.as_ref().map(|core| format!(" (core {core})")).unwrap_or_default()
            ))
        })
    }

    /// `C <- alpha A B + beta C`.
    pub(super) fn multiply<T: Cblas>(self, product: Product<'_, T>, c: &mut [T], c_rows_apart: usize) {
        call::multiply(&self.entry().functions, product, c, c_rows_apart);
    }

    /// The library, if it has the core that was asked for.
    fn with_core(self, core: &Core) -> Result<Self> {
        core.check_chosen(self.about()).map(|()| self)
    }

    fn entry(self) -> &'static Entry {
        LIBRARIES[usize::from(self.0)].get().expect("a Library is made where its entry is")
    }
}

/// OpenBLAS's name and version, out of what it says of its configuration.
fn openblas_version(config: &str) -> String {
    config.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}
