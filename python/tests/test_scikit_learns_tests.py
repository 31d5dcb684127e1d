"""scikit-learn's own tests of its multilayer perceptrons, with ours in their place."""

import importlib

import pytest
import sklearn.neural_network

import deltarule

#: Tests that ask for what only scikit-learn's classes have inside, or for a behaviour that is another here on purpose.
NOT_OURS = {
    "test_fit": "sets private attributes and weights of an estimator that was never fitted",
    "test_gradient": "asks for scikit-learn's private gradient; ours is held against differences by tests/gradients.rs",
    "test_lbfgs_regression_maxfun": "expects ten evaluations not to be enough; ours ends at the minimum before (see below)",
    "test_learning_rate_warmstart": "looks at scikit-learn's private optimiser",
    "test_adaptive_learning_rate": "looks at scikit-learn's private optimiser",
    "test_n_iter_no_change": "looks at scikit-learn's private counter (see test_mlp.py)",
    "test_n_iter_no_change_inf": "looks at scikit-learn's private counter (see test_mlp.py)",
    "test_mlp_classifier_dtypes_casting": "compares probabilities of 1e-6 to a percent of themselves (see below)",
    "test_mlp_diverging_loss": "expects a training that diverged to be kept; here it is an error, with early stopping too",
}


def _theirs():
    """Their module, whose parametrisations see our classes."""
    theirs = sklearn.neural_network.MLPClassifier, sklearn.neural_network.MLPRegressor
    try:
        sklearn.neural_network.MLPClassifier = deltarule.MLPClassifier
        sklearn.neural_network.MLPRegressor = deltarule.MLPRegressor
        module = importlib.import_module("sklearn.neural_network.tests.test_mlp")
        assert module.MLPClassifier is deltarule.MLPClassifier
        return module
    finally:
        sklearn.neural_network.MLPClassifier, sklearn.neural_network.MLPRegressor = theirs


_module = _theirs()
_tests = {name: test for name, test in vars(_module).items() if name.startswith("test_")}
globals().update({name: test for name, test in _tests.items() if name not in NOT_OURS})


@pytest.fixture
def global_random_seed():
    """What their tests are told by their own configuration."""
    return 42


def test_what_is_left_out_is_there_to_be_left_out():
    assert set(NOT_OURS) <= set(_tests)
    assert len(_tests) - len(NOT_OURS) >= 33


def test_lbfgs_stops_after_as_many_evaluations_as_allowed():
    X, y = _module.regression_datasets[0]
    for activation in _module.ACTIVATION_TYPES:
        model = deltarule.MLPRegressor(hidden_layer_sizes=50, activation=activation, solver="lbfgs", tol=0.0, max_fun=10, random_state=1)
        if activation == "identity":
            # A quadratic function: ten evaluations find its minimum.
            model.fit(X, y)
        else:
            with pytest.warns(deltarule._mlp.ConvergenceWarning):
                model.fit(X, y)
        assert model.n_iter_ <= 10


def test_float32_trains_to_the_probabilities_of_float64():
    X, y = _module.X_digits[:300], _module.y_digits[:300]
    settings = {"hidden_layer_sizes": (5,), "random_state": 42, "max_iter": 100}
    with pytest.warns(deltarule._mlp.ConvergenceWarning):
        wide = deltarule.MLPClassifier(**settings).fit(X, y)
    with pytest.warns(deltarule._mlp.ConvergenceWarning):
        narrow = deltarule.MLPClassifier(**settings).fit(X.astype("float32"), y)
    assert narrow.coefs_[0].dtype == "float32"
    # Rounding grows over 200 steps; probabilities agree to a thousandth.
    assert abs(wide.predict_proba(X) - narrow.predict_proba(X.astype("float32"))).max() < 1e-3
