"""scikit-learn's common checks of estimators, all of them, with no failure expected."""

import pytest
from sklearn.utils.estimator_checks import check_estimator

import deltarule

#: How many of scikit-learn 1.9.1's checks its own classes pass.
THEIRS = {"MLPClassifier": 63, "MLPRegressor": 57}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor", "LogisticRegression", "LinearRegression", "Perceptron"])
def test_every_check_of_scikit_learn_passes(name):
    settings = {"max_iter": 100} if name.startswith("MLP") else {}
    results = check_estimator(getattr(deltarule, name)(**settings), on_fail=None)
    failed = [(result["check_name"], result["exception"]) for result in results if result["status"] not in ("passed", "skipped")]
    assert not failed
    passed = sum(result["status"] == "passed" for result in results)
    assert passed >= THEIRS.get(name, 50)


@pytest.mark.filterwarnings("ignore")
def test_the_checks_find_a_faulty_estimator():
    class Faulty(deltarule.MLPClassifier):
        def predict(self, X):
            self.spoilt = True
            return super().predict(X)

    results = check_estimator(Faulty(max_iter=5), on_fail=None)
    assert any(result["status"] == "failed" for result in results)
