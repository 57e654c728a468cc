"""Whatever is done to a file, loading it gives a program or a ``FormatError``."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from hypothesis import given, note, settings
from hypothesis import strategies as st

from tests.fuzz.examine import examine
from tests.fuzz.mutation import Seed, mutate
from tests.fuzz.seeds import seeds

SEEDS = seeds()


@given(rng=st.randoms(use_true_random=False), seed=st.sampled_from(SEEDS))
@settings(max_examples=300)
def test_a_file_changed_at_random(rng: random.Random, seed: Seed) -> None:
    data, steps = mutate(rng, seed, SEEDS)
    note(f"{steps}")
    with tempfile.TemporaryDirectory() as folder:
        examine(data, Path(folder) / "file")
