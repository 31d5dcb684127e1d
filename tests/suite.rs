//! The verification suite: every kind of network before all witnesses, and not one false alarm.

mod blas;

use deltarule::gradcheck::Verdict;
use deltarule::verify::suite::{self, Settings};
use proptest::prelude::*;

/// Kinks and doubts are rare where points are random; more of them would mean that the checker looks away.
const RARE: f64 = 1e-3;

#[test]
fn every_kind_of_network_is_verified_and_none_raises_an_alarm() {
    let findings = suite::run(Settings::default(), &mut |_, _| {}).unwrap();
    println!("{findings}");
    assert!(findings.networks >= 2000, "{}", findings.networks);
    assert_eq!((findings.verdict, findings.wrong_networks), (Verdict::Verified, 0), "{findings}");
    for counts in [findings.parameters, findings.precision, findings.inputs, findings.curvature] {
        let doubtful = (counts.kinks + counts.inconclusive) as f64;
        assert!(counts.checked > 10_000 && doubtful <= RARE * counts.checked as f64, "{counts:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Not only under the seed that everybody runs.
    #[test]
    fn no_network_under_any_seed_raises_an_alarm(seed in any::<u64>(), number in 0..8544_usize) {
        let findings = suite::run(Settings { seed, only: Some(number), ..Settings::default() }, &mut |_, _| {}).unwrap();
        prop_assert!(findings.networks == 1 && findings.verdict != Verdict::Wrong, "{findings}");
    }
}

#[test]
fn a_blas_is_verified_by_the_suite() {
    for engine in blas::engines() {
        let findings = suite::run(Settings { engine, ..Settings::default() }, &mut |_, _| {}).unwrap();
        assert_eq!(
            (findings.verdict, findings.wrong_networks),
            (Verdict::Verified, 0),
            "{}: {findings}",
            engine.backend()
        );
    }
}
