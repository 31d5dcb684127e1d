//! The convex function of `scripts/golden-optim.py`, and where independent optimisers walk on it.
#![allow(dead_code, reason = "each harness uses a part")]

use deltarule::Result;
use deltarule::simd::Vectorized;
use serde_json::Value;

/// A method and a rate, or options; and the points reached, by the number of steps.
pub struct Walk {
    pub case: Value,
    pub points: Vec<(u64, Vec<f64>)>,
}

/// `tests/golden/optim.json`.
pub struct Golden {
    curvature: Vec<f64>,
    centre: Vec<f64>,
    start: Vec<f64>,
    pub walks: Vec<Walk>,
    pub rprop: Vec<Walk>,
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

impl Golden {
    pub fn read() -> Self {
        let file: Value = serde_json::from_str(include_str!("../golden/optim.json")).unwrap();
        let walks = |name: &str| {
            let walk = |case: &Value| Walk {
                case: case.clone(),
                points: case["points"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|point| (point[0].as_u64().unwrap(), numbers(&point[1])))
                    .collect(),
            };
            file[name].as_array().unwrap().iter().map(walk).collect()
        };
        Self {
            curvature: numbers(&file["curvature"]),
            centre: numbers(&file["centre"]),
            start: numbers(&file["start"]),
            walks: walks("walks"),
            rprop: walks("rprop"),
        }
    }

    pub fn start<T: Vectorized>(&self) -> Vec<T> {
        self.start.iter().copied().map(T::from_f64).collect()
    }

    /// The sum of `curvature / 2 (p - centre)^2 + p^4 / 20` and of neighbours' `p q / 20` over all parameters but the last, at which
    /// nothing pulls.
    pub fn convex<T: Vectorized>(&self, p: &[T], grad: &mut [T]) -> Result<f64> {
        let of = T::from_f64;
        let n = self.curvature.len();
        let mut value = T::ZERO;
        grad.fill(T::ZERO);
        for i in 0..n {
            let (curvature, off) = (of(self.curvature[i]), p[i] - of(self.centre[i]));
            let squared = p[i] * p[i];
            value += of(0.5) * curvature * off * off + of(0.05) * squared * squared;
            grad[i] += curvature * off + of(0.2) * squared * p[i];
            if i + 1 < n {
                value += of(0.05) * p[i] * p[i + 1];
                grad[i] += of(0.05) * p[i + 1];
                grad[i + 1] += of(0.05) * p[i];
            }
        }
        Ok(value.real())
    }
}

/// Up in five steps, then down.
pub fn scheduled(rate: f64, step: u64) -> f64 {
    rate * step.min(5) as f64 / 5.0 / (1.0 + step as f64 / 20.0)
}

/// The largest distance between the two, relative to numbers above `scale` and absolute below it.
pub fn distance<T: Vectorized>(found: &[T], expected: &[f64], scale: f64) -> f64 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(f, e)| (f.real() - e).abs() / e.abs().max(scale)).fold(0.0, f64::max)
}
