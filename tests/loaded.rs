//! BLAS libraries loaded at run time: what is found out about them, and that one which computes wrongly is refused, by
//! specimens that are wrong in the ways releases were.

mod blas;

use deltarule::engine::{Backend, Engine};
use deltarule::gemm::blas::{Core, Library};
use deltarule::gemm::{Mat, MatMut, gemm};
use deltarule::simd::Isa;
use deltarule::{Error, Result};
use std::path::Path;
use std::time::Duration;

fn load(path: &Path) -> Result<Library> {
    Library::load(path.to_str().expect("a path in UTF-8"), &Core::Detected)
}

/// The specimen with these macros, loaded; nothing without a C compiler. Its folder may go: what is loaded stays.
fn specimen(name: &str, macros: &[&str]) -> Option<Result<Library>> {
    let folder = tempfile::tempdir().unwrap();
    Some(load(&blas::specimen(folder.path(), name, macros)?))
}

#[test]
fn a_right_library_says_what_it_is_and_multiplies() {
    let Some(library) = specimen("right", &[]) else { return };
    let library = library.unwrap();
    let about = library.about();
    assert_eq!(about.version.as_deref(), Some("OpenBLAS 9.8.7"));
    assert_eq!((about.prefix, about.threads), ("", Some(1)), "it had 8 threads");
    assert!(about.core.is_some());
    let test = library.self_test().unwrap();
    println!("{test:?}");
    // 20 ms are promised of a release build; the specimen is a triple loop, and the machine has other work.
    assert!(test.products > 200 && test.duration < Duration::from_secs(1), "{test:?}");
    assert_eq!(library.self_test().unwrap().duration, test.duration, "once in a process");

    let engine = Engine::new(Isa::best(), Backend::Loaded(library)).unwrap();
    let mut c = [f64::NAN; 4];
    gemm(engine, 2.0, Mat::new(&[1.0, 2.0], 2, 1), Mat::new(&[3.0, 4.0], 1, 2), 0.0, MatMut::new(&mut c, 2, 2));
    assert_eq!(c, [6.0, 8.0, 12.0, 16.0]);
    assert_eq!(Backend::parse(engine.backend().name()).unwrap(), engine.backend(), "the same library");
    assert!(engine.backend().available());
}

#[test]
fn a_library_is_loaded_once_under_all_its_names() {
    let folder = tempfile::tempdir().unwrap();
    let Some(path) = blas::specimen(folder.path(), "named", &[]) else { return };
    let library = load(&path).unwrap();
    assert_eq!(load(&path).unwrap(), library);
    assert_eq!(load(&folder.path().join(".").join("libnamed.so")).unwrap(), library);
    let Some(other) = specimen("other", &[]) else { return };
    assert_ne!(other.unwrap(), library);
}

#[test]
fn a_prefix_is_found_and_included() {
    let Some(library) = specimen("prefixed", &["PREFIX=scipy_"]) else { return };
    let library = library.unwrap();
    let about = library.about();
    assert_eq!((about.prefix, about.threads, about.version.as_deref()), ("scipy_", Some(1), Some("OpenBLAS 9.8.7")));
    library.self_test().unwrap();
}

#[test]
fn a_library_that_is_no_openblas_is_one_too() {
    let Some(library) = specimen("plain", &["NO_OPENBLAS"]) else { return };
    let library = library.unwrap();
    let about = library.about();
    assert_eq!((&about.version, &about.core, about.threads), (&None, &None, None));
    assert!(about.warnings.is_empty(), "{:?}", about.warnings);
    library.self_test().unwrap();
    let refusal = Library::load(&about.name, &Core::Named("Haswell".into())).unwrap_err().to_string();
    assert!(refusal.contains("BLAS core: expected a library with cores to choose from"), "{refusal}");
}

#[test]
fn openmp_is_warned_of() {
    let Some(library) = specimen("openmp", &["USE_OPENMP"]) else { return };
    let about = library.unwrap().about();
    assert_eq!(about.threads, None);
    assert!(about.warnings.iter().any(|w| w.contains("OMP_NUM_THREADS=1")), "{:?}", about.warnings);
}

/// By the names of the functions, by what the library says, and by what it does.
#[test]
fn integers_of_64_bits_are_refused() {
    for (name, macros) in [
        ("suffixed", &["SUFFIX=64_", "INTEGER=long"][..]),
        ("prefixed64", &["PREFIX=scipy_", "SUFFIX=64_", "INTEGER=long"]),
        ("said", &["USE64BITINT", "INTEGER=long", "NO_DOT"]),
        ("plain64", &["INTEGER=long"]),
        ("unknown64", &["INTEGER=long", "NO_OPENBLAS"]),
    ] {
        let Some(refusal) = specimen(name, macros) else { return };
        let refusal = refusal.unwrap_err();
        assert!(matches!(refusal, Error::Unsupported(_)), "{refusal:?}");
        let refusal = refusal.to_string();
        for fragment in ["32 bits (LP64)", "64 bits (ILP64)", name, "libopenblas0", "scipy-openblas32"] {
            assert!(refusal.contains(fragment), "{name}: {refusal}");
        }
    }
}

/// Each fault, and what the message must hold beside the library's name.
#[test]
fn a_library_that_computes_wrongly_is_refused_by_shape_and_element() {
    for (name, fault, says) in [
        ("skinny", "WRONG=(m==625&&n==625&&k==5&&i==600&&j==3)", &["625 x 5 times 5 x 625", "C[600, 3]"][..]),
        ("turned", "WRONG=(m==625&&a_transpose==112&&b_transpose==112)", &["A transposed, B transposed", "C[0, 0]"]),
        ("reads", "READS_C=1", &["beta 0", "found NaN", "cblas_sgemm"]),
        ("empty", "LEAVES_C=1", &["4 x 0 times 0 x 3", "C[0, 0]: expected 0"]),
        ("double", "SUM=float", &["cblas_dgemm", "within"]),
        ("column", "WRONG=(n==1&&m==33)", &["33 x 17 times 17 x 1", "C[0, 0]"]),
        ("behind", "WRITES_BEHIND=1", &["element 1 behind row 0 of C", "expected no change, found 0"]),
    ] {
        let Some(library) = specimen(name, &[fault]) else { return };
        let library = library.unwrap();
        for _ in 0..2 {
            let refusal = Engine::new(Isa::best(), Backend::Loaded(library)).unwrap_err();
            assert!(matches!(refusal, Error::Check(_)), "{refusal:?}");
            let refusal = refusal.to_string();
            println!("{refusal}");
            for fragment in says.iter().chain(&["computes wrongly", "expected", "found", name]) {
                assert!(refusal.contains(fragment), "{name}: expected {fragment:?} in: {refusal}");
            }
        }
    }
}

#[test]
fn what_is_no_blas_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text.so");
    std::fs::write(&text, "not a library").unwrap();
    let refusal = load(&text).unwrap_err().to_string();
    assert!(refusal.starts_with("BLAS library: expected ") && refusal.contains("text.so' ("), "{refusal}");
    let missing = load(&folder.path().join("missing.so")).unwrap_err();
    assert!(matches!(missing, Error::Io { .. }), "{missing:?}");
    assert!(matches!(load(folder.path()).unwrap_err(), Error::Io { .. }));
    let refusal = Library::load("no-such-library", &Core::Detected).unwrap_err().to_string();
    assert!(refusal.contains("openblas, mkl, blis, accelerate") && refusal.contains("'no-such-library'"), "{refusal}");
    let Some(empty) = specimen("nothing", &["NO_CBLAS"]) else { return };
    let refusal = empty.unwrap_err().to_string();
    assert!(refusal.contains("scipy_cblas_dgemm") && refusal.contains("found neither in"), "{refusal}");
}

/// The environment must not change under threads that read it, and a test runs on a thread beside the harness's.
#[test]
fn a_core_is_not_chosen_beside_other_threads() {
    if cfg!(windows) || !cfg!(target_arch = "x86_64") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let Some(path) = blas::specimen(folder.path(), "late", &[]) else { return };
    let core = Core::Named("Nehalem".into());
    let refusal = Library::load(path.to_str().unwrap(), &core).unwrap_err().to_string();
    assert!(refusal.contains("1 thread") && refusal.contains("OPENBLAS_CORETYPE=Nehalem"), "{refusal}");
    // That it is done where there are none, the command's tests show.
}
