//! The verification suite: every kind of network before all witnesses, and not one false alarm.

use deltarule::gradcheck::Verdict;
use deltarule::verify::suite::{self, Settings};

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
