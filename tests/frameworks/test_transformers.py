"""BBI in the Trainer of transformers, which accumulates gradients and calls a bare ``step()``."""

import pytest
import torch

pytest.importorskip("transformers", reason="pip install transformers")
pytest.importorskip("accelerate", reason="pip install accelerate")
import transformers

from bbi.frameworks.transformers import PassLoss


class Model(torch.nn.Module):
    """The problem's network, which returns the loss as the Trainer expects it."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x, labels):
        return {"loss": torch.nn.functional.mse_loss(self.net(x), labels)}


class Counting(Model):
    """It normalises by the number of labels in the whole window, as language models do."""

    def forward(self, x, labels, **kwargs):
        return {"loss": (self.net(x) - labels).square().sum() / kwargs["num_items_in_batch"]}


class Trainer(transformers.Trainer):
    """Without shuffling."""

    def _get_train_sampler(self, *args):
        return torch.utils.data.SequentialSampler(self.train_dataset)


class Passing(PassLoss, Trainer):
    """As in the documents."""


def train(problem, path, trainer=Passing, model=Model, epochs=5, resume=None, **settings):
    net = model(problem.network())
    args = transformers.TrainingArguments(
        output_dir=path,
        num_train_epochs=epochs,
        per_device_train_batch_size=16,
        lr_scheduler_type="constant",
        report_to="none",
        use_cpu=True,
        disable_tqdm=True,
        dataloader_pin_memory=False,
        logging_strategy="no",
        **{"save_strategy": "no", "max_grad_norm": 0.0} | settings,
    )
    optimizer = problem.optimizer(net.parameters())
    rows = [{"x": x, "labels": y} for x, y in problem.dataset()]
    trainer(net, args, train_dataset=rows, optimizers=(optimizer, None)).train(resume_from_checkpoint=resume)
    return net, optimizer


@pytest.mark.parametrize("model", [Model, Counting])
@pytest.mark.parametrize("accumulate", [1, 2, 4], ids=["plain", "2", "4, the last window is a half"])
def test_the_step_gets_the_mean_loss(accumulate, model, problem, tmp_path):
    found = train(problem, tmp_path, model=model, gradient_accumulation_steps=accumulate)
    problem.agree(*found, problem.plain(5, accumulate=accumulate))


def test_clipping(problem, tmp_path):
    found = train(problem, tmp_path, gradient_accumulation_steps=2, max_grad_norm=0.5)
    problem.agree(*found, problem.plain(5, accumulate=2, clip=0.5))


def test_without_the_mixin_the_first_step_says_what_to_do(problem, tmp_path):
    with pytest.raises(RuntimeError, match=r"where a framework calls `step\(\)`, `opt.loss = loss`"):
        train(problem, tmp_path, trainer=Trainer)


def test_a_checkpoint_goes_on_as_if_nothing_happened(problem, tmp_path):
    train(problem, tmp_path, epochs=2, gradient_accumulation_steps=2, save_strategy="epoch")
    found = train(problem, tmp_path, epochs=5, gradient_accumulation_steps=2, resume=True)
    problem.agree(*found, problem.plain(5, accumulate=2))
