"""BBI in skorch, which passes a closure, and its settings through scikit-learn's search."""

import numpy as np
import pytest

pytest.importorskip("skorch", reason="pip install skorch")
from sklearn.model_selection import GridSearchCV
from skorch import NeuralNetRegressor

from bbi import BBI


def regressor(problem, **settings):
    bbi = {"lr": 0.1, "delta_e": 0.1, "t0": 4, "n_bounces": 3, "seed": 3}
    return NeuralNetRegressor(
        problem.network(),
        optimizer=BBI,
        **{f"optimizer__{name}": value for name, value in bbi.items()},
        batch_size=16,
        max_epochs=5,
        train_split=None,
        verbose=0,
        **settings,
    )


def data(problem):
    return tuple(tensor.numpy().astype(np.float32) for tensor in problem.dataset().tensors)


def test_accumulated_gradients(problem):
    class Accumulating(NeuralNetRegressor):
        """Skorch's own recipe, with a line that sums the losses."""

        def get_loss(self, *args, **kwargs):
            loss = super().get_loss(*args, **kwargs) / 2
            opt = self.optimizer_
            opt.loss = loss.detach() if opt.loss is None else opt.loss + loss.detach()
            return loss

        def train_step(self, batch, **fit_params):
            self.count = getattr(self, "count", 0) + 1
            step = self.train_step_single(batch, **fit_params)
            if self.count % 2 == 0:
                self.optimizer_.step()
                self.optimizer_.zero_grad()
            return step

    settings = regressor(problem).get_params(deep=False)
    net = Accumulating(**settings).fit(*data(problem))
    problem.agree(net.module_, net.optimizer_, problem.plain(5, accumulate=2))


def test_a_search_over_its_settings(problem):
    search = GridSearchCV(regressor(problem), {"optimizer__lr": [1e-6, 0.1]}, cv=2)
    assert search.fit(*data(problem)).best_params_ == {"optimizer__lr": 0.1}


@pytest.mark.parametrize("name", ["lr", "delta_e"])
def test_a_misspelled_setting_is_named(name, problem):
    net = regressor(problem).set_params(**{f"optimizer__{name}x": 1.0})
    with pytest.raises(TypeError, match=f"{name}x"):
        net.fit(*data(problem))
