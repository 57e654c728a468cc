"""rax-run: what it prints, its exit codes, and the one line it says when something is wrong."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from rax.cli.archive import write_npz
from rax.cli.run import main
from rax.format.saving import save
from rax.ir.graph import Graph
from rax.ir.node import new_input
from rax.ir.program import Program
from rax.ir.types import tensor_type
from rax.ops.algebra import add
from rax.ops.indexing import Gather
from rax.ops.shape import Flip
from tests.cli.programs import IMAGES, WEIGHTS, saved

NO_ARRAYS = "it holds Python objects or is no such file: give a .npy or .npz file of numbers"


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def model(tmp_path: Path) -> str:
    saved(tmp_path)
    return "model.msgpack"


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The line a command that cannot be carried out prints, and nothing else."""
    try:
        code = main(arguments)
    except SystemExit as stop:  # how a wrong word ends it
        code = stop.code
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    return err.removesuffix("\n")


def test_a_profile_is_shown_after_the_results_and_written(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([model]) == 0
    run = capsys.readouterr().out
    assert main([model, "--profile"]) == 0
    shown = capsys.readouterr().out
    results, check = run.split("check:")
    assert shown.startswith(results)
    assert shown.endswith(f"check:{check}")
    assert "matmul(float32[3, 4], float32[4, 2]) -> float32[3, 2]" in shown
    assert main([f"{model}:train", "--profile-trace", "trace.json", "-o", "out.npz"]) == 0
    assert "multiply(float32[2], float32[2])" in capsys.readouterr().out
    names = [row["name"] for row in json.loads(Path("trace.json").read_text(encoding="utf-8"))["traceEvents"]]
    assert {"multiply", "subtract", "sum"} <= set(names)
    np.testing.assert_array_equal(np.load("out.npz")["params.b"], [0.5, 0.5])


def test_a_run_draws_prints_and_checks(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([model]) == 0
    assert capsys.readouterr().out == (
        "images: 3 images\n"
        "  ██          ████\n"
        "██                            ██\n"
        "labels 1      labels 0      labels 0\n"
        "digit 1       digit 0       digit 0\n"
        "scores 4.000  scores 2.000  scores 4.000\n"
        "digit: int64[3] = [1 0 0]\n"
        "scores: float32[3, 2] =\n"
        "  [[1 4]\n"
        "   [2 2]\n"
        "   [4 1]]\n"
        "mean = 2.33333\n"
        "check: 3 outputs equal the expected ones (max difference 0)\n"
    )


def test_given_inputs_take_the_place_of_the_files_own(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"{model}:predict", "images=[[0,0,0,1]]", "labels=[0]"]) == 0
    out = capsys.readouterr().out
    assert "digit: int64[1] = [0]\nscores: float32[1, 2] = [[4 1]]\nmean = 2.5\n" in out
    assert "check" not in out


def test_inputs_come_from_files(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save("images.npy", IMAGES[:1])
    none = np.zeros(2, np.float32)
    write_npz(Path("inputs.npz"), {"labels": np.array([1]), "params.b": none})
    write_npz(Path("weights.npz"), {"w": 2 * WEIGHTS, "b": none})
    write_npz(Path("full.npz"), {"params.w": 2 * WEIGHTS, "params.b": none, "loss": none})
    for arguments in (
        ["images=@images.npy", "inputs.npz", "params.w=@weights.npz:w"],
        ["images=@images.npy", "labels=@inputs.npz", "params=@weights.npz"],
        ["images=@images.npy", "labels=@inputs.npz:labels", "params=@full.npz"],
        [f"images=@{tmp_path}/images.npy", "labels=[1]", f"params=@{tmp_path}/full.npz"],
    ):
        assert main([model, *arguments]) == 0
        assert "scores: float32[1, 2] = [[0 6]]" in capsys.readouterr().out


def test_outputs_are_written(model: str) -> None:
    assert main([model, "-o", "out.npz"]) == 0
    with np.load("out.npz") as archive:
        assert {name: archive[name].shape for name in archive.files} == {"digit": (3,), "scores": (3, 2), "mean": ()}
        assert archive["digit"].tolist() == [1, 0, 0]
    assert sorted(path.name for path in Path().iterdir()) == ["model.msgpack", "out.npz"]


def test_what_is_not_finite_is_written_as_it_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    x = new_input("x", tensor_type("n"))
    save(Graph([x], [x], output_names=["y"]), "same.msgpack")
    assert main(["same.msgpack", "x=[1,nan,inf,-inf]"]) == 0
    assert main(["same.msgpack", "x=[NaN,Infinity,-Infinity]"]) == 0
    assert capsys.readouterr().out == "y: float32[4] = [1 nan inf -inf]\ny: float32[3] = [nan inf -inf]\n"
    scalar = new_input("x", tensor_type(()))
    save(Graph([scalar], [scalar], output_names=["y"]), "scalar.msgpack")
    assert main(["scalar.msgpack", "x=-inf"]) == 0
    assert capsys.readouterr().out == "y = -inf\n"


def test_bfloat16_goes_through_archives(capsys: pytest.CaptureFixture[str]) -> None:
    x = new_input("x", tensor_type("n", "bfloat16"))
    save(Program({"main": Graph([x], [add(x, x)], output_names=["y"])}), "half.msgpack")
    assert main(["half.msgpack", "x=[1,2.5]", "-o", "out.npz"]) == 0
    assert main(["half.msgpack", "x=@out.npz:y"]) == 0
    assert capsys.readouterr().out == "y: bfloat16[2] = [2 5]\ny: bfloat16[2] = [4 10]\n"
    np.save("x.npy", np.ones(1, ml_dtypes.bfloat16))
    assert main(["half.msgpack", "x=@x.npy"]) == 0


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "float8_e5m2"])
def test_float8_goes_through_archives(dtype: str, capsys: pytest.CaptureFixture[str]) -> None:
    x = new_input("x", tensor_type("n", dtype))
    save(Program({"main": Graph([x], [Flip((0,))(x)], output_names=["y"])}), "eight.msgpack")
    assert main(["eight.msgpack", "x=[1,2.5]", "-o", "out.npz"]) == 0
    assert main(["eight.msgpack", "x=@out.npz:y"]) == 0
    assert capsys.readouterr().out == f"y: {dtype}[2] = [2.5 1]\ny: {dtype}[2] = [1 2.5]\n"


def test_steps_feed_state_back(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"{model}:train", "--steps", "3", "-o", "out.npz"]) == 0
    out, err = capsys.readouterr()
    assert out == "step 1: loss = 2\nstep 2: loss = 0.5\nstep 3:\nloss = 0.125\n"
    assert err == ""
    assert main([f"{model}:train", "out.npz", "--steps", "1"]) == 0
    assert capsys.readouterr().out == "step 1:\nloss = 0.03125\n"
    assert main([f"{model}:train", "--steps", "40"]) == 0
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()[:-1]] == [
        f"step {step}" for step in range(4, 41, 4)
    ]


def test_a_progress_bar_shows_when_asked_for(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"{model}:train", "--steps", "2", "--progress"]) == 0
    _, err = capsys.readouterr()
    assert err.startswith("\r[###############...............] 1/2, ")
    assert "\r[##############################] 2/2, 0.0 s left" in err
    assert err.endswith("\r")


def test_info_describes_the_file(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([model, "--info"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("model.msgpack: rax file of format 1, ")
    assert len(lines[1]) == len("digest ") + 64
    assert "\n".join(lines[2:]) == INFO


INFO = """
entry predict (main, with an example): 4 nodes
  inputs
    images    float32[batch, 4]
    labels    int64[batch]
    params.w  float32[4, 2]      default
    params.b  float32[2]         default
  outputs
    digit   int64[batch]
    scores  float32[batch, 2]
    mean    float32[]

entry train: 4 nodes
  inputs
    params.b  float32[2]  default
    rate      float32[]   default
  outputs
    params.b  float32[2]  state
    loss      float32[]

7 tensors, 144 bytes:
  48 bytes  float32[3, 4]
  32 bytes  float32[4, 2]
  24 bytes  int64[3]
  24 bytes  float32[3, 2]
   8 bytes  float32[2]
   4 bytes  float32[]
   4 bytes  float32[]"""


def test_check_proves_every_entry_or_says_what_differs(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in ([model, "--check"], [f"{model}:predict", "--check", "--backend", "reference"]):
        assert main(arguments) == 0
        assert capsys.readouterr().out == "check: 3 outputs equal the expected ones (max difference 0)\n"
    saved(tmp_path, wrong=True)
    assert main([model, "--check"]) == 1
    assert capsys.readouterr().out == "check: digit differs from the expected output by 1, 0 is allowed\n"
    assert main([model]) == 1
    assert capsys.readouterr().out.endswith("check: digit differs from the expected output by 1, 0 is allowed\n")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["M:predicts"], "there is no entry 'predicts': choose one of predict, train"),
        (["M:predicts", "--info"], "there is no entry 'predicts': choose one of predict, train"),
        (["M:predicts", "--check"], "there is no entry 'predicts': choose one of predict, train"),
        (["none.msgpack"], "cannot read none.msgpack: No such file or directory"),
        (["none.msgpack:predict"], "cannot read none.msgpack: No such file or directory"),
        (["."], "[not-rax] . is no regular file (byte 0)"),
        (["M", "y=1"], "there is no input 'y': the graph takes images, labels, params.w, params.b"),
        (["M", "params=1"], "there is no input 'params': the graph takes images, labels, params.w, params.b"),
        (["M", "what"], "'what' is no input: write name=value, name=@file.npy or inputs.npz"),
        (
            ["M", "images=one"],
            "images=one is no number or list of numbers: write images=0.5, images=[1,2] or images=@file.npy",
        ),
        (["M", "labels=[1.5]"], "labels holds floating-point numbers, the graph takes int64"),
        (["M", "labels=[[1],[2,3]]"], "labels is no rectangular list of numbers: give int64[batch]"),
        (["M", "labels=[1]", "labels=[2]"], "the input 'labels' is given twice"),
        (["M", "images=[1,2]"], "images has shape [2], the graph takes [batch, 4]"),
        (
            ["M", "images=[[1,2,3,4]]"],
            "batch is 1 from images but 3 in labels: labels comes from the file's example: give a value that fits",
        ),
        (["M", "images=@d.npy"], 'images is float64, the graph takes float32: cast with .astype("float32")'),
        (["M", "images=@no.npy"], "cannot read no.npy: No such file or directory"),
        (["M", "images=@M"], f"cannot read model.msgpack: {NO_ARRAYS}"),
        (["M", "images=@a.npz:y"], "a.npz holds no array 'y': it holds x"),
        (["M", "images=@a.npz"], "a.npz holds no array 'images': it holds x"),
        (["M", "a.npz"], "a.npz holds 'x', which is no input: the graph takes images, labels, params.w, params.b"),
        (["M", "params=@a.npz"], "a.npz holds neither 'params.w' nor 'w': it holds x"),
        (["M", "params=@d.npy"], "d.npy is no .npz archive: write name=@file for a single array"),
        (["M", "images=@objects.npy"], f"cannot read objects.npy: {NO_ARRAYS}"),
        (["M", "--steps", "2"],
            "entry 'predict' has no state to feed back: an output is state if an input has its name and type"),
        (["M:train", "--steps", "0"], "--steps is at least 1, not 0"),
        (["M", "--check", "labels=[1]"],
            "--check runs on the file's own inputs: leave out inputs, -o, --steps and --profile"),
        (["M", "--info", "--check"], "--info runs nothing: leave out inputs, -o, --steps, --check and --profile"),
        (["M", "--info", "labels=[1]"], "--info runs nothing: leave out inputs, -o, --steps, --check and --profile"),
        (["M", "--info", "--profile"], "--info runs nothing: leave out inputs, -o, --steps, --check and --profile"),
        (["M:train", "--profile", "--steps", "2"], "--profile is of a run by itself: leave out --steps"),
        (["M", "--profile-trace", "no/t.json"], "cannot write no/t.json: there is no folder no"),
        (["M", "-o", "out.txt"], "cannot write out.txt: the outputs are an archive of arrays: write -o out.txt.npz"),
        (["M", "-o", "no/out.npz"], "cannot write no/out.npz: there is no folder no"),
        (["M", "images=[1,nano]"],
            "images=[1,nano] is no number or list of numbers: write images=0.5, images=[1,2] or images=@file.npy"),
        (["M", "labels=[inf]"], "labels holds floating-point numbers, the graph takes int64"),
        (["M:train", "--check"], "entry 'train' carries no expected outputs"),
        (["M", "--steps", "many"], "argument --steps: 'many' is no whole number"),
        (["M", "--backend", "abacus"],
            "there is no backend 'abacus': use one of numpy, reference"),
        (["M", "--wrong"], "there is no option --wrong"),
        ([], "no file is given: write rax-run FILE[:ENTRY]"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(
    model: str, arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save("d.npy", np.zeros((3, 4)))
    np.save("objects.npy", np.array([None]))
    np.savez("a.npz", x=np.zeros(2))
    assert refused(capsys, *[word.replace("M", model) for word in arguments]) == f"rax-run: {text}"


def test_a_file_is_read_where_no_thread_can_be_started(
    model: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main([model]) == 0
    due = capsys.readouterr().out

    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    assert main([model]) == 0
    assert capsys.readouterr().out == due


def test_a_missing_input_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    x = new_input("x", tensor_type(("batch", 2)))
    save(Graph([x], [x]), "bare.msgpack")
    assert refused(capsys, "bare.msgpack") == "rax-run: the input 'x': float32[batch, 2] is missing: give it a value"
    assert refused(capsys, "bare.msgpack", "--check") == "rax-run: the file carries no expected outputs"


def test_a_damaged_file_is_refused(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    whole = Path(model).read_bytes()
    Path(model).write_bytes(whole[: len(whole) // 2])
    assert refused(capsys, model).startswith("rax-run: [")
    np.savez("a.npz", x=np.zeros(20))
    archive = Path("a.npz").read_bytes()
    Path("a.npz").write_bytes(archive[: len(archive) // 2])
    Path(model).write_bytes(whole)
    assert refused(capsys, model, "a.npz").startswith("rax-run: cannot read a.npz: ")


def test_an_operation_that_fails_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    x, index = new_input("x", tensor_type("n")), new_input("index", tensor_type((), "int64"))
    save(Graph([x, index], [Gather()(x, index)]), "m.msgpack")
    text = refused(capsys, "m.msgpack", "x=[1,2]", "index=2")
    assert text.startswith("rax-run: gather failed: index 2 is out of bounds for")
    assert "(gather[batch_dims=0, unique_indices=False](float32[2], int64[])) at test_run.py:" in text
