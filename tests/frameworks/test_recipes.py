"""The recipes of docs/frameworks.md run as they stand, and train as a plain loop does."""

import logging
import re
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/frameworks.md").read_text(encoding="utf-8")
TRAINER = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*`isinstance.treespec, LeafSpec.` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:The '?train_dataloader'? does not have many workers"),
]


def recipe(name):
    """The code under a heading; a heading with two blocks gives the second as "heading 2"."""
    heading, number = re.fullmatch(r"(.*?)(?: (\d))?", name).groups()
    section = re.search(rf"^### {re.escape(heading)}\n(.*?)(?=^### |\Z)", TEXT, re.DOTALL | re.MULTILINE)[1]
    return re.findall(r"```python\n(.*?)```", section, re.DOTALL)[int(number or 1) - 1]


class Module(torch.nn.Module):
    """A module that the Trainer of transformers can train."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x, labels):
        return {"loss": torch.nn.functional.mse_loss(self.net(x), labels)}


def lightning_module(model, optimizer):
    import lightning

    class Automatic(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.model = model

        def training_step(self, batch):
            return torch.nn.functional.mse_loss(self.model(batch[0]), batch[1])

        def configure_optimizers(self):
            return optimizer

    return Automatic()


def run(name, problem, **names):
    """Run a recipe with one pass over the data; the names it leaves."""
    model = problem.network()
    known = {
        "model": model,
        "optimizer": problem.optimizer(model.parameters()),
        "loader": problem.batches(),
        "loss_fn": torch.nn.functional.mse_loss,
        "torch": torch,
        **names,
    }
    exec(compile(recipe(name), "docs/frameworks.md", "exec"), known)
    return known


def test_every_recipe_is_run():
    here = Path(__file__).read_text(encoding="utf-8")
    for heading in re.findall(r"^### (.*)$", TEXT, re.MULTILINE):
        assert f'run("{heading}"' in here, heading
    assert TEXT.count("```python") == here.count("= run(") - 1


def test_accumulated_gradients(problem):
    known = run("Accumulated gradients, in a loop of your own", problem)
    problem.agree(known["model"], known["optimizer"], problem.plain(1, accumulate=2))


def test_grad_scaler(problem):
    known = run("GradScaler", problem, device="cpu")
    _, expected = problem.plain(1, clip=1.0)
    found = known["optimizer"]  # in float16; the scaler, too high at first, skips one of the six steps
    assert known["scaler"].get_scale() == 2.0**15
    torch.testing.assert_close(found.energy, expected.energy, rtol=1e-3, atol=0)
    torch.testing.assert_close(found.potential, expected.potential, rtol=0.05, atol=0)


def test_lightning(problem, tmp_path):
    pytest.importorskip("lightning", reason="pip install lightning")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    model = problem.network()
    optimizer = problem.optimizer(model.parameters())
    settings = {"max_epochs": 1, "accelerator": "cpu", "default_root_dir": tmp_path, **TRAINER}
    settings["enable_model_summary"] = False
    module = lightning_module(model, optimizer)
    known = run("Lightning", problem, module=module, settings=settings)
    problem.agree(model, optimizer, problem.plain(1, accumulate=2))

    known = run("Lightning 2", problem)
    known["lightning"].Trainer(**settings).fit(known["Module"](), problem.batches())
    problem.agree(known["model"], known["optimizer"], problem.plain(1))


def test_fabric(problem):
    pytest.importorskip("lightning", reason="pip install lightning")
    known = run("Fabric", problem, fabric_settings={"accelerator": "cpu", "devices": 1})
    problem.agree(known["model"], known["optimizer"].optimizer, problem.plain(1))


def test_accelerate(problem):
    accelerate = pytest.importorskip("accelerate", reason="pip install accelerate")
    try:
        known = run("Accelerate", problem)
        problem.agree(known["model"], known["optimizer"].optimizer, problem.plain(1, accumulate=2))
    finally:
        accelerate.state.AcceleratorState._reset_state(reset_partial_state=True)
        accelerate.state.GradientState._reset_state()


def test_transformers(problem, tmp_path):
    pytest.importorskip("transformers", reason="pip install transformers")
    pytest.importorskip("accelerate", reason="pip install accelerate")
    settings = {
        "output_dir": tmp_path,
        "num_train_epochs": 1,
        "per_device_train_batch_size": 96,  # one batch, whose order does not matter but for rounding
        "report_to": "none",
        "use_cpu": True,
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
        "logging_strategy": "no",
        "save_strategy": "no",
    }
    model = Module(problem.network())
    optimizer = problem.optimizer(model.parameters())
    rows = [{"x": x, "labels": y} for x, y in problem.dataset()]
    names = {"model": model, "optimizer": optimizer, "dataset": rows, "training_settings": settings}
    known = run("The Trainer of transformers", problem, **names)
    assert known["optimizer"] is optimizer
    x, y = problem.dataset().tensors
    expected = torch.nn.functional.mse_loss(problem.network()(x), y).item()
    assert optimizer.potential.item() == pytest.approx(expected, rel=1e-6)
    assert optimizer.energy.item() == pytest.approx(expected + 0.1, rel=1e-6)


def test_ignite(problem):
    pytest.importorskip("ignite", reason="pip install pytorch-ignite")
    known = run("Ignite", problem)
    problem.agree(known["model"], known["optimizer"], problem.plain(1, accumulate=2))


def test_skorch(problem):
    pytest.importorskip("skorch", reason="pip install skorch")
    x, y = problem.dataset().tensors
    bbi = {"delta_e": 0.1, "t0": 4, "n_bounces": 3, "seed": 3}
    settings = {f"optimizer__{name}": value for name, value in bbi.items()}
    settings |= {"max_epochs": 1, "batch_size": 16, "train_split": None, "verbose": 0}
    known = run("Skorch", problem, skorch_settings=settings, x=x, y=y)
    problem.agree(known["net"].module_, known["net"].optimizer_, problem.plain(1))


def test_one_cycle_and_an_average(problem):
    known = run("OneCycleLR, and an average of the weights", problem)
    settings = {"max_lr": 0.2, "total_steps": 6, "cycle_momentum": False}
    expected = problem.plain(1, schedule=lambda opt: torch.optim.lr_scheduler.OneCycleLR(opt, **settings))
    problem.agree(known["model"], known["optimizer"], expected)
    assert known["average"].n_averaged == 6
