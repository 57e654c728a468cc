"""A name that is not there: the error says where rax has what other libraries call so."""

from __future__ import annotations

import operator
import subprocess
import sys

import pytest

import rax
from rax.frontend import names


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("softmax", "rax.nn.softmax"),
        ("norm", "rax.numpy.linalg.norm"),
        ("erf", "rax.special.erf"),
        ("vmap", "rax.vmap"),
        ("LayerNorm", "rax.nn.layer_norm"),
        ("Conv2d", "rax.nn.conv"),
        ("MSELoss", "rax.nn.mse"),
        ("CTCLoss", "rax.nn.ctc_loss"),
        ("xavier_uniform_", "rax.nn.glorot_uniform"),
        ("PRNGKey", "rax.random.key"),
        ("Adam", "rax.optim.adam"),
        ("cat", "rax.numpy.concat"),
        ("unique", "rax.numpy.unique_values"),
        ("frobnicate", ""),
        ("loss", ""),
        ("_private", ""),
    ],
)
def test_a_name_is_found_where_rax_has_it(name: str, path: str) -> None:
    assert names.elsewhere(name) == path


@pytest.mark.parametrize("path", sorted(set(names._OTHERS.values())))  # pyright: ignore[reportPrivateUsage]
def test_what_the_errors_name_exists(path: str) -> None:
    assert callable(operator.attrgetter(path.removeprefix("rax."))(rax))


@pytest.mark.parametrize("module", ["", "nn.", "numpy.", "numpy.linalg.", "optim.", "random.", "special."])
def test_every_module_says_so(module: str) -> None:
    with pytest.raises(AttributeError) as caught:
        operator.attrgetter(f"{module}Sigmoid")(rax)
    owner = f"rax.{module}".removesuffix(".")
    assert str(caught.value) == f"module '{owner}' has no attribute 'Sigmoid'\n  fix: use rax.nn.sigmoid"
    with pytest.raises(AttributeError) as caught:
        operator.attrgetter(f"{module}frobnicate")(rax)
    assert str(caught.value) == f"module '{owner}' has no attribute 'frobnicate'"


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("reshape", "rax.numpy.reshape(x)"),
        ("unsqueeze", "rax.numpy.expand_dims(x)"),
        ("softmax", "rax.nn.softmax(x)"),
        ("at", "x[i] = v"),
        ("grad", "what loss.backward(params) returns"),
    ],
)
def test_a_tensor_says_so(name: str, way: str) -> None:
    with pytest.raises(AttributeError) as caught:
        getattr(rax.param("p", (2,)), name)
    assert str(caught.value) == f"a Tensor has no attribute {name!r}\n  fix: use {way}"


def test_a_wrong_name_is_an_error_in_a_fresh_process() -> None:
    code = "import rax.numpy as rnp\ntry: rnp.softmax\nexcept AttributeError as error: print(error)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "module 'rax.numpy' has no attribute 'softmax'\n  fix: use rax.nn.softmax\n"
