//! What each function promises: the one table.

use deltarule::kernel::elementwise::{Function, SELU_ALPHA, SELU_SCALE};

/// How far a result may be from the exact value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// In units in the last place of the exact value.
    pub ulp: f64,
    /// Or, where the result is tiny, by so much; 0 where the first alone holds.
    pub absolute: f64,
}

/// What a function promises.
#[derive(Clone, Copy, Debug)]
pub struct Promise {
    /// The accuracy.
    pub bound: Bound,
    /// No result is below; where this is 0, none is -0 either.
    pub low: f64,
    /// No result is above.
    pub high: f64,
    /// Whether the function never falls as its argument rises, so that descents are counted.
    pub monotone: bool,
    /// Whether descents are faults. They are not where many neighbours share a result and the error is near a unit: softplus
    /// and log-sigmoid fall by a unit here and there around 0.
    pub never_falls: bool,
    /// `f(-x)` is `-f(x)`, to the bit.
    pub odd: bool,
    /// The values at minus infinity, -0, +0 and infinity, where they are numbers of the type. At zeros the sign of a zero
    /// counts, at infinities not.
    pub at: [Option<f64>; 4],
    /// The slope at NaN is NaN too.
    pub slope_keeps_nan: bool,
}

/// The promise of a function for both types; `at` and the range are rounded to the type.
pub fn promise(function: Function) -> Promise {
    const INF: f64 = f64::INFINITY;
    let ulp = match function {
        Function::Exp | Function::Ln | Function::Sigmoid | Function::Tanh => 1.0,
        _ => 2.0,
    };
    let nan = Some(f64::NAN);
    let (low, high, at) = match function {
        Function::Exp => (0.0, INF, [Some(0.0), Some(1.0), Some(1.0), Some(INF)]),
        Function::ExpM1 => (-1.0, INF, [Some(-1.0), Some(-0.0), Some(0.0), Some(INF)]),
        Function::Ln => (-INF, INF, [nan, Some(-INF), Some(-INF), Some(INF)]),
        Function::Ln1p => (-INF, INF, [nan, Some(-0.0), Some(0.0), Some(INF)]),
        Function::Sigmoid => (0.0, 1.0, [Some(0.0), Some(0.5), Some(0.5), Some(1.0)]),
        Function::LogSigmoid => (-INF, 0.0, [Some(-INF), None, None, Some(0.0)]),
        Function::Tanh => (-1.0, 1.0, [Some(-1.0), Some(-0.0), Some(0.0), Some(1.0)]),
        Function::Relu => (0.0, INF, [Some(0.0), Some(0.0), Some(0.0), Some(INF)]),
        Function::LeakyRelu { .. } => (-INF, INF, [Some(-INF), Some(-0.0), Some(0.0), Some(INF)]),
        Function::Elu { alpha } => (-alpha, INF, [Some(-alpha), Some(-0.0), Some(0.0), Some(INF)]),
        Function::Selu => {
            let limit = -SELU_SCALE * SELU_ALPHA;
            (limit, INF, [Some(limit), Some(-0.0), Some(0.0), Some(INF)])
        }
        Function::Softplus => (0.0, INF, [Some(0.0), None, None, Some(INF)]),
        // The lowest points are -0.27846, -0.16997 and -0.17004, which their accuracy guards; here, that nothing strays.
        Function::Silu => (-0.2785, INF, [Some(0.0), Some(-0.0), Some(0.0), Some(INF)]),
        _ => (-0.1701, INF, [Some(0.0), Some(-0.0), Some(0.0), Some(INF)]),
    };
    let monotone = !matches!(function, Function::Silu | Function::Gelu | Function::GeluTanh);
    Promise {
        bound: Bound { ulp, absolute: 0.0 },
        low,
        high,
        monotone,
        never_falls: monotone && !matches!(function, Function::Softplus | Function::LogSigmoid),
        odd: function == Function::Tanh,
        at,
        slope_keeps_nan: !matches!(function, Function::LeakyRelu { .. } | Function::Elu { .. } | Function::Selu),
    }
}
