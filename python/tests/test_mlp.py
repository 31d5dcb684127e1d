"""What the estimators promise beyond scikit-learn's: bits, types, interruption, files, and parameters of ours."""

import _thread
import copy
import multiprocessing
import pickle
import threading
import time
import warnings

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits, load_iris, make_classification, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import deltarule
from deltarule import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), y


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X / 16, y


def fitted(X, y, kind=MLPClassifier, **settings):
    return kind(**{"hidden_layer_sizes": (9,), "random_state": 3, "max_iter": 8, **settings}).fit(X, y)


# -- bits ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs", "rprop"])
def test_the_same_bits_for_any_number_of_threads_and_every_time(digits, solver, dtype):
    X, y = digits[0].astype(dtype), digits[1]
    hashes = {fitted(X, y, solver=solver, n_threads=n).parameters_sha256_ for n in (1, 2, 3, 1)}
    assert len(hashes) == 1
    assert fitted(X, y, solver=solver, random_state=4).parameters_sha256_ not in hashes


@pytest.mark.parametrize("count", [1, 7, 1024, 1797])
def test_predictions_have_the_same_bits_for_any_number_of_threads(digits, count):
    X, y = digits
    # Enough of them for a second thread: 4 10^9 multiplications.
    model = fitted(X, y, hidden_layer_sizes=(700,), max_iter=1)
    X = np.tile(X, (40, 1))[: 40 * count]
    one, three = (model.set_params(n_threads=n).predict_proba(X) for n in (1, 3))
    assert (one == three).all()


def test_a_row_says_the_same_alone_as_among_others(digits):
    X, y = digits
    model = fitted(X, y)
    together = model.predict_proba(X[:50])
    alone = np.vstack([model.predict_proba(X[i : i + 1]) for i in range(50)])
    assert np.abs(together - alone).max() < 1e-14
    # The quick way and the careful one are one network.
    careful = model.predict_proba(X[:50].tolist())
    assert (careful == together).all()


# -- types and rows ------------------------------------------------------------------------------------------------------


def test_single_precision_stays_single(digits):
    X, y = digits
    for kind, target in ((MLPClassifier, y), (MLPRegressor, y / 9.0)):
        model = fitted(X.astype(np.float32), target, kind)
        assert {coef.dtype for coef in model.coefs_ + model.intercepts_} == {np.dtype(np.float32)}
        assert model.predict(X.astype(np.float32)).dtype == (np.float32 if kind is MLPRegressor else y.dtype)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("layout", ["csr_matrix", "csc_matrix", "csr_array"])
def test_sparse_rows_are_the_same_rows(digits, solver, layout):
    sparse = pytest.importorskip("scipy.sparse")
    X, y = digits
    rows = getattr(sparse, layout)(X)
    dense, thin = (fitted(x, y, solver=solver, early_stopping=True) for x in (X, rows))
    assert dense.parameters_sha256_ == thin.parameters_sha256_
    assert (dense.predict_proba(X) == thin.predict_proba(rows)).all()


def test_what_is_given_in_odd_shapes_is_read_or_refused_by_name(iris):
    X, y = iris
    model = fitted(X, y)
    expected = model.predict_proba(X)
    padded = np.zeros((300, 8))
    padded[::2, ::2] = X
    across = np.zeros(X.nbytes + 1, np.uint8)[1:].view(float).reshape(X.shape)
    across[:] = X
    assert not across.flags.aligned
    read_only = X.copy()
    read_only.flags.writeable = False
    for rows in (
        np.asfortranarray(X),
        padded[::2, ::2],
        X[::-1][::-1],
        X.astype(">f8"),
        read_only,
        across,
        X.tolist(),
        X.astype(object),
        np.ma.array(X),
    ):
        assert (model.predict_proba(rows) == expected).all()
        assert fitted(rows, y).parameters_sha256_ == model.parameters_sha256_
    targets = np.zeros(150 * 8 + 1, np.uint8)[1:].view(float)
    targets[:] = y
    numbers = fitted(across, targets, MLPRegressor, early_stopping=True).fit(across, targets, targets + 1)
    assert numbers.predict(across).shape == (150,)
    with pytest.raises(TypeError, match="aligned"):
        model._net.predict(across, 1, False)
    for bad, words in (
        (X[0], "Expected 2D array"),
        (X[:, :3], "3 features"),
        (np.where(X == X[5, 2], np.nan, X), "NaN"),
        (np.where(X == X[5, 2], np.inf, X), "infinity"),
        (X[:0], "0 sample"),
        ([["a", "b", "c", "d"]], "could not convert|dtype"),
        ([[1.0, 2.0], [3.0]], ""),
    ):
        with pytest.raises(ValueError, match=words):
            model.predict(bad)
    with pytest.raises(NotFittedError):
        MLPClassifier().predict(X)
    with pytest.raises(AttributeError, match="not fitted"):
        MLPClassifier().coefs_


def test_rows_and_targets_are_never_changed(digits):
    X, y = digits
    Y = np.c_[y > 3, y > 6, y % 2].astype(float)
    before = X.copy(), Y.copy()
    fitted(X, y, dropout=0.2, label_smoothing=0.1, early_stopping=True)
    fitted(X, Y, dropout=0.2, label_smoothing=0.1)
    fitted(X, Y, MLPRegressor, validation_fraction=0.2, early_stopping=True)
    assert (X == before[0]).all() and (Y == before[1]).all()


def test_rows_are_borrowed_and_not_copied():
    tracemalloc = pytest.importorskip("tracemalloc")
    X, y = np.zeros((50_000, 100)), np.arange(50_000) % 2
    X[:, 0] = y
    tracemalloc.start()
    # Some copies of the targets; of the rows, 40 MB, none.
    model = fitted(X, y, hidden_layer_sizes=(2,), max_iter=1)
    model.predict(X)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 20e6


def test_frames_are_read_with_their_names(iris):
    X, y = iris
    names = ["a", "b", "c", "d"]
    for library in ("pandas", "polars"):
        frame = pytest.importorskip(library).DataFrame(dict(zip(names, X.T)))
        model = fitted(frame, y)
        assert model.feature_names_in_.tolist() == names
        assert (model.predict(frame) == fitted(X, y).predict(X)).all()
        with pytest.raises(ValueError, match="feature names"):
            model.predict(frame[["b", "a", "c", "d"]])


def test_rows_of_weight_zero_are_none_and_weights_are_repetitions(iris):
    X, y = iris
    some = np.arange(150) % 3 > 0
    weights = some.astype(float)
    assert fitted(X, y, solver="lbfgs").fit(X, y, weights).parameters_sha256_ == fitted(X[some], y[some], solver="lbfgs").parameters_sha256_
    # Scaled weights are the same weights, the penalty aside, which is over their sum.
    one, four = (fitted(X, y, alpha=0).fit(X, y, np.full(150, weight)) for weight in (1.0, 4.0))
    assert one.parameters_sha256_ == four.parameters_sha256_
    with pytest.raises(ValueError, match="non-zero"):
        fitted(X, y).fit(X, y, np.zeros(150))
    with pytest.raises(ValueError, match="[Nn]egative"):
        fitted(X, y).fit(X, y, np.full(150, -1.0))


# -- interruption ----------------------------------------------------------------------------------------------------------


def test_a_keyboard_interrupt_ends_a_fit_within_a_second_and_keeps_the_model():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(4_000, 100)), rng.integers(0, 5, 4_000)
    for solver in ("adam", "lbfgs", "sgd"):
        model = MLPClassifier((300, 300), solver=solver, max_iter=10_000, tol=0, n_iter_no_change=np.inf, random_state=0)
        struck = []

        def strike():
            time.sleep(0.7)
            struck.append(time.perf_counter())
            _thread.interrupt_main()

        threading.Thread(target=strike).start()
        with pytest.warns(UserWarning, match="Training interrupted by user"):
            model.fit(X, y)
        assert time.perf_counter() - struck[0] < 1.0
        assert model.stopped_ == "interrupted"
        assert np.isfinite(model.predict_proba(X[:10])).all()
        model.set_params(max_iter=1, warm_start=True).fit(X[:100], np.arange(100) % 5)


def test_an_exception_of_a_callback_is_its_own_and_the_model_stays(iris):
    X, y = iris

    class Mine(Exception):
        pass

    def callback(epoch):
        if epoch["epoch"] == 3:
            raise Mine("three")

    model = MLPClassifier((5,), callbacks=callback, random_state=0, max_iter=50)
    with pytest.raises(Mine, match="three"):
        model.fit(X, y)
    assert model.n_iter_ == 3
    assert model.predict(X).shape == (150,)


def test_callbacks_hear_of_each_epoch_and_may_end_the_training(iris):
    X, y = iris
    heard = []
    model = fitted(X, y, max_iter=20, early_stopping=True, callbacks=[heard.append, lambda epoch: epoch["epoch"] == 4])
    assert [epoch["epoch"] for epoch in heard] == [1, 2, 3, 4]
    assert model.stopped_ == "observer"
    assert [epoch["loss"] for epoch in heard] == model.loss_curve_
    assert [epoch["scores"]["accuracy"] for epoch in heard] == model.validation_scores_
    assert [epoch["validation_loss"] for epoch in heard] == model.validation_loss_curve_
    assert {epoch["learning_rate"] for epoch in heard} == {0.001}


def _child(queue, X, y, expected):
    model = MLPClassifier((9,), random_state=3, max_iter=8, n_threads=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        queue.put(model.fit(X, y).parameters_sha256_ == expected)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_trains_too(iris):
    X, y = iris
    expected = fitted(X, y, n_threads=2).parameters_sha256_
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_child, args=(queue, X, y, expected))
    child.start()
    assert queue.get(timeout=10)
    child.join(10)
    assert child.exitcode == 0


def test_an_array_that_changes_during_a_fit_does_no_harm(digits):
    X, y = digits
    X = X.copy()
    over = threading.Event()

    def change():
        while not over.is_set():
            X[:] = np.abs(X - 0.01)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        fitted(X, y, max_iter=20)
    finally:
        over.set()
        thread.join()


def test_two_threads_fit_and_predict_at_once(digits):
    X, y = digits
    expected = fitted(X, y).parameters_sha256_
    model = fitted(X, y)
    said = model.predict_proba(X)
    found = []

    def work(i):
        found.append(fitted(X, y).parameters_sha256_ == expected and (model.predict_proba(X) == said).all())

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert found == [True] * 4


# -- copies and files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", [None, "batch", "layer"])
def test_pickles_and_copies_are_the_same_model(iris, norm):
    X, y = iris
    model = fitted(X, y, norm=norm)
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert again.parameters_sha256_ == model.parameters_sha256_
        assert (again.predict_proba(X) == model.predict_proba(X)).all()
        assert again.loss_curve_ == model.loss_curve_
    assert not hasattr(clone(model), "classes_")


def test_a_pickled_training_in_parts_goes_on_to_the_same_bits(iris):
    X, y = iris
    model = MLPClassifier((9,), random_state=3)
    for _ in range(3):
        model.partial_fit(X, y, classes=[0, 1, 2])
    again = pickle.loads(pickle.dumps(model))
    for _ in range(3):
        model.partial_fit(X, y)
        again.partial_fit(X, y)
    assert again.parameters_sha256_ == model.parameters_sha256_
    # As many passes of one fit.
    whole = MLPClassifier((9,), random_state=3, max_iter=6, n_iter_no_change=np.inf).fit(X, y)
    assert whole.parameters_sha256_ == model.parameters_sha256_


def test_a_corrupt_pickle_is_refused(iris):
    X, y = iris
    state = fitted(X, y)._net.__getstate__()
    whole = bytes(state["model"])
    net = fitted(X, y)._net
    for bad in (whole[:-1], whole[: len(whole) // 2], b"", whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:]):
        with pytest.raises(ValueError):
            net.__setstate__({"model": bad})
    with pytest.raises(ValueError, match="without its model"):
        net.__setstate__({})


def test_a_saved_estimator_comes_back(tmp_path, iris):
    X, y = iris
    words = np.array(["setosa", "versicolor", "virginica"])[y]
    cases = [
        (fitted(X, y), X),
        (fitted(X, words), X),
        (fitted(X, y == 1), X),
        (fitted(X, y * 1.0), X),
        (fitted(X, X[:, 0], MLPRegressor), X),
        (fitted(X, X[:, :2], MLPRegressor, norm="batch"), X),
        (fitted(X, np.c_[y > 0, y > 1].astype(int)), X),
        (fitted(X.astype(np.float32), y, loss="hinge", activation=["tanh"]), X.astype(np.float32)),
        (deltarule.LogisticRegression().fit(X, words), X),
        (deltarule.LinearRegression(fit_intercept=False).fit(X, y), X),
        (deltarule.Perceptron(random_state=0).fit(X, y), X),
    ]
    for i, (model, rows) in enumerate(cases):
        path = tmp_path / f"{i}.safetensors"
        model.save(path)
        with pytest.raises(OSError):
            model.save(path)
        model.save(path, overwrite=True)
        again = deltarule.load(path)
        assert type(again) is type(model)
        assert again.parameters_sha256_ == model.parameters_sha256_
        assert (again.predict(rows) == model.predict(rows)).all()
        assert again.predict(rows).dtype == model.predict(rows).dtype
    with pytest.raises(FileNotFoundError):
        deltarule.load(tmp_path / "none.safetensors")
    (tmp_path / "bad").write_bytes(b"\0" * 100)
    with pytest.raises(deltarule.ModelFileError):
        deltarule.load(tmp_path / "bad")


@pytest.mark.parametrize("classes", [["0", "1"], ["False", "True"], [0, 7], [False, True], [0.0, 1.5], np.array([1, 2], np.uint8)])
def test_classes_come_back_as_what_they_were(tmp_path, iris, classes):
    X, y = iris
    model = fitted(X, np.array(classes)[(y > 0).astype(int)], solver="lbfgs") if np.array(classes).dtype != float else None
    if model is None:
        # Of numbers with a fraction there are no classes.
        return
    model.save(tmp_path / "m.safetensors")
    again = deltarule.load(tmp_path / "m.safetensors")
    assert again.classes_.dtype.kind == model.classes_.dtype.kind
    assert (again.predict(X) == model.predict(X)).all()


def test_one_class_alone_is_learnt_and_not_saved(tmp_path, iris):
    model = fitted(iris[0], np.full(150, 4))
    assert (model.predict(iris[0]) == 4).all()
    with pytest.raises(ValueError, match="expected two or more"):
        model.save(tmp_path / "m.safetensors")


def test_a_subclass_is_saved_and_loaded(tmp_path, iris):
    class Mine(MLPClassifier):
        pass

    fitted(*iris, Mine).save(tmp_path / "m.safetensors")
    assert type(deltarule.load(tmp_path / "m.safetensors")) is MLPClassifier


def test_scikit_learn_has_no_hinge_and_its_names_are_its_own(iris):
    X, y = iris
    with pytest.raises(ValueError, match="no output but"):
        fitted(X, y, loss="hinge").to_sklearn()
    assert fitted(X, y, activation=["sigmoid"]).to_sklearn().activation == "logistic"
    for bad in (MLPRegressor().fit(X, y), StandardScaler().fit(X)):
        with pytest.raises(TypeError, match="expected scikit-learn's MLPClassifier"):
            MLPClassifier.from_sklearn(bad)


def test_scikit_learns_networks_come_in_and_go_out(iris):
    from sklearn import neural_network

    X, y = iris
    cases = [
        (neural_network.MLPClassifier((7, 5), "tanh", max_iter=30, random_state=0).fit(X, y), MLPClassifier),
        (neural_network.MLPClassifier((7,), max_iter=30, random_state=0).fit(X, y == 0), MLPClassifier),
        (neural_network.MLPClassifier((7,), max_iter=30, random_state=0).fit(X, np.c_[y > 0, y > 1].astype(int)), MLPClassifier),
        (neural_network.MLPRegressor(hidden_layer_sizes=(7,), max_iter=30, random_state=0).fit(X, y), MLPRegressor),
        (neural_network.MLPRegressor("poisson", (7,), max_iter=30, random_state=0).fit(X, X[:, :2] ** 2), MLPRegressor),
    ]
    for theirs, kind in cases:
        ours = kind.from_sklearn(theirs)
        back = ours.to_sklearn()
        for a, b, c in zip(theirs.coefs_ + theirs.intercepts_, ours.coefs_ + ours.intercepts_, back.coefs_ + back.intercepts_):
            assert (a == b).all() and (a == c).all()
        what = "predict_proba" if kind is MLPClassifier else "predict"
        assert np.abs(getattr(ours, what)(X) - getattr(theirs, what)(X)).max() < 1e-13
        assert (getattr(back, what)(X) == getattr(theirs, what)(X)).all()
        assert (ours.predict(X) == theirs.predict(X)).all() or kind is MLPRegressor


def test_weights_can_be_replaced_and_not_written_to(iris):
    X, y = iris
    model = fitted(X, y)
    with pytest.raises(ValueError, match="read-only"):
        model.coefs_[0][0, 0] = 1
    coefs, intercepts = [c * 2 for c in model.coefs_], model.intercepts_
    model.set_weights(coefs, intercepts)
    assert (model.coefs_[0] == coefs[0]).all()
    for bad in (coefs[:1], [coefs[0].T, coefs[1]], [np.full_like(coefs[0], np.nan), coefs[1]]):
        with pytest.raises(ValueError):
            model.set_weights(bad, intercepts)


# -- parameters ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "solver", ["adam", "sgd", "adamw", "amsgrad", "nadam", "rmsprop", "adagrad", "adadelta", "lion", "lbfgs", "rprop", "scg", "lm", "bayes"]
)
def test_every_solver_learns(iris, solver):
    X, y = iris
    rate = {"adadelta": 1.0, "adagrad": 0.05, "lion": 0.003}.get(solver, 0.01)
    if solver == "bayes":
        model = MLPRegressor(hidden_layer_sizes=5, activation="tanh", solver=solver, alpha=0, random_state=0).fit(X, y)
        assert model.score(X, y) > 0.95
        return
    settings = {"alpha": 0.0} if solver == "lm" else {}
    model = MLPClassifier((10,), "tanh", solver=solver, learning_rate_init=rate, max_iter=300, random_state=0, **settings).fit(X, y)
    assert model.score(X, y) > 0.95


def test_every_parameter_of_ours_has_an_effect(digits):
    X, y = digits[0][:400], digits[1][:400]
    plain = fitted(X, y).parameters_sha256_
    for settings in (
        {"loss": "focal"},
        {"class_weight": {0: 5.0}},
        {"label_smoothing": 0.1},
        {"norm": "layer"},
        {"norm": "batch"},
        {"dropout": 0.2},
        {"dropout": [0.2]},
        {"input_dropout": 0.1},
        {"input_noise": 0.1},
        {"l1": 0.01},
        {"solver_options": {"beta1": 0.5}},
        {"schedule": "cosine"},
        {"warm_up": 2},
        {"clip_norm": 0.01},
        {"clip_value": 0.001},
        {"ema": 0.9},
        {"swa": 2},
        {"max_norm": 0.5},
        {"init": "he_normal"},
        {"activation": ["tanh"]},
        {"output_activation": "sigmoid", "loss": "squared_error"},
        {"target_loss": 2.35},
        {"solver": "adamw", "weight_decay": 0.5},
    ):
        assert fitted(X, y, **settings).parameters_sha256_ != plain, settings
    # These change no bit.
    for settings in ({"watch_gradients": 5}, {"n_threads": 2}, {"time_limit": 1e6}, {"callbacks": lambda epoch: False}):
        assert fitted(X, y, **settings).parameters_sha256_ == plain, settings


@pytest.mark.parametrize(
    "settings",
    [
        {"hidden_layer_sizes": (0,)},
        {"hidden_layer_sizes": -1},
        {"activation": "nothing"},
        {"activation": ["relu", "relu"]},
        {"loss": "poisson "},
        {"dropout": 1.0},
        {"dropout": [0.1, 0.1]},
        {"schedule": "cosine", "learning_rate": "adaptive"},
        {"clip_norm": 1.0, "clip_value": 1.0},
        {"ema": 0.9, "swa": 2},
        {"solver": "lbfgs", "dropout": 0.2},
        {"solver": "lbfgs", "solver_options": {"beta1": 0.5}},
        {"solver_options": {"nonsense": 1}},
        {"monitor": "nonsense", "early_stopping": True},
        {"random_state": -1},
        {"gemm": "nonsense"},
        {"tol": -1.0},
        {"n_iter_no_change": 2.5},
        {"init": "nonsense"},
        {"norm": "nonsense"},
        {"label_smoothing": 1.0},
    ],
)
def test_settings_out_of_range_are_refused_by_name(iris, settings):
    with pytest.raises((ValueError, TypeError)) as caught:
        fitted(*iris, **settings)
    assert not type(caught.value).__name__.startswith("Panic")


def test_early_stopping_keeps_the_best_and_parts_the_rows_by_class(digits):
    X, y = digits
    model = MLPClassifier((30,), early_stopping=True, random_state=0, max_iter=100).fit(X, y)
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.best_loss_ is None
    train, test = deltarule._deltarule.hold_back(len(y), y.tolist(), [str(i) for i in range(10)], 0.1, 0)
    assert abs(np.bincount(y[test]) - np.bincount(y) * 0.1).max() < 1
    assert sorted(train + test) == list(range(len(y)))
    assert model.score(X[test], y[test]) == pytest.approx(model.best_validation_score_, abs=1e-12)
    # Rows of one's own in their place.
    own = MLPClassifier((30,), random_state=0, max_iter=100).fit(X[train], y[train], validation_data=(X[test], y[test]))
    assert own.best_validation_score_ == own.score(X[test], y[test])
    regressor = MLPRegressor(early_stopping=True, random_state=0, max_iter=20, monitor="mae").fit(X, y)
    assert len(regressor.validation_scores_) == regressor.n_iter_


def test_patience_and_tolerance_are_counted_as_scikit_learn_counts_them(iris):
    X, y = iris
    for patience in (1, 2, 5):
        model = MLPClassifier((5,), tol=10.0, n_iter_no_change=patience, random_state=0).fit(X, y)
        # The first epoch improves on nothing; then one more than are borne.
        assert model.n_iter_ == patience + 2
    with pytest.warns(ConvergenceWarning, match="Maximum iterations \\(4\\)"):
        assert MLPClassifier((5,), max_iter=4, tol=10.0, n_iter_no_change=np.inf, random_state=0).fit(X, y).n_iter_ == 4


def test_a_warm_start_goes_on_and_another_network_is_refused(iris):
    X, y = iris
    model = fitted(X, y, warm_start=True)
    before = model.loss_
    assert model.fit(X, y).loss_ < before
    with pytest.raises(ValueError, match="warm_start can only be used with the network that was trained"):
        model.set_params(hidden_layer_sizes=(9, 4)).fit(X, y)
    with pytest.raises(ValueError, match="same classes"):
        model.set_params(hidden_layer_sizes=(9,)).fit(X, y > 0)


def test_a_training_that_runs_away_is_an_error_that_says_where(digits):
    X, y = digits
    with pytest.raises(ValueError, match="Solver produced non-finite parameter weights.*epoch .*batch") as caught:
        MLPRegressor(solver="sgd", learning_rate_init=1e6, random_state=0).fit(X, y)
    assert isinstance(caught.value, deltarule.DivergenceError)


def test_balanced_classes_find_the_rare_one():
    X, y = make_classification(600, 10, n_informative=6, weights=[0.97], flip_y=0, random_state=1)
    plain, balanced = (fitted(X, y, max_iter=40, class_weight=weight) for weight in (None, "balanced"))
    recall = [np.mean(model.predict(X)[y == 1] == 1) for model in (plain, balanced)]
    assert recall[1] > recall[0] + 0.2


def test_several_labels_and_several_numbers():
    X, Y = make_multilabel_classification(200, random_state=0)
    model = MLPClassifier((20,), solver="lbfgs", random_state=0, max_iter=300).fit(X, Y)
    assert model.out_activation_ == "logistic"
    assert model.predict(X).shape == Y.shape and model.score(X, Y) > 0.9
    assert model.predict_proba(X).shape == Y.shape
    numbers = MLPRegressor(hidden_layer_sizes=20, solver="lbfgs", random_state=0, max_iter=500).fit(X, X[:, :3] ** 2)
    assert numbers.predict(X).shape == (200, 3) and numbers.score(X, X[:, :3] ** 2) > 0.9


def test_losses_of_regression_fit_what_they_are_for():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (400, 1))
    y = X[:, 0] + rng.normal(scale=0.1, size=400)
    high = MLPRegressor("quantile=0.9", (10,), solver="adam", learning_rate_init=0.01, random_state=0).fit(X, y)
    assert 0.85 < np.mean(high.predict(X) > y) < 0.95
    counts = rng.poisson(np.exp(1 + X[:, 0]))
    poisson = MLPRegressor("poisson", (10,), solver="lbfgs", alpha=3.0, random_state=0).fit(X, counts)
    assert np.abs(np.log(poisson.predict(X)) - 1 - X[:, 0]).max() < 0.35
    with pytest.raises(ValueError, match=r"y\[7\] is -1"):
        poisson.fit(X, np.where(np.arange(400) == 7, -1, counts))


def test_pipelines_and_searches_take_it():
    X, y = load_diabetes(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), MLPRegressor(solver="lbfgs", max_iter=200, random_state=0))
    search = GridSearchCV(pipeline, {"mlpregressor__hidden_layer_sizes": [(3,), (5,)], "mlpregressor__alpha": [1.0, 30.0]}, cv=3, n_jobs=2)
    assert search.fit(X, y).best_score_ > 0.3


def test_labels_are_smoothed_each_by_itself():
    _, Y = make_multilabel_classification(300, n_classes=20, random_state=0)
    # Rows that are all alike teach the mean of the targets.
    model = MLPClassifier((), solver="lbfgs", label_smoothing=0.2, alpha=0.0, tol=1e-9, random_state=0).fit(np.ones((300, 1)), Y)
    assert np.abs(model.predict_proba([[1.0]])[0] - (0.1 + 0.8 * Y.mean(axis=0))).max() < 1e-4


def test_what_fails_changes_nothing(iris):
    X, y = iris
    model = MLPClassifier((5,), loss="nonsense", random_state=0)
    with pytest.raises(ValueError):
        model.fit(X, y)
    with pytest.raises(NotFittedError):
        model.predict(X)
    model.set_params(loss="log_loss").fit(X, y)
    before = model.parameters_sha256_, model.classes_
    for settings, rows, classes in (
        ({"loss": "nonsense"}, X, y),
        ({"monitor": "accuracy"}, X, y),
        ({"activation": "nonsense"}, X, y + 5),
        ({"learning_rate_init": 1e30, "solver": "sgd"}, X * 1e20, y + 5),
    ):
        with pytest.raises(ValueError):
            clone(model).set_params(**settings)
            model.set_params(**settings).fit(rows, classes)
        assert (model.parameters_sha256_, model.classes_) == (before[0], before[1])
        model.set_params(loss="log_loss", monitor=None, activation="relu", learning_rate_init=0.001, solver="adam")


def test_rows_that_judge_may_be_of_another_type_and_figures_may_fall(digits):
    X, y = digits
    for x in (X.astype(np.float32), X):
        model = fitted(X.astype(np.float32), y).fit(X.astype(np.float32), y, validation_data=(x, y))
        assert model.coefs_[0].dtype == np.float32
    warm = fitted(X, y, early_stopping=True, warm_start=True)
    warm.fit(X.astype(np.float32), y)
    falling = fitted(X, y / 9.0, MLPRegressor, early_stopping=True, monitor="mae", max_iter=30)
    assert falling.best_validation_score_ == min(falling.validation_scores_) < falling.validation_scores_[0]


def test_parts_know_no_end_and_count_on(iris, capsys):
    X, y = iris
    for settings in ({"schedule": "one_cycle"}, {"schedule": "cosine"}, {"swa": 5}):
        with pytest.raises(ValueError, match="partial_fit"):
            MLPClassifier((5,), **settings).partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="balanced"):
        MLPClassifier((5,), class_weight="balanced").partial_fit(X, y, classes=[0, 1, 2])
    heard = []
    model = MLPClassifier((5,), verbose=True, random_state=0, callbacks=lambda epoch: heard.append(epoch["epoch"]))
    for _ in range(3):
        model.partial_fit(X, y, classes=[0, 1, 2])
    assert heard == [1, 2, 3] and model.n_iter_ == len(model.loss_curve_) == 3
    assert [line.split(",")[0] for line in capsys.readouterr().out.splitlines()] == ["Iteration 1", "Iteration 2", "Iteration 3"]
    # Another optimiser remembers nothing of the last one's.
    model.set_params(solver="sgd").partial_fit(X, y)
    assert model.n_iter_ == 4


def test_a_network_in_training_says_so(iris):
    X, y = iris
    said = []

    def look(epoch):
        try:
            model.predict(X)
        except RuntimeError as error:
            said.append(str(error))

    model = fitted(X, y, warm_start=True)
    model.set_params(callbacks=look, max_iter=2).fit(X, y)
    assert len(said) == 2 and "being trained" in said[0]


def test_linear_regression_finds_what_least_squares_find():
    from sklearn.linear_model import LinearRegression

    rng = np.random.default_rng(0)
    base = rng.normal(size=(200, 4))
    weights = rng.uniform(0.5, 2, 200)
    y = (base @ [1.0, -2.0, 3.0, 0.5] + rng.normal(scale=0.1, size=200)) * 1e-8 + 5
    # Neither scales nor shifts of the columns change what the best prediction is.
    best = LinearRegression().fit(base, y, weights).predict(base)
    for X in (base, base * [1e-6, 1, 1e4, 1e8], base + 1e6, base + [0, 1.7e9, 0, 0]):
        ours = deltarule.LinearRegression().fit(X, y, weights)
        assert np.abs(best - ours.predict(X)).max() < 1e-4 * np.std(best)
    through = LinearRegression(fit_intercept=False).fit(base, y, weights).predict(base)
    for X in (base, base * [1e-6, 1, 1e4, 1e8]):
        ours = deltarule.LinearRegression(fit_intercept=False).fit(X, y, weights)
        assert np.abs(through - ours.predict(X)).max() < 1e-9 * np.std(through)
    several = np.c_[y, 1e5 * base[:, 0]]
    theirs, ours = LinearRegression().fit(base, several), deltarule.LinearRegression().fit(base, several)
    assert ours.coef_.shape == theirs.coef_.shape == (2, 4)
    # Beside the rounding of 5.0, which the first one lies about.
    assert (np.abs(theirs.predict(base) - ours.predict(base)).max(axis=0) < 1e-9 * several.std(axis=0) + 4e-15).all()


def test_logistic_regression_reaches_scikit_learns_minimum():
    from sklearn.datasets import load_breast_cancer
    from sklearn.linear_model import LogisticRegression

    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    theirs, ours = LogisticRegression(tol=1e-8).fit(X, y), deltarule.LogisticRegression(tol=1e-8).fit(X, y)
    assert np.abs(theirs.predict_proba(X) - ours.predict_proba(X)).max() < 1e-5
    assert np.allclose(theirs.coef_, ours.coef_, atol=1e-4)


def test_verbose_says_what_scikit_learn_says(iris, capsys):
    fitted(*iris, verbose=True, early_stopping=True, max_iter=2)
    said = capsys.readouterr().out
    assert "Iteration 1, loss = " in said and "Iteration 2, loss = " in said and "Validation score: " in said
