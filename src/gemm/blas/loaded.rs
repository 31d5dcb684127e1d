//! A CBLAS loaded at run time, by path or name.
//!
//! Row 2 of the house: imports `call`, `cores`, its parent and the ground. Begin reading at [`open`].
//!
//! **What every unsafe block here relies on**: a file that a user names as a BLAS is one, as the file that a linker is given is. Its
//! initialisers run when it is loaded, and a function of a name that [OpenBLAS, MKL, BLIS, Accelerate] document has the type that
//! they document. It is never unloaded, for some start threads and none is made to end them.

use super::call::{Dot, Function, Functions, has_64_bit_sizes};
use super::cores::{self, Core, VARIABLE};
use super::{About, openblas_version};
use crate::error::{Error, Result};
use crate::memory;
use std::error::Error as _;
use std::ffi::{CStr, c_char, c_int};
use std::path::{Path, is_separator};
use std::{fs, io};

/// The names to be tried for a kind of library, the newest first: of Linux, macOS and Windows.
const KINDS: [(&str, &[&str]); 4] = [
    (
        "openblas",
        &["libopenblas.so.0", "libopenblas.so", "libopenblas.0.dylib", "libopenblas.dylib", "libopenblas.dll"],
    ),
    ("mkl", &["libmkl_rt.so.3", "libmkl_rt.so.2", "libmkl_rt.so", "libmkl_rt.2.dylib", "mkl_rt.3.dll", "mkl_rt.2.dll"]),
    ("blis", &["libblis.so.4", "libblis.so.3", "libblis.so", "libblis.4.dylib", "libblis.dylib"]),
    ("accelerate", &["/System/Library/Frameworks/Accelerate.framework/Accelerate"]),
];

/// What may stand before the names of functions.
const PREFIXES: [&str; 2] = ["", "scipy_"];

/// Where OpenBLAS's names end if its integers have 64 bits.
const LONG_SUFFIXES: [&str; 2] = ["64_", "_64"];

/// Loads the library `name`, with the kernels `core` if it is OpenBLAS, and sets it to one thread.
pub(super) fn open(name: &str, core: &Core) -> Result<(About, Functions)> {
    require_address_space()?;
    if name.contains(is_separator) {
        check_file(Path::new(name))?;
    }
    if let Some(core) = core.to_set()? {
        set_core(core)?;
    }
    let library = Symbols::of(name)?;
    let (prefix, functions) = library.functions(name)?;
    let mut about = About { name: name.into(), version: None, core: None, prefix, threads: None, warnings: Vec::new() };
    library.make_mkl_sequential(name)?;
    let config = library.text(&format!("{prefix}openblas_get_config"));
    if config.as_ref().is_some_and(|config| config.contains("USE64BITINT")) || has_64_bit_sizes(&functions) {
        return Err(long_integers(name));
    }
    about.threads = library.one_thread(prefix);
    about.core = library.text(&format!("{prefix}openblas_get_corename")).or_else(|| library.blis_core());
    about.version = match &config {
        Some(config) => Some(openblas_version(config)),
        None => library.mkl_version().or_else(|| library.text("bli_info_get_version_str").map(|v| format!("BLIS {v}"))),
    };
    if config.is_some() {
        about.warnings.extend(about.core.as_deref().and_then(cores::warning));
    }
    if config.is_none() && about.core.as_deref() == Some("generic") {
        about.warnings.push(
            "this BLIS does not know this CPU and uses its 'generic' kernels, which are many times slower: set the environment \
             variable BLIS_ARCH_TYPE before the program starts, or choose another library or the embedded GEMM"
                .into(),
        );
    }
    if config.is_some_and(|config| config.contains("USE_OPENMP")) {
        // It asks OpenMP for the number at each call, on whichever thread that is.
        about.threads = None;
        about.warnings.push(
            "this OpenBLAS takes as many threads as OpenMP gives it, beside ours: set the environment variable \
             OMP_NUM_THREADS=1 before the program starts, or install its build for pthreads"
                .into(),
        );
    }
    Ok((about, functions))
}

/// Refuses to begin where OpenBLAS, without the address space for its buffers, waits for ever (0.3.21) or ends the process
/// (0.3.34) instead of saying so.
fn require_address_space() -> Result<()> {
    /// Under `ulimit -v` on two cores, OpenBLAS 0.3.21 hangs at 300 MiB and works at 350; 0.3.34 works from 140 on, MKL 2026.2
    /// (which ends the process below) from 220, BLIS 0.9 from 40. For each core OpenBLAS keeps a buffer of 32 MiB and a stack.
    const NEEDED: u128 = 320 << 20;
    const FOR_EACH_CORE: u128 = 40 << 20;
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get()) as u128;
    memory::require_address_space("loading a BLAS", NEEDED + FOR_EACH_CORE * cores)
}

/// Says what is wrong with a file better than the system's loader does.
fn check_file(path: &Path) -> Result<()> {
    // The framework has no file since macOS 11: it comes from the system's cache.
    if path == Path::new(KINDS[3].1[0]) {
        return Ok(());
    }
    let wrong = |source| Error::io(path, source);
    match fs::metadata(path).map_err(wrong)?.is_dir() {
        true => Err(wrong(io::ErrorKind::IsADirectory.into())),
        false => fs::File::open(path).map(|_| ()).map_err(wrong),
    }
}

/// Tells OpenBLAS its core.
fn set_core(core: &str) -> Result<()> {
    let threads = threads_of_process();
    if !cfg!(windows) && threads != Some(1) {
        let found = threads.map_or("a system that does not tell how many there are".into(), |n| format!("{n}"));
        return Err(Error::setting(
            "BLAS core",
            format!(
                "to be chosen while the process has 1 thread (or set the environment variable {VARIABLE}={core} before it \
                 starts)"
            ),
            found,
        ));
    }
    // SAFETY: Windows allows it at any time; elsewhere this is the process's only thread, so that none reads the environment
    // now. This is the one place in the library that changes it.
    unsafe { std::env::set_var(VARIABLE, core) }
    Ok(())
}

/// How many threads this process has, where the system says.
fn threads_of_process() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("Threads:")?.trim().parse().ok())
}

/// The refusal of a library with 64-bit integers, which would take the sizes of two matrices for one.
fn long_integers(name: &str) -> Error {
    Error::Unsupported(format!(
        "BLAS library: expected one whose integers have 32 bits (LP64), found 64 bits (ILP64) in '{name}': install the other \
         build of it (on Debian libopenblas0 instead of libopenblas64-0; the wheel scipy-openblas32 instead of \
         scipy-openblas64; MKL with MKL_INTERFACE_LAYER=LP64)"
    ))
}

/// A library, and the search in it.
struct Symbols(&'static libloading::Library);

impl Symbols {
    fn of(name: &str) -> Result<Self> {
        let alone = [name];
        let names = KINDS.iter().find(|(kind, _)| *kind == name).map_or(&alone[..], |(_, names)| names);
        let mut faults = Vec::new();
        for name in names {
            // SAFETY: the head of this file.
            match unsafe { libloading::Library::new(*name) } {
                Ok(library) => return Ok(Self(Box::leak(Box::new(library)))),
                // What the system says stands behind what was called.
                Err(fault) => faults.push(fault.source().map_or_else(|| fault.to_string(), ToString::to_string)),
            }
        }
        let found = match names {
            [_] => format!("'{name}' ({})", faults.join("; ")),
            _ => format!("none of {} for '{name}'", names.join(", ")),
        };
        Err(Error::setting(
            "BLAS library",
            "openblas, mkl, blis, accelerate, or the name or path of a shared library that can be loaded",
            found,
        ))
    }

    /// The function `name`, if there is one.
    ///
    /// # Safety
    ///
    /// `F` is the type of a function pointer, and the function's if the library is what it should be.
    unsafe fn get<F: Copy>(&self, name: &str) -> Option<F> {
        // SAFETY: the caller's word. The library lives as long as the process, and so does what is found in it.
        unsafe { self.0.get::<F>(name).ok().map(|symbol| *symbol) }
    }

    /// Whether it has a function of this name.
    fn has(&self, name: &str) -> bool {
        // SAFETY: not called.
        unsafe { self.get::<unsafe extern "C" fn()>(name).is_some() }
    }

    /// The functions that we call, and what their names begin with.
    fn functions(&self, name: &str) -> Result<(&'static str, Functions)> {
        for prefix in PREFIXES {
            // SAFETY: these are their types in CBLAS, but for the size of integers, of which `Dot` makes no use and which
            // `open` checks before it gives the others away.
            let found = unsafe {
                (
                    self.get::<Function<f32>>(&format!("{prefix}cblas_sgemm")),
                    self.get::<Function<f64>>(&format!("{prefix}cblas_dgemm")),
                    self.get::<Dot>(&format!("{prefix}cblas_sdot")),
                )
            };
            if let (Some(sgemm), Some(dgemm), sdot) = found {
                return Ok((prefix, Functions { sgemm, dgemm, sdot }));
            }
        }
        let long = |prefix| LONG_SUFFIXES.iter().any(|suffix| self.has(&format!("{prefix}cblas_sgemm{suffix}")));
        if PREFIXES.iter().any(long) {
            return Err(long_integers(name));
        }
        let expected = format!("cblas_sgemm and cblas_dgemm, or {0}cblas_sgemm and {0}cblas_dgemm", PREFIXES[1]);
        let fortran = if self.has("sgemm_") { "Fortran's sgemm_ alone" } else { "neither" };
        Err(Error::setting("BLAS library", expected, format!("{fortran} in '{name}'")))
    }

    /// What a function without arguments says.
    fn text(&self, function: &str) -> Option<String> {
        // SAFETY: the functions that are asked for here give a null-terminated string that lives as long as the library, or
        // null.
        unsafe {
            let text = self.get::<unsafe extern "C" fn() -> *const c_char>(function)?();
            (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
        }
    }

    /// Calls a function that takes a number.
    fn tell<N>(&self, function: &str, number: N) {
        // SAFETY: the functions that are told something here take an integer as wide as `N`, and give nothing.
        unsafe {
            if let Some(function) = self.get::<unsafe extern "C" fn(N)>(function) {
                function(number);
            }
        }
    }

    /// Calls a function that takes a number and gives what came of it.
    fn set(&self, function: &str, number: c_int) -> Option<c_int> {
        // SAFETY: the functions that are asked for here take an integer and give one.
        unsafe { Some(self.get::<unsafe extern "C" fn(c_int) -> c_int>(function)?(number)) }
    }

    /// Calls a function that gives a number.
    fn number(&self, function: &str) -> Option<usize> {
        // SAFETY: the functions that are asked for here take nothing and give a small integer.
        let number = unsafe { self.get::<unsafe extern "C" fn() -> c_int>(function)?() };
        usize::try_from(number).ok()
    }

    /// Keeps MKL, which decides at its first call, to 32-bit integers, away from every threading library, and to the same bits
    /// for the same numbers wherever they lie in memory.
    fn make_mkl_sequential(&self, name: &str) -> Result<()> {
        const LP64: c_int = 0;
        const SEQUENTIAL: c_int = 1;
        const CBWR_AUTO: c_int = 2;
        // The answer is what it did; a 2 beside it means gfortran's conventions.
        if self.set("MKL_Set_Interface_Layer", LP64).is_some_and(|layer| layer & 1 != LP64) {
            return Err(long_integers(name));
        }
        self.set("MKL_Set_Threading_Layer", SEQUENTIAL);
        self.set("MKL_CBWR_Set", CBWR_AUTO);
        Ok(())
    }

    /// Sets it to one thread; how many it then says it has.
    fn one_thread(&self, prefix: &str) -> Option<usize> {
        const ACCELERATE_SINGLE_THREADED: c_int = 1;
        self.tell::<c_int>(&format!("{prefix}openblas_set_num_threads"), 1);
        self.tell::<c_int>("MKL_Set_Num_Threads", 1);
        // BLIS's own integers are as wide as a pointer.
        self.tell::<isize>("bli_thread_set_num_threads", 1);
        if self.set("BLASSetThreading", ACCELERATE_SINGLE_THREADED) == Some(0) {
            return Some(1);
        }
        let getters =
            [&format!("{prefix}openblas_get_num_threads"), "MKL_Get_Max_Threads", "bli_thread_get_num_threads"];
        getters.into_iter().find_map(|getter| self.number(getter))
    }

    /// MKL's name and version.
    fn mkl_version(&self) -> Option<String> {
        let mut text = [0 as c_char; 256];
        // SAFETY: it takes a buffer and its length, and ends what it writes there with a null.
        unsafe {
            self.get::<unsafe extern "C" fn(*mut c_char, c_int)>("MKL_Get_Version_String")?(text.as_mut_ptr(), 255);
            Some(CStr::from_ptr(text.as_ptr()).to_string_lossy().trim().to_string())
        }
    }

    /// The kernels that BLIS chose.
    fn blis_core(&self) -> Option<String> {
        let core = self.number("bli_arch_query_id")?;
        // SAFETY: it takes a number that the library itself gave, and gives a string that lives as long as it.
        unsafe {
            let text = self.get::<unsafe extern "C" fn(c_int) -> *const c_char>("bli_arch_string")?(core as c_int);
            (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
        }
    }
}
