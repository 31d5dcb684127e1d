//! The harness accepts the real kernels on a range, and rejects every kind of planted defect, each at a single input.

use deltarule::kernel::elementwise::Function;
use deltarule::kernel::math;
use deltarule::simd::{Isa, Kernel, Lanes, TABLE_ROWS, Table, Vectorized};
use deltarule_prove::inputs::{Inputs, Subset};
use deltarule_prove::real::Real;
use deltarule_prove::sweep::{Finding, Questions, Subject, sweep};
use deltarule_prove::work::Progress;

const ALL: Questions = Questions { truth: true, slopes: true };

/// Every `f32` from one to the other.
struct Between(f32, f32);

impl Inputs<f32> for Between {
    fn units(&self) -> usize {
        4
    }
    fn unit(&self, unit: usize) -> Vec<f32> {
        let (first, last) = (self.0.place(), self.1.place() + 1);
        let cut = |unit: usize| first + (last - first) * unit as u64 / 4;
        (cut(unit)..cut(unit + 1)).map(f32::from_place).collect()
    }
}

/// The fast levels: the portable one is slow here, and its bits are compared elsewhere.
fn levels() -> Vec<Isa> {
    let fast: Vec<Isa> = Isa::available().filter(|&isa| isa != Isa::Portable).collect();
    if fast.is_empty() { vec![Isa::Portable] } else { fast }
}

fn tried<T: Real>(subject: &impl Subject<T>, inputs: &impl Inputs<T>, questions: Questions) -> Vec<Finding<T>> {
    sweep(subject, &levels(), inputs, questions, &Progress::new(1))
}

/// What the sweep says of the subject, in one text.
fn faults<T: Real>(subject: &impl Subject<T>, inputs: &impl Inputs<T>) -> String {
    let findings = tried(subject, inputs, ALL);
    assert_eq!(findings.len(), levels().len());
    findings.iter().flat_map(|finding| finding.words.clone()).collect::<Vec<_>>().join("\n")
}

/// A function whose value at some inputs is another.
struct Wrong<F> {
    function: Function,
    /// The value, from the input, the level and the right value.
    value: F,
}

impl<T: Real, F: Fn(T, Isa, T) -> T + Sync> Subject<T> for Wrong<F> {
    fn function(&self) -> Function {
        self.function
    }
    fn apply(&self, isa: Isa, x: &mut [T]) {
        let inputs = x.to_vec();
        self.function.apply(isa, x);
        x.iter_mut().zip(inputs).for_each(|(y, x)| *y = (self.value)(x, isa, *y));
    }
    fn apply_with_slope(&self, isa: Isa, x: &mut [T], slope: &mut [T]) {
        let inputs = x.to_vec();
        self.function.apply_with_slope(isa, x, slope);
        x.iter_mut().zip(inputs).for_each(|(y, x)| *y = (self.value)(x, isa, *y));
    }
}

/// 131,073 numbers of `f32`, in which exp rises by 2 % and each value comes a few times.
const RANGE: Between = Between(1.0, 1.015_625);
/// One of them.
const HERE: f32 = 1.007;

#[test]
fn real_kernels_are_accepted() {
    for function in [Function::Exp, Function::Sigmoid, Function::Tanh, Function::Relu] {
        for range in
            [RANGE, Between(-0.0, 1e-40), Between(f32::MAX, f32::from_bits(0x7f80_0010)), Between(-1e-42, 1e-42)]
        {
            for finding in tried(&function, &range, ALL) {
                assert_eq!((finding.faults, finding.descents), (0, 0), "{finding:?}");
                assert!(finding.tried > 16 && finding.slope_error < 2e-7, "{finding:?}");
            }
        }
        let findings = tried::<f64>(&function, &Subset { count: 1 << 14 }, Questions { truth: false, slopes: true });
        assert!(findings.iter().all(|finding| finding.faults == 0 && finding.hash == findings[0].hash), "{findings:?}");
    }
}

#[test]
fn the_worst_input_is_found_where_it_is() {
    let here =
        Wrong { function: Function::Relu, value: |x: f32, _: Isa, y: f32| if x == HERE { y.next_up() } else { y } };
    for finding in tried(&here, &RANGE, ALL) {
        assert_eq!((finding.ulp, finding.at), (1.0, HERE));
    }
}

/// One unit at one input: the bound of exp allows it only where the right value was above.
#[test]
fn one_unit_at_one_input_is_rejected() {
    let (mut worst, mut up) = ((0.0, 0.0), true);
    for x in (0..2000).map(|i| f32::from_bits(HERE.to_bits() + i)) {
        let mut y = [x];
        Function::Exp.apply(Isa::Portable, &mut y);
        let exact = f64::from(x).exp();
        let error = f64::from(y[0]) - exact;
        if error.abs() > f64::abs(worst.0) {
            (worst, up) = ((error, x), error > 0.0);
        }
    }
    let there = worst.1;
    let wrong = Wrong {
        function: Function::Exp,
        value: move |x: f32, _: Isa, y: f32| match x == there {
            true if up => y.next_up(),
            true => y.next_down(),
            false => y,
        },
    };
    let said = faults(&wrong, &RANGE);
    assert!(said.contains("ulp of at most 1") && said.contains(&format!("x = {there:e}")), "{said}");
}

#[test]
fn a_descent_is_rejected() {
    // Within the bound of expm1, two units, so that only the order is broken. Here a thousand inputs share a value.
    const FLAT: f32 = -10.000_5;
    let falls =
        Wrong { function: Function::ExpM1, value: |x: f32, _: Isa, y: f32| if x == FLAT { y.next_down() } else { y } };
    let range = Between(-10.001, -10.0);
    let findings = tried(&falls, &range, ALL);
    assert!(findings.iter().all(|finding| finding.descents == 1 && finding.ulp < 2.0), "{findings:?}");
    let said = faults(&falls, &range);
    assert!(said.contains("1 descents") && !said.contains("of at most"), "{said}");
}

#[test]
fn a_value_out_of_range_is_rejected() {
    let far =
        Wrong { function: Function::Tanh, value: |x: f32, _: Isa, y: f32| if x == 20.0 { y.next_up() } else { y } };
    let said = faults(&far, &Between(19.99, 20.01));
    assert!(said.contains("outside -1e0..=1e0"), "{said}");
    let minus = Wrong { function: Function::Relu, value: |x: f32, _: Isa, y: f32| if x == -HERE { -y } else { y } };
    let said = faults(&minus, &Between(-1.015, -1.0));
    assert!(said.contains("-0e0, outside 0e0"), "{said}");
}

#[test]
fn a_lost_nan_is_rejected() {
    let deaf = |which: u32| Wrong {
        function: Function::Sigmoid,
        value: move |x: f32, _: Isa, y: f32| if x.to_bits() == which { 0.0 } else { y },
    };
    let said = faults(&deaf(0x7f80_0123), &Between(f32::INFINITY, f32::from_bits(0x7f80_0200)));
    assert!(said.contains("expected NaN"), "{said}");
    // And one too many.
    let silent =
        Wrong { function: Function::Sigmoid, value: |x: f32, _: Isa, y: f32| if x == HERE { f32::NAN } else { y } };
    let said = faults(&silent, &RANGE);
    assert!(said.contains("expected NaN for NaN, and only then"), "{said}");
}

#[test]
fn an_uneven_tanh_is_rejected() {
    let uneven =
        Wrong { function: Function::Tanh, value: |x: f32, _: Isa, y: f32| if x == -HERE { y.next_up() } else { y } };
    let said = faults(&uneven, &RANGE);
    assert!(said.contains("but at -x the negative"), "{said}");
}

#[test]
fn levels_that_differ_are_rejected() {
    let Some(&last) = levels().get(1) else {
        println!("skipped: this machine has one fast level");
        return;
    };
    // Within the bound, and a descent nowhere else.
    let apart = Wrong {
        function: Function::Ln1p,
        value: move |x: f32, isa: Isa, y: f32| if x == HERE && isa == last { y.next_up() } else { y },
    };
    let findings = tried(&apart, &RANGE, Questions { truth: false, slopes: false });
    assert_ne!(findings[0].hash, findings[1].hash);
    assert!(findings[1].faults == 1 && findings[1].words[0].contains("but at "), "{findings:?}");
}

#[test]
fn a_value_that_changes_when_the_slope_is_asked_for_is_rejected() {
    struct Fickle;
    impl Subject<f32> for Fickle {
        fn function(&self) -> Function {
            Function::Ln1p
        }
        fn apply(&self, isa: Isa, x: &mut [f32]) {
            Function::Ln1p.apply(isa, x);
        }
        fn apply_with_slope(&self, isa: Isa, x: &mut [f32], slope: &mut [f32]) {
            let at = x.iter().position(|&x| x == HERE);
            Function::Ln1p.apply_with_slope(isa, x, slope);
            if let Some(at) = at {
                x[at] = x[at].next_up();
            }
        }
    }
    let said = faults(&Fickle, &RANGE);
    assert!(said.contains("but with the slope"), "{said}");
}

/// tanh from a table.
struct Tanh(Table<f32>);

struct Evaluate<'a>(&'a Table<f32>, &'a mut [f32]);

impl Kernel<f32> for Evaluate<'_> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes<f32>>(self, lanes: L) {
        for x in self.1.chunks_mut(L::WIDTH) {
            lanes.store_partial(math::tanh_from(lanes, self.0, lanes.load_partial(x)), x);
        }
    }
}

impl Subject<f32> for Tanh {
    fn function(&self) -> Function {
        Function::Tanh
    }
    fn apply(&self, isa: Isa, x: &mut [f32]) {
        f32::dispatch(isa, Evaluate(&self.0, x));
    }
    fn apply_with_slope(&self, isa: Isa, x: &mut [f32], slope: &mut [f32]) {
        self.apply(isa, x);
        x.iter().zip(slope).for_each(|(&y, slope)| *slope = (-y).mul_add(y, 1.0));
    }
}

/// A coefficient of the kernel that is off by one unit in its last place. Where that is a unit of the result, or the
/// interval's center moves, the bound rejects it; in a lower coefficient it is less, and shows in the hash, which `scripts/prove`
/// compares with the table's; in the two highest it rounds away.
#[test]
fn one_unit_in_a_coefficient_is_rejected() {
    // The interval whose row begins at 1: the low five bits of 1.0 from the 21st up.
    let range = Between(1.0, 1.25f32.next_down());
    let row = (1f32.to_bits() >> 21) as usize % TABLE_ROWS;
    let sound = tried(&Tanh(Table::new(math::TANH.rows)), &range, ALL);
    let real = tried(&Function::Tanh, &range, ALL);
    for (sound, real) in sound.iter().zip(&real) {
        assert!(sound.faults == 0 && sound.hash == real.hash, "{sound:?}");
    }
    for (column, by_bound) in [(0, true), (1, false), (2, false), (3, false), (6, true)] {
        let mut rows = math::TANH.rows;
        rows[row][column] = rows[row][column].next_up();
        let found = tried(&Tanh(Table::new(rows)), &range, ALL);
        for (sound, found) in sound.iter().zip(&found) {
            assert_ne!(sound.hash, found.hash, "column {column} at {}", found.isa);
            let rejected = found.faults > 0 && found.words[0].contains("ulp of at most 1");
            assert_eq!(rejected, by_bound, "column {column}: {found:?}");
        }
    }
}
