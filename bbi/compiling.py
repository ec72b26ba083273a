"""Compiling a function of tensors, with eager torch where there is no compiler."""

import contextlib
import functools
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

Function = Callable[..., Any]
FAST_START = {"cpp.vec_isa_ok": True, "aot_inductor.enable_line_tables": False}
"""Settings of inductor that save compile time: no trial compilations to find out which of the CPU's vector
instructions the compiler supports, and no debugging symbols."""


def compiled(
    function: Function, examples: Sequence[Tensor], *, what: str, options: dict[str, Any] | None = None
) -> Function:
    """One kernel that inductor makes of a function of tensors, called without dynamo's guards.

    If it cannot be made, a RuntimeWarning says why, and ``function`` itself is returned.

    Args:
        function: Maps tensors to a list or tuple of tensors; it may write to them, and take gradients of them
            by ``torch.autograd.grad``.
        examples: Tensors of the shapes and dtypes of all later calls; their values are left alone.
        what: What it is, for the warning.
        options: Further settings of ``torch._inductor.config``.
    """
    try:
        try:
            with _known_instructions():
                kernel = _compile(function, examples, {**FAST_START, **(options or {})})
        except Exception:  # a compiler that is older than the CPU needs the trial compilations
            kernel = _compile(function, examples, options or {})
    except Exception as error:  # whatever a missing or failing compiler raises
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        warnings.warn(
            f"no compiled {what} ({reason}): running eagerly, more slowly and with other last bits; "
            "a C++ compiler on the PATH (g++ or clang++) brings the speed back",
            RuntimeWarning,
            stacklevel=2,
        )
        return function
    if not any(x.requires_grad for x in examples):
        return kernel

    def without_graph(*tensors: Tensor) -> Any:
        with torch.no_grad():
            return kernel(*(x.detach() for x in tensors))

    return without_graph


PLAIN = {"torch", "float64", "int64", "bool", "empty_strided_cpu", "clear"}
"""What the Python code around a kernel's calls may use, besides checks of shapes, to be left out."""


def frozen(kernel: Function, tensors: Sequence[Tensor]) -> Callable[[], Any]:
    """``kernel(*tensors)`` for tensors that stay, as the calls into C++ that it makes.

    The Python code around them, which allocates buffers, takes as long as a step of 500 runs does. The
    kernel itself is taken if it does more than allocate and call, or if the calls do not repeat its results.

    Args:
        kernel: From :func:`compiled`, with tensors as its results only where it writes to its arguments.
        tensors: On the CPU; they are written to, and have their values again at the end.

    Returns:
        A function without arguments and results.
    """
    from torch._inductor.codecache import PyCodeCache

    whole = functools.partial(kernel, *tensors)
    calls: list[tuple[Function, tuple[Any, ...]]] = []
    names: set[str] = set()

    def recording(function: Function) -> Function:
        def record(*args: Any) -> Any:
            calls.append((function, args))
            names.update(sys._getframe(1).f_code.co_names)
            return function(*args)

        return record

    def replay() -> None:
        for function, args in calls:
            function(*args)

    spaces = [vars(module) for module in getattr(PyCodeCache, "modules", ())]
    functions = [(s, name, f) for s in spaces for name, f in s.items() if name.startswith("cpp_fused")]
    before = [x.clone() for x in tensors]
    try:
        for space, name, function in functions:
            space[name] = recording(function)
        whole()
    finally:
        for space, name, function in functions:
            space[name] = function
    after = [x.clone() for x in tensors]
    _restore(tensors, before)
    replay()
    same = all(torch.allclose(x, y, 0, 0, equal_nan=True) for x, y in zip(tensors, after, strict=True))
    _restore(tensors, before)
    more = names - PLAIN - {name for _, name, _ in functions}
    return replay if same and all(name.startswith("assert_") for name in more) else whole


def _restore(tensors: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    for x, value in zip(tensors, values, strict=True):
        x.copy_(value)


@contextlib.contextmanager
def _known_instructions() -> Iterator[None]:
    """Let inductor take the vector instructions that torch itself runs with.

    Otherwise it compiles and loads half a dozen programs that try further ones, for low precision only.
    """
    from torch._inductor import cpu_vec_isa

    kind = {"AVX512": "VecAVX512", "AVX2": "VecAVX2"}.get(torch.backends.cpu.get_cpu_capability())
    if kind is None:
        yield
        return
    known = type(kind, (getattr(cpu_vec_isa, kind),), {"__bool__": lambda self: True})()
    space, before = vars(cpu_vec_isa), cpu_vec_isa.valid_vec_isa_list
    space["valid_vec_isa_list"] = lambda: [known]
    try:
        yield
    finally:
        space["valid_vec_isa_list"] = before


def _compile(function: Function, examples: Sequence[Tensor], options: dict[str, Any]) -> Function:
    from torch._inductor import config, standalone_compile
    from torch.fx.experimental.proxy_tensor import make_fx

    graph = make_fx(function)(*(x.detach().clone().requires_grad_(x.requires_grad) for x in examples))
    plain: list[Any] = [x.detach().clone() for x in examples]
    known = config.get_config_copy()  # of this version of torch
    with torch.no_grad(), config.patch({k: v for k, v in options.items() if k in known}):
        kernel: Function = standalone_compile(graph, plain, dynamic_shapes="from_example_inputs")
    return kernel
