"""BBI in an optuna study: a trial's settings, and pruning by V."""

import pytest
import torch

optuna = pytest.importorskip("optuna", reason="pip install optuna")


def test_a_study_repeats_and_the_best_trial_is_a_plain_training(problem):
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(trial):
        net = problem.network()
        opt = problem.optimizer(net.parameters(), lr=trial.suggest_float("lr", 1e-3, 0.5, log=True))
        for epoch in range(5):
            for x, y in problem.batches():
                opt.zero_grad()
                loss = torch.nn.functional.mse_loss(net(x), y)
                loss.backward()
                opt.step(loss=loss)
            trial.report(opt.potential.item(), epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return opt.potential.item()

    def study():
        pruner = optuna.pruners.MedianPruner(n_startup_trials=2)
        made = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=1), pruner=pruner)
        made.enqueue_trial({"lr": 0.1})
        made.optimize(objective, n_trials=8)
        return made

    first, again = study(), study()
    assert [t.value for t in first.trials] == [t.value for t in again.trials]
    assert first.trials[0].value == problem.plain(5)[1].potential.item()
    assert any(t.state == optuna.trial.TrialState.PRUNED for t in first.trials)
