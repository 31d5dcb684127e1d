//! The CBLAS that this build is linked with.
//!
//! Row 2 of the house: imports `call`, `cores` and its parent. Compiled with the cargo feature `blas` alone.

use blas_src as _;
#[cfg(feature = "openblas")]
use openblas_src as _;

use super::About;
use super::call::Functions;
use std::ffi::c_int;

/// `cblas_?gemm` declared for each type, as `call` describes it.
macro_rules! declare {
    ($($function:ident, $t:ident;)*) => {
        unsafe extern "C" {
            $(fn $function(
                order: c_int,
                a_transpose: c_int,
                b_transpose: c_int,
                m: c_int,
                n: c_int,
                k: c_int,
                alpha: $t,
                a: *const $t,
                a_rows_apart: c_int,
                b: *const $t,
                b_rows_apart: c_int,
                beta: $t,
                c: *mut $t,
                c_rows_apart: c_int,
            );)*
        }
    };
}

declare! {
    cblas_sgemm, f32;
    cblas_dgemm, f64;
}

unsafe extern "C" {
    // As `Dot` says, with sizes that tell whether they are read whole.
    fn cblas_sdot(n: i64, x: *const f32, x_step: i64, y: *const f32, y_step: i64) -> f32;
}

/// The library, set to one thread if it is OpenBLAS (the setting is the process's; who changes it later keeps the results right
/// but gives up our promise that the same call gives the same bits).
pub(super) fn library() -> (About, Functions) {
    let mut about =
        About { name: "blas".into(), version: None, core: None, prefix: "", threads: None, warnings: Vec::new() };
    #[cfg(feature = "openblas")]
    openblas::describe(&mut about);
    about.warnings.extend(about.core.as_deref().and_then(super::cores::warning));
    (about, Functions { sgemm: cblas_sgemm, dgemm: cblas_dgemm, sdot: Some(cblas_sdot) })
}

/// What OpenBLAS has beyond CBLAS.
#[cfg(feature = "openblas")]
mod openblas {
    use super::About;
    use std::ffi::{CStr, c_char, c_int};

    unsafe extern "C" {
        fn openblas_set_num_threads(threads: c_int);
        fn openblas_get_corename() -> *const c_char;
        fn openblas_get_config() -> *const c_char;
    }

    pub(super) fn describe(about: &mut About) {
        // SAFETY: calls without pointers, which give null-terminated strings that live as long as the process, or null.
        // No other thread of ours calls them: a library is made once.
        let texts = unsafe {
            openblas_set_num_threads(1);
            [openblas_get_corename(), openblas_get_config()]
                .map(|text| (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned()))
        };
        let [core, config] = texts;
        (about.core, about.version, about.threads) =
            (core, config.as_deref().map(super::super::openblas_version), Some(1));
    }
}
