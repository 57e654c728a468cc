"""The examples: the files that come with them, short trainings, and (slow) the whole ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rax
from examples.digits import data as digits_data
from examples.digits import train as digits_train
from examples.digits.model import NETWORKS, shifted
from examples.digits.model import program as digits_program
from examples.molecule import data as argon
from examples.molecule import train as argon_train
from examples.molecule import vibrations
from examples.molecule.model import program as argon_program
from rax import random
from rax.cli.run import main as rax_run
from rax.runtime.entry import Entry, array_of

ROOT = Path(__file__).parent.parent
FILES = {
    "digits": ROOT / "examples" / "digits" / "digits.msgpack",
    "mlp": ROOT / "examples" / "digits" / "mlp.msgpack",
    "argon": ROOT / "examples" / "molecule" / "argon.msgpack",
}
LEAST = {"digits": 0.98, "mlp": 0.97}
NETWORK = {"digits": "conv", "mlp": "mlp"}


@pytest.mark.parametrize("name", FILES)
def test_the_file_is_small_and_proves_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert FILES[name].stat().st_size < 2**20
    assert rax_run([str(FILES[name]), "--check"]) == 0
    checks = capsys.readouterr().out.splitlines()
    entries = ["loss", "test", "train_step", *(("predict",) if name != "argon" else ("energy", "forces"))]
    assert sorted(line.split(":")[0].removeprefix("check of ") for line in checks) == sorted(entries)
    assert all("expected one" in line for line in checks)


@pytest.mark.parametrize("name", LEAST)
def test_the_file_names_the_images_held_out(name: str) -> None:
    """The accuracy again, from the predictions and scikit-learn's labels."""
    _, held_out = digits_data.load()
    file = rax.load(FILES[name])
    example = file.examples["test"]
    assert np.array_equal(array_of(example.inputs["images"]), held_out.images)
    assert np.array_equal(array_of(example.inputs["labels"]), held_out.labels)
    outputs = Entry(file).run()
    share = np.mean(outputs["predictions"] == held_out.labels)
    assert share >= LEAST[name]
    assert float(outputs["accuracy"]) == pytest.approx(share)


@pytest.mark.parametrize("name", LEAST)
def test_the_model_still_builds_what_the_file_holds(name: str) -> None:
    file = rax.load(FILES[name])
    steps = digits_train.EPOCHS * 1437 // digits_train.BATCH
    built = digits_program(NETWORKS[NETWORK[name]], steps).replace(defaults=file.defaults, examples=file.examples)
    for entry, graph in built.items():
        assert graph.in_types == file[entry].in_types
        assert (graph.input_names, graph.output_names) == (file[entry].input_names, file[entry].output_names)
        run = Entry(built, entry)
        assert all(comparison.equal for comparison in run.check(run.run()))


def test_rax_run_shows_the_digits(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert rax_run([str(FILES["digits"])]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "images: the first 8 of 360 images"
    outputs = Entry(rax.load(FILES["digits"])).run()
    for title, due in (("labels", digits_data.load()[1].labels), ("predictions", outputs["predictions"])):
        (row,) = (line for line in lines if line.startswith(f"{title} "))
        assert row.split() == [word for number in due[:8] for word in (title, str(number))]
    assert any(line.startswith("accuracy = 0.9") for line in lines)
    assert lines[-1].startswith("check: 3 outputs equal the expected ones")


@pytest.mark.parametrize("name", FILES)
def test_rax_run_trains_from_the_file(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "state.npz"
    assert rax_run([f"{FILES[name]}:train_step", "--steps", "2", "-o", str(out)]) == 0
    assert "loss = " in capsys.readouterr().out
    file = rax.load(FILES[name])
    new = np.load(out)
    assert new["opt_state.step"] == array_of(file.defaults["opt_state.step"]) + 2
    assert set(file["train_step"].states) == set(file.defaults)
    assert any(
        not np.array_equal(new[name], array_of(value)) for name, value in file.defaults.items() if "params." in name
    )


def test_init_draws_from_its_seed() -> None:
    init = rax.load(FILES["mlp"])["init"]
    first, again, other = init(0), init(0), init(1)
    assert np.array_equal(first["params"]["hidden"]["weight"], again["params"]["hidden"]["weight"])
    assert not np.array_equal(first["params"]["hidden"]["weight"], other["params"]["hidden"]["weight"])


def test_shifting_moves_each_image_sideways_by_a_pixel_at_most() -> None:
    image = np.arange(1.0, 65.0, dtype="float32").reshape(8, 8)
    moved = shifted(random.key(0), rax.numpy.asarray(np.stack([image] * 200))).numpy()
    wide = np.pad(image, [(0, 0), (1, 1)])
    kinds = [wide[:, start : start + 8] for start in range(3)]
    counts = [sum(np.array_equal(kind, one) for one in moved) for kind in kinds]
    assert sum(counts) == 200
    assert counts == pytest.approx([50, 100, 50], abs=25)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_short_training_of_the_digits(name: str, tmp_path: Path) -> None:
    images, held_out = digits_data.load()
    rax.save(digits_program(NETWORKS[name], steps=30), tmp_path / "m.msgpack")
    file = rax.load(tmp_path / "m.msgpack")
    before = file["init"](1)
    after = digits_train.train(file, images, 30, seed=1)
    few = digits_data.Images(*(part[:120] for part in held_out))
    assert digits_train.accuracy(file, before, few) < 0.4
    assert digits_train.accuracy(file, after, few) > 0.7
    packed = digits_train.finished(file, after, images, few)
    assert all(comparison.equal for name in packed for comparison in checked(packed, name))


def checked(program: rax.Program, name: str) -> list[Any]:
    entry = Entry(program, name)
    return entry.check(entry.run())


# The molecule.


@pytest.mark.parametrize("atoms", argon.PUBLISHED_MINIMA)
def test_the_reference_has_the_published_minima(atoms: int) -> None:
    positions = argon.minimum(atoms)
    assert float(argon.energy(positions)) == pytest.approx(argon.PUBLISHED_MINIMA[atoms], abs=5e-7)
    assert np.abs(argon.forces(positions)).max() < 1e-9


def test_the_reference_forces_and_hessian_are_derivatives_of_its_energy() -> None:
    positions = argon.shaken(7, 1, seed=5).positions[0]
    step = 1e-5
    moved = positions + step * np.eye(21).reshape(21, 7, 3)
    back = positions - step * np.eye(21).reshape(21, 7, 3)
    slopes = -(argon.energy(moved) - argon.energy(back)) / (2 * step)
    np.testing.assert_allclose(argon.forces(positions).reshape(21), slopes, atol=1e-6)
    curves = -(argon.forces(moved) - argon.forces(back)).reshape(21, 21) / (2 * step)
    np.testing.assert_allclose(argon.hessian(positions), curves, atol=1e-5)


@pytest.mark.parametrize("atoms", [2, 7, 13])
def test_the_saved_potential_knows_forces_energies_and_vibrations(atoms: int) -> None:
    """Of clusters it was not trained on. It never saw an energy, so each pair may be off by 1 % of its depth."""
    file = rax.load(FILES["argon"])
    held_out = argon.shaken(atoms, 50, seed=9)
    test = Entry(file, "test").run({"positions": held_out.positions, "targets": held_out.forces})
    assert float(test["force_error"]) < 0.02 * np.std(held_out.forces)
    np.testing.assert_allclose(test["energies"], held_out.energies, atol=0.01 * atoms * (atoms - 1) / 2)
    best = argon.minimum(atoms)
    energy = Entry(file, "energy").run({"positions": best})["result"]
    assert float(energy) == pytest.approx(argon.PUBLISHED_MINIMA[atoms], rel=0.01)
    found = vibrations.wavenumbers(vibrations.hessian_of(file), best)
    np.testing.assert_allclose(found, argon.frequencies(argon.hessian(best)), rtol=0.02)


def test_the_hessian_of_the_saved_potential_is_that_of_finite_differences() -> None:
    file = rax.load(FILES["argon"])
    positions = argon.shaken(7, 1, seed=6).positions[0]
    second = vibrations.hessian_of(file).run({"positions": positions})["result"]
    forces = Entry(file, "forces")
    step = 1e-5
    for direction in np.random.default_rng(0).normal(size=(3, 7, 3)):
        ends = [forces.run({"positions": positions + sign * step * direction})["result"] for sign in (1, -1)]
        due = -(ends[0] - ends[1]) / (2 * step)
        np.testing.assert_allclose(np.tensordot(second, direction, 2), due, atol=1e-6 * np.abs(due).max())


def test_the_saved_forces_are_the_slope_of_the_saved_energy() -> None:
    file = rax.load(FILES["argon"])
    positions = argon.minimum(7) * 1.1
    energy, forces = Entry(file, "energy"), Entry(file, "forces").run({"positions": positions})["result"]
    step = 1e-5
    for place in ((0, 0), (3, 1), (6, 2)):
        moved = np.zeros((7, 3))
        moved[place] = step
        ends = [energy.run({"positions": positions + sign * moved})["result"] for sign in (1, -1)]
        assert forces[place] == pytest.approx(-(ends[0] - ends[1]) / (2 * step), abs=1e-7)


def test_a_short_training_of_the_potential(tmp_path: Path) -> None:
    clusters = argon.shaken(7, 50, seed=0)
    rax.save(argon_program(steps=100), tmp_path / "m.msgpack")
    file = rax.load(tmp_path / "m.msgpack")
    errors = [
        float(file["loss"](state["params"], clusters.positions, clusters.forces))
        for state in (file["init"](0), argon_train.train(file, clusters, 100, seed=0))
    ]
    assert errors[1] < 0.3 * errors[0]


def test_vibrations_are_printed_by_a_process_without_the_model() -> None:
    code = (
        "import sys\nfrom examples.molecule import vibrations\nvibrations.main(vibrations.FILE)\n"
        "assert 'examples.molecule.model' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    assert [row[0] for row in rows] == ["2", "7", "13"]
    assert rows[0][2] == "26.32"


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_whole_training_of_the_digits(name: str, seed: int, tmp_path: Path) -> None:
    images, held_out = digits_data.load()
    steps = digits_train.EPOCHS * len(images.labels) // digits_train.BATCH
    rax.save(digits_program(NETWORKS[name], steps), tmp_path / "m.msgpack")
    file = rax.load(tmp_path / "m.msgpack")
    state = digits_train.train(file, images, steps, seed)
    assert digits_train.accuracy(file, state, held_out) >= (0.98 if name == "conv" else 0.97)


@pytest.mark.slow
def test_the_whole_training_of_the_potential(tmp_path: Path) -> None:
    clusters, held_out = argon.shaken(13, 800, seed=0), argon.shaken(13, 200, seed=1)
    rax.save(argon_program(argon_train.STEPS), tmp_path / "m.msgpack")
    file = rax.load(tmp_path / "m.msgpack")
    state = argon_train.train(file, clusters, argon_train.STEPS, seed=1)
    found = file["test"](state["params"], held_out.positions, held_out.forces)
    assert found["force_error"] < 0.02 * found["force_size"]
