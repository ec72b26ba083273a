"""Compiled functions of tensors against the functions themselves, and what happens without a compiler."""

import pytest
import torch
import torch._inductor

from bbi.compiling import compiled


def slope(x, w):
    """A loss and its gradient."""
    loss = (w * x.sin()).square().sum()
    return [loss.detach(), *torch.autograd.grad(loss, [x])]


def examples():
    g = torch.Generator().manual_seed(0)
    x, w = torch.randn(2, 7, generator=g, dtype=torch.float64).unbind()
    return x.clone().requires_grad_(), w.clone()


def test_a_compiled_function_with_gradients_inside_is_the_function():
    x, w = examples()
    kernel = compiled(slope, [torch.ones_like(x).requires_grad_(), torch.ones_like(w)], what="slope")
    for got, expected in zip(kernel(x, w), slope(x, w), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-13, atol=0)
        assert not got.requires_grad


def test_examples_are_left_alone_and_later_arguments_are_written():
    def double(x):
        x.mul_(2)
        return ()

    x = torch.ones(3)
    kernel = compiled(double, [x], what="double")
    assert (x == 1).all()
    kernel(x)
    assert (x == 2).all()


@pytest.mark.parametrize(
    ("error", "words"), [(RuntimeError("no g++\nmore"), "no g\\+\\+"), (OSError(), "OSError")]
)
def test_without_a_compiler_the_function_itself_comes_back_with_a_warning(monkeypatch, error, words):
    def refuse(*args, **kwargs):
        raise error

    monkeypatch.setattr(torch._inductor, "standalone_compile", refuse)
    with pytest.warns(RuntimeWarning, match=rf"no compiled slope \({words}\): running eagerly"):
        assert compiled(slope, examples(), what="slope") is slope


def test_a_compiler_that_is_older_than_the_cpu_gets_a_second_attempt(monkeypatch):
    def compile_slowly(graph, *args, **kwargs):
        if torch._inductor.config.cpp.vec_isa_ok:
            raise RuntimeError("unknown option -mamx-tile")
        return graph

    monkeypatch.setattr(torch._inductor, "standalone_compile", compile_slowly)
    x = torch.rand(3)
    assert torch.equal(compiled(lambda x: [x + 1], [x], what="sum")(x)[0], x + 1)
