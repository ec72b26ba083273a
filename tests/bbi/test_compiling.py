"""Compiled functions of tensors against the functions themselves, and what happens without a compiler."""

import pytest
import torch
import torch._inductor

from bbi.compiling import compiled, frozen


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


def counted(kernel):
    """A kernel, and the list that grows with each call of it."""
    calls = []

    def call(*tensors):
        calls.append(tensors)
        return kernel(*tensors)

    return call, calls


def advance(x, n):
    n.add_(1)
    x.copy_(torch.where(x < 0, torch.nan, (x * n).cos() + 2))
    return ()


def begin():
    return torch.tensor([0.3, -1.0, 2.0], dtype=torch.float64), torch.zeros((), dtype=torch.float64)


@pytest.fixture(scope="module")
def advancing():
    """The compiled function; its examples are left alone."""
    examples = begin()
    kernel = compiled(advance, examples, what="advance")
    assert all(map(torch.equal, examples, begin()))
    return kernel


def test_frozen_calls_do_what_the_kernel_does_without_it(advancing):
    start, given = begin(), begin()
    kernel, calls = counted(advancing)
    step = frozen(kernel, given)
    assert all(torch.equal(x, y) for x, y in zip(given, start, strict=True))
    calls.clear()
    for number in range(1, 4):
        step()
        start[1].fill_(number - 1)
        advance(*start)
        assert given[1] == number
        torch.testing.assert_close(given[0], start[0], rtol=1e-14, atol=0, equal_nan=True)
    assert not calls


def test_a_kernel_that_does_more_than_its_calls_is_not_frozen():
    def solve(x):
        x.copy_(torch.linalg.solve(x + 2, x * 0 + 1))
        return ()

    x = torch.eye(2, dtype=torch.float64)
    expected = torch.linalg.solve(x + 2, x * 0 + 1)
    kernel, calls = counted(compiled(solve, [x], what="solve"))
    step = frozen(kernel, [x])
    calls.clear()
    step()
    assert len(calls) == 1
    torch.testing.assert_close(x, expected)


def test_a_function_that_does_more_after_its_kernel_is_not_frozen(advancing):
    x, n = begin()
    kernel, calls = counted(lambda x, n: (advancing(x, n), n.mul_(2)))
    step = frozen(kernel, [x, n])
    calls.clear()
    step()
    assert len(calls) == 1
    assert n == 2
