//! Initial weights have the mean, the width and the bounds that their sources ask for, and are the same on every platform.

use deltarule::prelude::*;

/// Different, so that inputs are not taken for outputs.
const INPUTS: usize = 100;
const OUTPUTS: usize = 300;

/// The initialisers, the standard deviation that each must have (a uniform within `a` has `a / sqrt 3`), and whether it is
/// uniform.
fn expected() -> [(Init, f64, bool); 8] {
    let (n, m) = (INPUTS as f64, OUTPUTS as f64);
    [
        (Init::GlorotUniform, (2.0 / (n + m)).sqrt(), true),
        (Init::GlorotNormal, (2.0 / (n + m)).sqrt(), false),
        (Init::HeUniform, (2.0 / n).sqrt(), true),
        (Init::HeNormal, (2.0 / n).sqrt(), false),
        (Init::LecunUniform, (1.0 / n).sqrt(), true),
        (Init::LecunNormal, (1.0 / n).sqrt(), false),
        (Init::Uniform { limit: 0.3 }, 0.3 / 3f64.sqrt(), true),
        (Init::Normal { deviation: 0.3 }, 0.3, false),
    ]
}

fn draw(init: Init, seed: u64) -> Vec<f64> {
    let mut weights = vec![f64::NAN; INPUTS * OUTPUTS];
    init.fill(&mut Rng::new(seed), INPUTS, OUTPUTS, &mut weights);
    weights
}

/// Standard errors by which a sample may miss: 5 come by chance once in a million.
const ERRORS: f64 = 5.0;

/// Whether a sample has mean 0 and the given deviation, and lies as a uniform or a normal sample does.
fn fits(weights: &[f64], deviation: f64, uniform: bool) -> bool {
    let count = weights.len() as f64;
    let moment = |power: i32| weights.iter().map(|w| (w / deviation).powi(power)).sum::<f64>() / count;
    // The fourth moment: 9/5 of a uniform variable, 3 of a normal one. The variance's own variance follows from it.
    let fourth = if uniform { 1.8 } else { 3.0 };
    let largest = weights.iter().fold(0.0, |most: f64, w| most.max(w.abs())) / deviation;
    let reaches = if uniform { (1.73..=3f64.sqrt() * (1.0 + 1e-15)).contains(&largest) } else { largest > 3.5 };
    moment(1).abs() < ERRORS / count.sqrt()
        && (moment(2) - 1.0).abs() < ERRORS * ((fourth - 1.0) / count).sqrt()
        && (moment(4) - fourth).abs() < 0.2
        && reaches
}

#[test]
fn every_initialiser_has_its_mean_its_deviation_and_its_shape() {
    for seed in 0..3 {
        for (init, deviation, uniform) in expected() {
            let weights = draw(init, seed);
            // Those of each other initialiser are told apart.
            for (other, width, shape) in expected() {
                let same = (width - deviation).abs() < 1e-12 && shape == uniform;
                assert_eq!(fits(&weights, width, shape), same, "{init:?} as {other:?}, seed {seed}");
            }
        }
        assert!(draw(Init::Zeros, seed).iter().all(|w| *w == 0.0));
    }
}

#[test]
fn a_sample_that_is_off_centre_or_of_another_width_is_found_out() {
    let weights = draw(Init::HeNormal, 1);
    let deviation = (2.0 / INPUTS as f64).sqrt();
    assert!(fits(&weights, deviation, false));
    let shifted: Vec<_> = weights.iter().map(|w| w + 0.05 * deviation).collect();
    let wider: Vec<_> = weights.iter().map(|w| w * 1.03).collect();
    let cut: Vec<_> = weights.iter().map(|w| w.clamp(-2.0 * deviation, 2.0 * deviation)).collect();
    for spoilt in [shifted, wider, cut] {
        assert!(!fits(&spoilt, deviation, false));
    }
}

#[test]
fn uniform_weights_are_the_generators_numbers_stretched() {
    for (init, deviation, _) in expected().into_iter().filter(|(_, _, uniform)| *uniform) {
        let limit = deviation * 3f64.sqrt();
        let mut rng = Rng::new(9);
        for weight in draw(init, 9) {
            let unit: f64 = rng.uniform(0.0, 1.0);
            assert!((weight - (2.0 * unit - 1.0) * limit).abs() < 1e-15, "{init:?}");
        }
    }
}

/// The first weights of each initialiser for seed 42, as drawn on x86-64; the generator under them is pinned by its
/// specification in `random.rs`. Printed by `cargo test --test init -- --nocapture`.
const GOLDEN: [(Init, [f64; 3]); 8] = [
    (Init::GlorotUniform, [0.04455528573065082, 0.11029449925212634, -0.017754782772298305]),
    (Init::GlorotNormal, [0.033798377491795095, 0.09433303750765869, -0.014910526166726144]),
    (Init::HeUniform, [0.08911057146130164, 0.22058899850425268, -0.03550956554459661]),
    (Init::HeNormal, [0.06759675498359019, 0.18866607501531737, -0.029821052333452287]),
    (Init::LecunUniform, [0.06301068935569482, 0.15597997669750624, -0.025109054593572433]),
    (Init::LecunNormal, [0.04779812383510218, 0.13340706102318078, -0.021086668327103028]),
    (Init::Uniform { limit: 0.3 }, [0.10913771538400285, 0.2701652446034904, -0.043490158286088154]),
    (Init::Normal { deviation: 0.3 }, [0.1433943715053065, 0.40022118306954235, -0.06326000498130908]),
];

#[test]
fn the_first_weights_are_the_same_on_every_platform() {
    let drawn = expected().map(|(init, ..)| (init, [0, 1, 2].map(|i| draw(init, 42)[i])));
    println!("{drawn:?}");
    for ((init, golden), drawn) in GOLDEN.iter().zip(drawn) {
        assert_eq!(*init, drawn.0);
        assert_eq!(golden.map(f64::to_bits), drawn.1.map(f64::to_bits), "{init:?}: {drawn:?}");
    }
}

#[test]
fn f32_weights_are_the_f64_ones_rounded() {
    for (init, ..) in expected() {
        let mut single = vec![f32::NAN; INPUTS * OUTPUTS];
        init.fill(&mut Rng::new(4), INPUTS, OUTPUTS, &mut single);
        assert!(single.iter().zip(draw(init, 4)).all(|(s, d)| *s == d as f32), "{init:?}");
    }
}

#[test]
fn a_network_draws_each_layer_as_suits_its_activation_and_starts_its_biases_at_zero() {
    for (activation, init) in [
        (Activation::Tanh, Init::GlorotUniform),
        (Activation::Sigmoid, Init::GlorotUniform),
        (Activation::Relu, Init::HeUniform),
        (Activation::Gelu, Init::HeUniform),
        (Activation::Selu, Init::LecunNormal),
    ] {
        assert_eq!(Init::suited_to(activation), init);
        let layers = vec![Layer::new(30, activation), Layer::new(20, Activation::Identity)];
        let spec = Spec::new(10, layers).unwrap();
        for given in [None, Some(Init::Normal { deviation: 0.5 })] {
            let net = Network::<f64>::new(spec.clone(), given, &mut Rng::new(8)).unwrap();
            let (mut rng, mut first, mut second) = (Rng::new(8), [0.0; 300], [0.0; 600]);
            given.unwrap_or(init).fill(&mut rng, 10, 30, &mut first);
            given.unwrap_or(Init::GlorotUniform).fill(&mut rng, 30, 20, &mut second);
            assert!(net.weights(0).iter().eq(&first) && net.weights(1).iter().eq(&second), "{activation}");
            assert!(net.bias(0).iter().chain(net.bias(1)).all(|b| *b == 0.0));
        }
    }
}

#[test]
fn names_read_back_and_widths_out_of_range_are_refused() {
    for init in Init::ALL {
        assert_eq!(Init::parse(init.name()).unwrap(), init);
    }
    assert_eq!(Init::parse("uniform=0.25").unwrap(), Init::Uniform { limit: 0.25 });
    assert_eq!(Init::parse("normal=2").unwrap(), Init::Normal { deviation: 2.0 });
    for text in ["xavier", "uniform=-1", "normal=NaN", "he_normal=2", "uniform=", "uniform=1e309"] {
        let error = Init::parse(text).unwrap_err().to_string();
        assert!(
            error.starts_with("init: expected one of glorot_uniform, ") && error.ends_with(&format!("found '{text}'")),
            "{error}"
        );
    }
    let spec = Spec::mlp(2, &[], Activation::Tanh, 2, Activation::Tanh).unwrap();
    for width in [-1.0, f64::NAN, f64::INFINITY, f64::MAX] {
        for (init, name) in [(Init::Uniform { limit: width }, "uniform"), (Init::Normal { deviation: width }, "normal")]
        {
            let error = Network::<f32>::new(spec.clone(), Some(init), &mut Rng::new(0)).unwrap_err().to_string();
            let expected = format!("the constant of {name}: expected a finite number of at least 0, found {width}");
            assert_eq!(error, expected);
        }
    }
}

#[test]
fn nguyen_and_widrows_units_tile_the_interval() {
    for (activation, steepness) in [(Activation::Tanh, 1.0), (Activation::Sigmoid, 2.0)] {
        for (inputs, units) in [(1, 10), (3, 8), (2, 1)] {
            let spec = Spec::mlp(inputs, &[units], activation, 2, Activation::Identity).unwrap();
            let net = Network::<f64>::new(spec, Some(Init::NguyenWidrow), &mut Rng::new(5)).unwrap();
            let length = steepness * 0.7 * (units as f64).powf(1.0 / inputs as f64);
            let mut centres = Vec::new();
            for (unit, weights) in net.weights(0).columns().into_iter().enumerate() {
                let norm = weights.iter().map(|w| w * w).sum::<f64>().sqrt();
                assert!((norm - length).abs() < 1e-12, "{activation}, {inputs}-{units}: {norm} for {length}");
                // Where the unit's weighted sum is 0, along its own direction.
                centres.push(-net.bias(0)[unit] / norm * weights[0].signum());
            }
            // Evenly over -1 to 1, from one end to the other.
            let expected = |unit: usize| if units > 1 { 1.0 - 2.0 * unit as f64 / (units - 1) as f64 } else { 0.0 };
            assert!(centres.iter().enumerate().all(|(u, c)| (c - expected(u)).abs() < 1e-12), "{centres:?}");
            let limit = (6.0 / (units + 2) as f64).sqrt();
            assert!(net.weights(1).iter().all(|w| w.abs() <= limit) && net.bias(1).iter().all(|b| *b == 0.0));
        }
    }
}
