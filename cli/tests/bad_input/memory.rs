//! Too little address space: the command says what needs how much, and neither dies nor leaves anything.

use super::{MEMORY, case, trained};
use crate::command;

/// What `train` can end with where memory is short: it fits, or not; or the system starts no more threads.
const ENDS: [i32; 3] = [0, MEMORY, 2];

#[test]
fn a_network_that_does_not_fit_is_refused_with_its_figure() {
    let folder = trained();
    // 10 million units of 7 parameters: 280 MB each time.
    let line = "train t.csv --target y --hidden 10000000 --epochs 1 --model m";
    for more in ["", " --solver lbfgs", " --dtype f64", " --solver sgd --momentum 0"] {
        let line = format!("{line}{more}");
        let limited = folder.limited(500_000).words(&line);
        command::rejects_command(&folder, limited, case(&line, MEMORY, &["needs ", " bytes", "cannot be had"]));
    }
}

/// In steps from where the command hardly starts to where this network fits.
#[test]
fn no_limit_ends_it_by_a_signal() {
    let folder = trained();
    let mut ends = Vec::new();
    for kibibytes in [40_000, 60_000, 80_000, 100_000, 150_000, 200_000, 300_000, 600_000] {
        let line = "train t.csv --target y --hidden 300000 --epochs 1 --threads 2 --model m --force";
        let run = folder.limited(kibibytes).words(line).run();
        assert!(ENDS.contains(&run.code()), "{kibibytes} KiB: exit {}\n{}", run.code(), run.stderr);
        ends.push(run.code());
    }
    assert!(ends.contains(&MEMORY) && ends.ends_with(&[0]), "{ends:?}");
}
