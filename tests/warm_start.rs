//! Going on with a model: warm starts and partial fits, with the bits of one training where it is one, and whatever would change the
//! model's network, preprocessing or classes refused by name.

use deltarule::Result;
use deltarule::data::{ClassWeights, Missing, csv};
use deltarule::model::{Declared, Fitted, Incremental, Model, Recipe, Source, With};
use deltarule::network::noise::Noise;
use deltarule::prelude::*;
use deltarule::train::checkpoint::{Checkpointing, Found};
use deltarule::train::{Averaging, Stopped};
use std::fmt::Write;
use std::ops::ControlFlow;

/// Rows of two numbers, a category and a class.
fn text(rows: std::ops::Range<usize>) -> String {
    let mut text = String::from("a,b,colour,y\n");
    for i in rows {
        let spread = |step: f64| 4.0 * ((i as f64 + 0.5) * step).fract() - 2.0;
        let (a, b, colour) = (spread(0.618_033_988_749_895), spread(std::f64::consts::SQRT_2), ["red", "blue"][i % 2]);
        let class = if a + b + (i % 2) as f64 > 0.6 { "yes" } else { "no" };
        writeln!(text, "{a:.4},{b:.4},{colour},{class}").unwrap();
    }
    text
}

fn read(text: &str) -> Source {
    let table = csv::read_from(text.as_bytes(), "t.csv", &csv::Options::default()).unwrap();
    Source::table(table, &["y"], None).unwrap()
}

fn all(source: &Source) -> Vec<usize> {
    (0..source.rows()).collect()
}

fn fit<T: Float>(recipe: &Recipe, source: &Source) -> Fitted<T> {
    recipe.fit_with(source, &all(source), With::default()).unwrap()
}

fn go_on<T: Float>(recipe: &Recipe, model: &Model<T>, source: &Source) -> Result<Fitted<T>> {
    recipe.fit_from(model, source, &all(source), With::default())
}

fn recipe(epochs: usize) -> Recipe {
    let mut recipe = Recipe { hidden: vec![9], ..Recipe::default() };
    (recipe.trainer.epochs, recipe.trainer.batch) = (epochs, 16);
    recipe.trainer.stopping.patience = usize::MAX;
    recipe
}

/// A recipe to go on with a model, as the one above.
fn further<T: Float>(model: &Model<T>, epochs: usize) -> Recipe {
    let mut recipe = Recipe::of(model);
    recipe.trainer = self::recipe(epochs).trainer;
    recipe
}

fn accuracy<T: Float>(model: &Model<T>, source: &Source) -> f64 {
    model.evaluate(source, &all(source)).unwrap().metrics.get("accuracy").unwrap()
}

/// Steps of no length: 1e-300 of a step is less than half a unit in the last place of any parameter, and 0 in `f32`.
fn keeps_its_parameters<T: Float>() {
    let source = read(&text(0..60));
    let model = fit::<T>(&recipe(20), &source).model;
    let mut still = further(&model, 3);
    still.trainer.learning_rate = 1e-300;
    let fitted = go_on(&still, &model, &read(&text(60..90))).unwrap();
    let bits = |model: &Model<T>| model.network.params().iter().map(|p| p.real().to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&fitted.model), bits(&model));
    assert_eq!((&fitted.model.input, &fitted.model.target), (&model.input, &model.target));
    assert_eq!((fitted.model.provenance.rows, fitted.model.provenance.epochs), (30, 3));
    assert!(fitted.model.provenance.training.contains(&model.parameters_sha256()[..12]));
}

#[test]
fn steps_of_no_length_keep_every_parameter() {
    keeps_its_parameters::<f32>();
    keeps_its_parameters::<f64>();
}

/// Without an optimiser's memory, and with the rows in one order, ten epochs and ten more are twenty. (What would break it: anything of the
/// model that is made anew.)
#[test]
fn ten_epochs_and_ten_more_are_twenty_to_the_bit() {
    let source = read(&text(0..60));
    let plain = |mut recipe: Recipe| {
        recipe.trainer.solver = Solver::Steps(Method::Sgd { momentum: 0.0, nesterov: false });
        (recipe.trainer.learning_rate, recipe.trainer.shuffle) = (0.05, false);
        recipe
    };
    let half = fit::<f32>(&plain(recipe(10)), &source).model;
    let second = go_on(&plain(further(&half, 10)), &half, &source).unwrap();
    let whole = fit::<f32>(&plain(recipe(20)), &source);
    assert_eq!(second.model.network, whole.model.network);
    assert_eq!(second.history.training, whole.history.training[10..]);
    // Other solvers begin where the model stands, too.
    let mut lbfgs = further(&half, 5);
    lbfgs.trainer.solver = Solver::Lbfgs;
    let after = go_on(&lbfgs, &half, &source).unwrap();
    assert!(after.history.training[0] < *whole.history.training.first().unwrap());
}

#[test]
fn another_network_or_preprocessing_is_refused_by_name() {
    let source = read(&text(0..60));
    let model = fit::<f32>(&recipe(2), &source).model;
    let same = further(&model, 1);
    let with = |change: fn(&mut Recipe)| {
        let mut changed = same.clone();
        change(&mut changed);
        changed
    };
    for (changed, says) in [
        (with(|r| r.hidden = vec![9, 4]), &["hidden layers", "expected 1", "found 2"][..]),
        (with(|r| r.hidden = vec![8]), &["units of layer 1", "expected 9", "found 8"]),
        (with(|r| r.activations = vec![Activation::Tanh]), &["activation of layer 1", "relu", "tanh"]),
        (with(|r| r.norm = Norm::Layer), &["norm of layer 1", "expected none", "found layer"]),
        (
            with(|r| (r.output, r.loss) = (Some(Activation::Softmax), None)),
            &["units of layer 2", "expected 1", "found 2"],
        ),
        (with(|r| r.task = Some(deltarule::data::Task::Regress)), &["task", "classify", "regress"]),
        (with(|r| r.init = Some(Init::Zeros)), &["init", "zeros"]),
        (with(|r| r.features.ignore = vec!["b".into()]), &["ignore", "b"]),
        (with(|r| r.features.categorical = vec!["b".into()]), &["categorical", "b"]),
        (with(|r| r.features.missing = Missing::Mean), &["missing", "error", "mean"]),
        (with(|r| r.declared = Declared::classes(["no", "yes"])), &["declared classes"]),
    ] {
        let message = go_on(&changed, &model, &source).unwrap_err().to_string();
        assert!(says.iter().all(|part| message.contains(part)), "{message}");
    }
    // Another loss of the same output may follow, but not rates after numbers.
    let squared = with(|r| r.loss = Some(Loss::Focal { gamma: 1.0 }));
    assert_eq!(go_on(&squared, &model, &source).unwrap().model.loss, Loss::Focal { gamma: 1.0 });
}

#[test]
fn rows_with_what_the_model_has_not_seen_are_refused_with_their_place() {
    let source = read(&text(0..60));
    let model = fit::<f32>(&recipe(2), &source).model;
    let mut learner = Incremental::of(further(&model, 1), model.clone()).unwrap();
    for (text, says) in [
        ("a,b,colour,y\n1,2,red,no\n1,2,red,perhaps\n", &["t.csv:3: column 'y'", "'perhaps'", "'no', 'yes'"][..]),
        ("a,b,colour,y\n1,2,pink,no\n", &["t.csv:2: column 'colour'", "'pink'", "'blue', 'red'"]),
        ("a,colour,y\n1,red,no\n", &["t.csv", "1 column missing", "b"]),
        ("a,b,colour,y\n1,x,red,no\n", &["t.csv:2: column 'b'", "'x'"]),
    ] {
        let source = read(text);
        for message in [
            go_on(&further(&model, 1), &model, &source).unwrap_err().to_string(),
            learner.partial_fit(&source, &all(&source)).unwrap_err().to_string(),
        ] {
            assert!(says.iter().all(|part| message.contains(part)), "{message}");
        }
    }
    let other = csv::read_from(text(0..9).as_bytes(), "t.csv", &csv::Options::default()).unwrap();
    let other = Source::table(other, &["colour"], None).unwrap();
    let message = go_on(&further(&model, 1), &model, &other).unwrap_err().to_string();
    assert!(message.contains("target: expected 'y'") && message.contains("colour"), "{message}");
    let message = further(&model, 1).fit_from(&model, &source, &[], With::default()).unwrap_err().to_string();
    assert!(message.contains("t.csv: no rows to train on"), "{message}");
}

/// Interrupted in its third epoch and resumed; with another model to begin with, its checkpoint is refused.
#[test]
fn a_warm_start_is_resumed_with_the_same_bits() {
    let source = read(&text(0..60));
    let [model, other] = [4, 5].map(|epochs| fit::<f32>(&recipe(epochs), &source).model);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let further = further(&model, 8);
    let run = |model: &Model<f32>, last: usize, found: Found| {
        let mut observe = |epoch: &deltarule::train::Epoch<'_>| match epoch.number {
            number if number == last => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        let checkpoint = Some(Checkpointing { path: &path, every: 1, found, told: None });
        let with = With { observe: Some(&mut observe), checkpoint, ..With::default() };
        further.fit_from(model, &source, &all(&source), with)
    };
    assert_eq!(run(&model, 3, Found::Refuse).unwrap().history.stopped, Stopped::Observer);
    let message = run(&other, 99, Found::Resume).unwrap_err().to_string();
    assert!(message.contains("initial parameters"), "{message}");
    let resumed = run(&model, 99, Found::Resume).unwrap();
    let whole = go_on(&further, &model, &source).unwrap();
    assert_eq!((resumed.model.network, resumed.history), (whole.model.network, whole.history));
}

/// Calls with the same rows are epochs of one training: with an optimiser's memory, noise, an average, a schedule, and any threads.
#[test]
fn calls_are_the_epochs_of_one_training_to_the_bit_for_any_threads() {
    let source = read(&text(0..60));
    let with = |change: fn(&mut Recipe), threads: usize| {
        let mut recipe = recipe(7);
        recipe.hidden = vec![64];
        recipe.trainer.threads = Threads::new(threads).unwrap();
        change(&mut recipe);
        recipe
    };
    let changes: [fn(&mut Recipe); 4] = [
        |_| (),
        |r| r.trainer.noise = Noise { dropout: vec![0.3], ..Noise::default() },
        |r| r.trainer.averaging = Some(Averaging::Exponential { decay: 0.9 }),
        |r| {
            r.trainer.schedule = Schedule::Step { every: 2, factor: 0.5 };
            r.class_weights = Some(ClassWeights::Given(vec![("yes".into(), 3.0)]));
        },
    ];
    for change in changes {
        let whole = fit::<f32>(&with(change, 1), &source);
        for threads in [1, 2, 3] {
            let mut learner = Incremental::<f32>::new(with(change, threads)).unwrap();
            let losses: Vec<f64> = (0..7).map(|_| learner.partial_fit(&source, &all(&source)).unwrap()).collect();
            assert_eq!(losses, whole.history.training);
            assert_eq!(learner.history().rates, whole.history.rates);
            let model = learner.into_model().unwrap();
            assert_eq!(model.network, whole.model.network);
            assert_eq!((model.provenance.rows, model.provenance.epochs), (420, 7));
        }
    }
}

/// Halves in turn, of which one model sees only the first: both are learnt. The line between the classes is another in each half.
#[test]
fn two_halves_are_learnt_in_turn() {
    let halves = [read(&text(0..60)), read(&text(60..120))];
    let mut learner = Incremental::<f32>::new(recipe(1)).unwrap();
    let mut first = None;
    for call in 0..120 {
        let source = &halves[call % 2];
        let loss = learner.partial_fit(source, &all(source)).unwrap();
        first.get_or_insert(loss);
    }
    let model = learner.model().unwrap();
    let last = *learner.history().training.last().unwrap();
    assert!(last < 0.3 * first.unwrap(), "{first:?} to {last}");
    halves.iter().for_each(|half| assert!(accuracy(model, half) >= 0.95, "{}", accuracy(model, half)));
    assert_eq!(model.provenance.class_counts.iter().sum::<usize>(), 120 * 60);
    // The first half's means and deviations.
    assert_eq!(model.input, fit::<f32>(&recipe(1), &halves[0]).model.input);
}

#[test]
fn a_first_batch_need_not_hold_all_classes_and_categories() {
    let one = "a,b,colour,y\n1,2,red,no\n2,1,red,no\n0,0,red,no\n";
    let message =
        Incremental::<f32>::new(recipe(1)).unwrap().partial_fit(&read(one), &[0, 1, 2]).unwrap_err().to_string();
    assert!(message.contains("at least 2 classes") && message.contains("'no'"), "{message}");
    let declared = Declared {
        classes: vec![vec!["yes".into(), "no".into()]],
        categories: vec![("colour".into(), vec!["red".into(), "blue".into()])],
    };
    let mut learner = Incremental::<f32>::new(Recipe { declared, ..recipe(1) }).unwrap();
    learner.partial_fit(&read(one), &[0, 1, 2]).unwrap();
    let full = read(&text(0..60));
    for _ in 0..100 {
        learner.partial_fit(&full, &all(&full)).unwrap();
    }
    let model = learner.model().unwrap();
    // The order is that of a file with all of them.
    let whole = fit::<f32>(&recipe(1), &full).model;
    assert_eq!((&model.target, model.input.names()), (&whole.target, whole.input.names()));
    assert!(accuracy(model, &full) >= 0.9, "{}", accuracy(model, &full));
    // A call that fails changes nothing.
    let before = model.clone();
    let unseen = read("a,b,colour,y\n1,2,red,no\n1,2,red,other\n");
    assert!(learner.partial_fit(&unseen, &[0, 1]).unwrap_err().to_string().contains("t.csv:3: column 'y'"));
    assert_eq!(learner.model(), Some(&before));
    // What is declared amiss.
    for (declared, says) in [
        (Declared::classes(["no"]), &["2 to"][..]),
        (Declared::classes(["no", "no"]), &["distinct"]),
        (Declared { classes: vec![vec![]; 2], categories: vec![] }, &["a list for each target column", "y"]),
        (Declared { classes: vec![], categories: vec![("hue".into(), vec!["red".into()])] }, &["hue"]),
        (Declared { classes: vec![], categories: vec![("colour".into(), vec![])] }, &["colour", "distinct categories"]),
        (Declared::classes(["yes", "perhaps"]), &["t.csv:", "'no'", "'perhaps', 'yes'"]),
    ] {
        let mut learner = Incremental::<f32>::new(Recipe { declared, ..recipe(1) }).unwrap();
        let message = learner.partial_fit(&full, &all(&full)).unwrap_err().to_string();
        assert!(says.iter().all(|part| message.contains(part)), "{message}");
        assert!(learner.model().is_none());
    }
}

#[test]
fn what_has_no_meaning_in_single_passes_is_refused_by_name() {
    let with = |change: fn(&mut Recipe)| {
        let mut recipe = recipe(1);
        change(&mut recipe);
        recipe
    };
    for (recipe, says) in [
        (with(|r| r.trainer.solver = Solver::Lbfgs), "L-BFGS"),
        (with(|r| r.held_back = Some(0.1)), "held back"),
        (with(|r| r.monitor = Some("accuracy".into())), "monitored"),
        (with(|r| r.measures_training = true), "figures of the training rows"),
        (with(|r| r.trainer.stopping.target_loss = Some(0.1)), "target loss"),
        (with(|r| r.trainer.schedule = Schedule::OneCycle { rise: 0.3 }), "one_cycle"),
        (with(|r| r.trainer.schedule = Schedule::Adaptive { divisor: 5.0, least: 1e-6 }), "adaptive"),
        (with(|r| r.trainer.schedule = Schedule::Plateau { patience: 3, factor: 0.1 }), "plateau"),
        (with(|r| r.trainer.averaging = Some(Averaging::Uniform { from: 2 })), "average"),
        (with(|r| r.class_weights = Some(ClassWeights::Balanced)), "balance"),
    ] {
        let message = Incremental::<f32>::new(recipe).unwrap_err().to_string();
        assert!(message.contains(says) && message.contains("partial fit"), "{message}");
    }
}
