//! The GEMM of a linked CBLAS, on one thread: we parallelise ourselves, and BLAS threads under ours cost up to 1.9 times.
//!
//! Row 2 of the house: imports its parent alone. This is the one file that knows `cblas_*`; it is here without the cargo feature
//! `blas` too, so that [`core_name`] and [`warning`] can always be asked.
//!
//! With `blas` alone the provider is the caller's, named through blas-src in his own binary; how many threads it takes is
//! then set by that provider's own means. With `openblas` it is the system's OpenBLAS, which we set to one thread.

#[cfg(feature = "blas")]
use blas_src as _;
#[cfg(feature = "openblas")]
use openblas_src as _;

use super::{Gemm, Mat, MatMut};

/// The kernels that OpenBLAS chose for this CPU, for example `SkylakeX`; nothing without the cargo feature `openblas`.
pub fn core_name() -> Option<String> {
    #[cfg(feature = "openblas")]
    {
        openblas::core_name()
    }
    #[cfg(not(feature = "openblas"))]
    {
        None
    }
}

/// What to do if OpenBLAS did not know this CPU and fell back to old kernels, which can be five times slower.
pub fn warning() -> Option<String> {
    #[cfg(target_arch = "x86_64")]
    let better = if is_x86_feature_detected!("avx512bw") {
        Some("SkylakeX")
    } else if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        Some("Haswell")
    } else {
        None
    };
    #[cfg(not(target_arch = "x86_64"))]
    let better = None;
    advice(&core_name()?, better?)
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

/// Whether CBLAS's 32-bit sizes can say this product; the embedded backend multiplies what they cannot.
pub(super) fn takes<T>(a: &Mat<'_, T>, b: &Mat<'_, T>, c: &MatMut<'_, T>) -> bool {
    let largest = [a.rows, a.cols, a.row_stride, a.col_stride, b.cols, b.row_stride, b.col_stride, c.row_stride];
    cfg!(feature = "blas") && largest.iter().all(|&size| i32::try_from(size).is_ok())
}

/// `C <- alpha A B + beta C` for sizes that are not zero and that [`takes`] admitted.
pub(super) fn gemm<T: Gemm>(alpha: T, a: Mat<'_, T>, b: Mat<'_, T>, beta: T, c: MatMut<'_, T>) {
    #[cfg(feature = "openblas")]
    openblas::one_thread();
    T::cblas(alpha, a, b, beta, c);
}

/// The hook of `f32` and `f64`: public in a private module, which seals it.
pub(super) mod call {
    use super::super::{Mat, MatMut};

    /// The type's `cblas_?gemm`.
    pub trait Cblas: Sized {
        /// `C <- alpha A B + beta C`; does not exist in a build without CBLAS, where `takes` admits nothing.
        fn cblas(alpha: Self, a: Mat<'_, Self>, b: Mat<'_, Self>, beta: Self, c: MatMut<'_, Self>);
    }

    #[cfg(not(feature = "blas"))]
    macro_rules! cblas {
        ($t:ident, $function:ident) => {
            impl Cblas for $t {
                fn cblas(_: Self, _: Mat<'_, Self>, _: Mat<'_, Self>, _: Self, _: MatMut<'_, Self>) {
                    unreachable!("no product is given to a CBLAS that this build lacks")
                }
            }
        };
    }

    /// A view as CBLAS says it: transposed or not, and the distance of its rows in memory, which must be at least their length
    /// even where there is only one.
    #[cfg(feature = "blas")]
    fn stored<T>(matrix: &Mat<'_, T>) -> (cblas_sys::CBLAS_TRANSPOSE, i32) {
        if matrix.col_stride == 1 {
            (cblas_sys::CblasNoTrans, matrix.row_stride.max(matrix.cols) as i32)
        } else {
            (cblas_sys::CblasTrans, matrix.col_stride.max(matrix.rows) as i32)
        }
    }

    #[cfg(feature = "blas")]
    macro_rules! cblas {
        ($t:ident, $function:ident) => {
            impl Cblas for $t {
                fn cblas(alpha: Self, a: Mat<'_, Self>, b: Mat<'_, Self>, beta: Self, c: MatMut<'_, Self>) {
                    let (a_transpose, a_rows_apart) = stored(&a);
                    let (b_transpose, b_rows_apart) = stored(&b);
                    // SAFETY: `Mat` and `MatMut` hold every element that these sizes and strides reach; the sizes fit 32 bits
                    // (`takes`) and agree (checked by `gemm`); C is borrowed mutably, so nothing else touches it.
                    unsafe {
                        cblas_sys::$function(
                            cblas_sys::CblasRowMajor,
                            a_transpose,
                            b_transpose,
                            c.rows as i32,
                            c.cols as i32,
                            a.cols as i32,
                            alpha,
                            a.data.as_ptr(),
                            a_rows_apart,
                            b.data.as_ptr(),
                            b_rows_apart,
                            beta,
                            c.data.as_mut_ptr(),
                            c.row_stride as i32,
                        );
                    }
                }
            }
        };
    }

    cblas!(f32, cblas_sgemm);
    cblas!(f64, cblas_dgemm);
}

/// What OpenBLAS has beyond CBLAS.
#[cfg(feature = "openblas")]
mod openblas {
    use std::ffi::{CStr, c_char, c_int};
    use std::sync::Once;

    unsafe extern "C" {
        fn openblas_set_num_threads(threads: c_int);
        fn openblas_get_corename() -> *const c_char;
    }

    /// Sets OpenBLAS to one thread, once in this process (the setting is the process's; who changes it later keeps the results
    /// right but gives up our promise that the same call gives the same bits).
    pub(super) fn one_thread() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            // SAFETY: a call without pointers; `Once` keeps other threads of ours from calling it at the same time.
            unsafe { openblas_set_num_threads(1) }
        });
    }

    pub(super) fn core_name() -> Option<String> {
        // SAFETY: gives a null-terminated string that lives as long as the process, or null.
        let name = unsafe {
            let name = openblas_get_corename();
            (!name.is_null()).then(|| CStr::from_ptr(name))
        };
        name.map(|name| name.to_string_lossy().into_owned())
    }
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
    #[cfg(feature = "openblas")]
    fn the_linked_openblas_says_its_core() {
        assert!(!core_name().expect("OpenBLAS has a core").is_empty());
    }
}
