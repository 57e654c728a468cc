"""Recurrent networks over :func:`rax.scan`: cells, and stacks of layers of them.

A cell's parameters are a dict: ``input (features, gates * hidden)``, ``hidden (hidden, gates *
hidden)`` and ``bias (gates * hidden,)``, the gates next to each other: of an LSTM input, forget, cell,
output; of a GRU reset, update, new, with a further ``hidden_bias (hidden,)`` inside the reset gate.

A stack's parameters are a list of layers, each ``{"forward": cell}`` or ``{"forward": cell,
"backward": cell}``; its states are nested alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rax import numpy as rnp
from rax import random
from rax.frontend.control import scan
from rax.frontend.promotion import TensorLike
from rax.frontend.tensor import Tensor, as_tensor
from rax.ir.dims import Size, shape_text
from rax.ir.errors import RaxError, TypeInferenceError
from rax.ir.trail import scope
from rax.ir.tree import flatten, unflatten
from rax.ir.types import float32
from rax.nn.activations import sigmoid, tanh
from rax.nn.initializers import glorot_uniform
from rax.nn.layers import dense
from rax.numpy.common import inexact

_GATES = {"rnn": 1, "lstm": 4, "gru": 3}
Cell = Mapping[str, TensorLike]
Layers = Sequence[Mapping[str, Cell]]
Step = Callable[[Cell, Any, Tensor], tuple[Any, Tensor]]
"""``(params, carry, projected input) -> (carry, output)``."""


def _split(x: Tensor, gates: int) -> list[Tensor]:
    size = x.shape[-1] // gates
    return [x[..., place * size : (place + 1) * size] for place in range(gates)]


def _project(params: Cell, x: Tensor) -> Tensor:
    """What the input adds to the gates."""
    return dense(x, params["input"], params["bias"])


def _rnn_step(activation: Callable[[Tensor], Tensor]) -> Step:
    def step(params: Cell, h: Tensor, projected: Tensor) -> tuple[Tensor, Tensor]:
        new = activation(projected + as_tensor(h) @ as_tensor(params["hidden"]))
        return new, new

    return step


def _lstm_step(params: Cell, carry: tuple[Tensor, Tensor], projected: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
    h, c = (as_tensor(part) for part in carry)
    gates = projected + h @ as_tensor(params["hidden"])
    enter, forget, cell, leave = _split(gates, 4)
    c = sigmoid(forget) * c + sigmoid(enter) * tanh(cell)
    h = sigmoid(leave) * tanh(c)
    return (h, c), h


def _gru_step(params: Cell, h: Tensor, projected: Tensor) -> tuple[Tensor, Tensor]:
    before = as_tensor(h)
    reset, update, new = _split(projected, 3)
    from_reset, from_update, from_new = _split(before @ as_tensor(params["hidden"]), 3)
    share = sigmoid(update + from_update)
    candidate = tanh(new + sigmoid(reset + from_reset) * (from_new + as_tensor(params["hidden_bias"])))
    after = (1 - share) * candidate + share * before
    return after, after


def rnn_cell(
    params: Cell, h: TensorLike, x: TensorLike, activation: Callable[[Tensor], Tensor] = tanh
) -> tuple[Tensor, Tensor]:
    """One step of a plain recurrent network: ``activation(x @ input + bias + h @ hidden)`` (Elman, 1990).

    Args:
        params: see :mod:`rax.nn.recurrent`; one gate.
        h: ``(N, hidden)``, the state.
        x: ``(N, features)``.
        activation: the function of the state.

    Returns:
        ``(h, output)``, both the new state.

    Example:
        >>> params = {"input": rnp.ones((3, 2)), "hidden": rnp.eye(2), "bias": rnp.zeros((2,))}
        >>> rnn_cell(params, rnp.ones((1, 2)), rnp.ones((1, 3)), activation=lambda x: x)[0]
        Tensor([[4., 4.]], dtype=float32)
    """
    with scope("rnn_cell"):
        return _rnn_step(activation)(params, as_tensor(h), _project(params, as_tensor(x)))


def lstm_cell(
    params: Cell, carry: tuple[TensorLike, TensorLike], x: TensorLike
) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """One step of long short-term memory (Hochreiter and Schmidhuber, 1997; Gers et al., 2000).

    ``c = sigmoid(f) * c + sigmoid(i) * tanh(g)`` and ``h = sigmoid(o) * tanh(c)``.

    Args:
        params: see :mod:`rax.nn.recurrent`; the gates are ``i``, ``f``, ``g``, ``o``.
        carry: ``(h, c)``, both ``(N, hidden)``.
        x: ``(N, features)``.

    Returns:
        ``((h, c), h)``.

    Example:
        >>> params = lstm_init(random.key(0), 3, 2)[0]["forward"]
        >>> lstm_cell(params, (rnp.zeros((1, 2)), rnp.zeros((1, 2))), rnp.ones((1, 3)))[1].shape
        (1, 2)
    """
    with scope("lstm_cell"):
        return _lstm_step(params, (as_tensor(carry[0]), as_tensor(carry[1])), _project(params, as_tensor(x)))


def gru_cell(params: Cell, h: TensorLike, x: TensorLike) -> tuple[Tensor, Tensor]:
    """One step of a gated recurrent unit (Cho et al., 2014), the reset gate after the product, as in cuDNN.

    ``n = tanh(x_n + sigmoid(r) * (h_n + hidden_bias))`` and ``h = (1 - sigmoid(z)) * n + sigmoid(z) * h``.

    Args:
        params: see :mod:`rax.nn.recurrent`; the gates are ``r``, ``z``, ``n``.
        h: ``(N, hidden)``.
        x: ``(N, features)``.

    Returns:
        ``(h, output)``, both the new state.

    Example:
        >>> params = gru_init(random.key(0), 3, 2)[0]["forward"]
        >>> gru_cell(params, rnp.zeros((1, 2)), rnp.ones((1, 3)))[1].shape
        (1, 2)
    """
    with scope("gru_cell"):
        return _gru_step(params, as_tensor(h), _project(params, as_tensor(x)))


def _run(
    step: Step, params: Cell, xs: Tensor, initial: Any, lengths: Tensor | None, reverse: bool
) -> tuple[Any, Tensor]:
    """One direction of a layer over ``(time, N, features)``; beyond its length a sequence stands still."""

    def turn(carry: Any, row: tuple[Tensor, Tensor]) -> tuple[Any, Tensor]:
        projected, time = row
        new, output = step(params, carry, projected)
        if lengths is None:
            return new, output
        inside = rnp.expand_dims(time < lengths, axis=1)
        leaves, tree = flatten(new)
        kept = [rnp.where(inside, after, before) for after, before in zip(leaves, flatten(carry)[0], strict=True)]
        return unflatten(tree, kept), rnp.where(inside, output, 0.0)

    return scan(turn, initial, (_project(params, xs), rnp.arange(xs.shape[0])), reverse=reverse)


def _stack(
    name: str,
    step: Step,
    parts: int,
    layers: Layers,
    x: TensorLike,
    initial: Any,
    lengths: TensorLike | None,
    time_major: bool,
) -> tuple[Tensor, Any]:
    """All layers, each over the outputs of the one before; the two directions side by side."""
    value = Tensor(inexact(x, float32))
    if value.ndim != 3:
        order = "(time, N, features)" if time_major else "(N, time, features)"
        raise TypeInferenceError(f"{name} needs {order}, not {value.value.type}")
    counts = None if lengths is None else as_tensor(lengths)
    xs = value if time_major else rnp.moveaxis(value, 1, 0)
    if counts is not None and (counts.shape != xs.shape[1:2] or counts.dtype.kind not in ("int", "uint")):
        raise TypeInferenceError(f"{name}: lengths are {xs.shape[1]} integers, not {counts.value.type}")
    finals: list[dict[str, Any]] = []
    with scope(name):
        for number, layer in enumerate(layers):
            outputs: list[Tensor] = []
            states: dict[str, Any] = {}
            for direction in ("forward", "backward")[: len(layer)]:
                params = layer[direction]
                _check(name, params, xs.shape[-1])
                start = _zeros(params, xs, parts) if initial is None else initial[number][direction]
                states[direction], ys = _run(step, params, xs, start, counts, direction == "backward")
                outputs.append(ys)
            finals.append(states)
            xs = outputs[0] if len(outputs) == 1 else rnp.concat(outputs, axis=-1)
        return (xs if time_major else rnp.moveaxis(xs, 0, 1)), finals


def _check(name: str, cell: Cell, features: Size) -> None:
    """That a cell is one of the kind, for so many features."""
    due = ("input", "hidden", "bias", "hidden_bias") if name == "gru" else ("input", "hidden", "bias")
    lacking = [part for part in due if part not in cell]
    if lacking:
        raise RaxError(f"{name}: a cell lacks {', '.join(lacking)}", fix=f"make the parameters with {name}_init")
    weight, hidden = as_tensor(cell["input"]), as_tensor(cell["hidden"])
    size = hidden.shape[0]
    if hidden.shape != (size, size * _GATES[name]):
        raise TypeInferenceError(
            f"{name}: hidden has shape {shape_text(hidden.shape)}, not {shape_text((size, size * _GATES[name]))}",
            fix=f"make the parameters with {name}_init",
        )
    if weight.shape[0] != features:
        raise TypeInferenceError(f"{name}: a layer for {weight.shape[0]} features is given {features}")


def _zeros(params: Cell, xs: Tensor, parts: int) -> Any:
    """The first carry: one tensor of zeros, or several."""
    hidden = as_tensor(params["hidden"])
    zero = rnp.zeros((xs.shape[1], hidden.shape[0]), dtype=rnp.result_type(xs, hidden))
    return zero if parts == 1 else (zero,) * parts


def rnn(
    params: Layers,
    x: TensorLike,
    initial: Any = None,
    *,
    lengths: TensorLike | None = None,
    time_major: bool = False,
    activation: Callable[[Tensor], Tensor] = tanh,
) -> tuple[Tensor, Any]:
    """Layers of :func:`rnn_cell` over a batch of sequences.

    Args:
        params: the layers, as :func:`rnn_init` makes them.
        x: ``(N, time, features)``.
        initial: the first states, nested as the last ones that are returned; by default zeros.
        lengths: integers ``(N,)``: the times of each sequence. Beyond them outputs are 0 and states stand
            still, so that the last states are those of each sequence's own end.
        time_major: whether ``x`` and the outputs are ``(time, N, features)``.
        activation: the function of the state.

    Returns:
        ``(outputs, states)``: ``(N, time, hidden)``, of both directions ``(N, time, 2 * hidden)``; and for
        each layer and direction the last state ``(N, hidden)``.

    Raises:
        TypeInferenceError: the shapes do not fit.

    Example:
        >>> outputs, states = rnn(rnn_init(random.key(0), 3, 4), rnp.ones((2, 5, 3)))
        >>> outputs.shape, states[0]["forward"].shape
        ((2, 5, 4), (2, 4))
    """
    return _stack("rnn", _rnn_step(activation), 1, params, x, initial, lengths, time_major)


def lstm(
    params: Layers,
    x: TensorLike,
    initial: Any = None,
    *,
    lengths: TensorLike | None = None,
    time_major: bool = False,
) -> tuple[Tensor, Any]:
    """Layers of :func:`lstm_cell` over a batch of sequences.

    Args:
        params: the layers, as :func:`lstm_init` makes them.
        x: ``(N, time, features)``.
        initial: the first states, nested as the last ones that are returned; by default zeros.
        lengths: as for :func:`rnn`.
        time_major: whether ``x`` and the outputs are ``(time, N, features)``.

    Returns:
        ``(outputs, states)`` as :func:`rnn`; each state is a pair ``(h, c)``.

    Raises:
        TypeInferenceError: the shapes do not fit.

    Example:
        >>> outputs, states = lstm(lstm_init(random.key(0), 3, 4, bidirectional=True), rnp.ones((2, 5, 3)))
        >>> outputs.shape, states[0]["backward"][0].shape
        ((2, 5, 8), (2, 4))
    """
    return _stack("lstm", _lstm_step, 2, params, x, initial, lengths, time_major)


def gru(
    params: Layers,
    x: TensorLike,
    initial: Any = None,
    *,
    lengths: TensorLike | None = None,
    time_major: bool = False,
) -> tuple[Tensor, Any]:
    """Layers of :func:`gru_cell` over a batch of sequences.

    Args:
        params: the layers, as :func:`gru_init` makes them.
        x: ``(N, time, features)``.
        initial: the first states, nested as the last ones that are returned; by default zeros.
        lengths: as for :func:`rnn`.
        time_major: whether ``x`` and the outputs are ``(time, N, features)``.

    Returns:
        ``(outputs, states)`` as :func:`rnn`.

    Raises:
        TypeInferenceError: the shapes do not fit.

    Example:
        >>> gru(gru_init(random.key(0), 3, 4, layers=2), rnp.ones((2, 5, 3)))[0].shape
        (2, 5, 4)
    """
    return _stack("gru", _gru_step, 1, params, x, initial, lengths, time_major)


def _init(
    key: TensorLike, features: int, hidden: int, layers: int, bidirectional: bool, dtype: object, gates: int
) -> list[dict[str, dict[str, Tensor]]]:
    """Glorot's uniform weights for each gate, biases of zeros."""
    if min(hidden, layers) < 1:
        raise RaxError(f"a recurrent network needs at least one layer and hidden feature, not {layers} of {hidden}")
    directions = ("forward", "backward") if bidirectional else ("forward",)
    stack: list[dict[str, dict[str, Tensor]]] = []
    for number, layer_key in enumerate(random.split(key, layers)):
        inputs = features if number == 0 else hidden * len(directions)
        layer: dict[str, dict[str, Tensor]] = {}
        for direction, cell_key in zip(directions, random.split(layer_key, len(directions)), strict=True):
            keys = random.split(cell_key, 2 * gates)
            parts = [
                [glorot_uniform(keys[offset + gate], (size, hidden), dtype) for gate in range(gates)]
                for offset, size in ((0, inputs), (gates, hidden))
            ]
            layer[direction] = {
                "input": rnp.concat(parts[0], axis=1),
                "hidden": rnp.concat(parts[1], axis=1),
                "bias": rnp.zeros((gates * hidden,), dtype=dtype),
            }
        stack.append(layer)
    return stack


def rnn_init(
    key: TensorLike, features: int, hidden: int, *, layers: int = 1, bidirectional: bool = False,
    dtype: object = float32,
) -> list[dict[str, dict[str, Tensor]]]:  # fmt: skip
    """Parameters of :func:`rnn`: Glorot's uniform weights, biases of zeros.

    Args:
        key: a key of :mod:`rax.random`.
        features: those of the input.
        hidden: those of the state.
        layers: how many.
        bidirectional: whether each layer also runs from the end to the start.
        dtype: a floating dtype.

    Raises:
        RaxError: there is no layer, or no hidden feature.

    Example:
        >>> rnn_init(random.key(0), 3, 4)[0]["forward"]["input"].shape
        (3, 4)
    """
    return _init(key, features, hidden, layers, bidirectional, dtype, 1)


def lstm_init(
    key: TensorLike, features: int, hidden: int, *, layers: int = 1, bidirectional: bool = False,
    dtype: object = float32,
) -> list[dict[str, dict[str, Tensor]]]:  # fmt: skip
    """Parameters of :func:`lstm`: as :func:`rnn_init`, with forget gates open at first (bias 1; Jozefowicz, 2015).

    Args:
        key: a key of :mod:`rax.random`.
        features: those of the input.
        hidden: those of the state.
        layers: how many.
        bidirectional: whether each layer also runs from the end to the start.
        dtype: a floating dtype.

    Raises:
        RaxError: there is no layer, or no hidden feature.

    Example:
        >>> lstm_init(random.key(0), 3, 1)[0]["forward"]["bias"]
        Tensor([0., 1., 0., 0.], dtype=float32)
    """
    stack = _init(key, features, hidden, layers, bidirectional, dtype, 4)
    forget = rnp.repeat(rnp.asarray([0, 1, 0, 0], dtype=dtype), hidden)
    return [{direction: {**cell, "bias": forget} for direction, cell in layer.items()} for layer in stack]


def gru_init(
    key: TensorLike, features: int, hidden: int, *, layers: int = 1, bidirectional: bool = False,
    dtype: object = float32,
) -> list[dict[str, dict[str, Tensor]]]:  # fmt: skip
    """Parameters of :func:`gru`: as :func:`rnn_init`, and hidden biases of zeros.

    Args:
        key: a key of :mod:`rax.random`.
        features: those of the input.
        hidden: those of the state.
        layers: how many.
        bidirectional: whether each layer also runs from the end to the start.
        dtype: a floating dtype.

    Raises:
        RaxError: there is no layer, or no hidden feature.

    Example:
        >>> gru_init(random.key(0), 3, 4)[0]["forward"]["hidden_bias"].shape
        (4,)
    """
    stack = _init(key, features, hidden, layers, bidirectional, dtype, 3)
    zeros = rnp.zeros((hidden,), dtype=dtype)
    return [{direction: {**cell, "hidden_bias": zeros} for direction, cell in layer.items()} for layer in stack]
