"""Drawings: the text for Graphviz is exact, pictures come from its program, networkx sees every edge."""

from __future__ import annotations

import dataclasses
import re
import stat
from collections.abc import Sequence
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rax.ir import trail
from rax.ir.attributes import make_op
from rax.ir.errors import RaxError
from rax.ir.graph import Graph
from rax.ir.node import Value, apply, new_input
from rax.ir.op import REGISTRY, Op
from rax.ir.trail import Origin
from rax.ir.types import TensorType, float32, tensor_type
from rax.ops import arrays
from rax.viz.dot import to_dot
from rax.viz.draw import draw, svg
from rax.viz.network import to_networkx
from tests.ir.simple import VECTOR, Simple, chain

add, multiply, matmul = REGISTRY["add"](), REGISTRY["multiply"](), REGISTRY["matmul"]()


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Holding(Op):
    """An operation that holds graphs."""

    name = "holding"
    holds_graphs = True
    graphs: tuple[Graph, ...]
    times: int = 1

    def result(self, *operands: TensorType) -> TensorType:
        return operands[0]


def pinned(scope: str) -> Origin:
    """The origin of a node in scopes ``a/b`` at a line of a model."""
    return Origin(tuple(filter(None, scope.split("/"))), "model.py:3 in f")


def at(scope: str, op: Op, *operands: Value) -> Value:
    """One result, made in scopes ``a/b``."""
    with trail.pinning() as recorder:
        recorder.pinned = pinned(scope)
        return op(*operands)


def model() -> Graph:
    """A layer in a scope, a scaled sum outside."""
    with trail.recording() as recorder:
        recorder.pinned = pinned("")
        x, w = new_input("x", tensor_type(("batch", 3))), new_input("params.w", tensor_type((3, 2)))
        y = at("encoder/layer", matmul, x, w)
        y = at("encoder", add, y, arrays.constant([1.0, 2.0], float32))
        y = make_op(REGISTRY["sum"], {"axes": (0, 1)})(y)
        return Graph((x, w), (multiply(y, arrays.scalar(0.5, float32)),), output_names=("loss",))


def statements(graph: Graph, depth: int | None = None) -> list[str]:
    """The lines of the text, without indentation."""
    return [line.strip() for line in to_dot(graph, depth=depth).source.splitlines()]


def boxes(lines: Sequence[str]) -> dict[str, str]:
    """Each box by name, with what its label shows: titles and lines, separated by ``|``."""
    found = [re.match(r"([gs]\w*) \[label=<(.*)> color=", line) for line in lines]
    labels = {box.group(1): box.group(2).replace("<br/>", "|") for box in found if box is not None}
    return {name: re.sub(r"<[^<>]*>", "", label) for name, label in labels.items()}


def edges(lines: Sequence[str]) -> list[tuple[str, ...]]:
    """Each edge as the names at its ends."""
    return [tuple(line.split(" [")[0].split(" -> ")) for line in lines if " -> " in line]


def clusters(lines: Sequence[str]) -> dict[str, list[str]]:
    """The names in each cluster, by the labels of the clusters around it."""
    found: dict[str, list[str]] = {}
    path: list[str] = []
    for line in lines:
        if line.startswith("subgraph"):
            path.append("")
        elif line == "}" and path:
            path.pop()
        elif (label := re.search(r" label=<([^<>]*)> labeljust", line)) is not None:
            path[-1] = label.group(1)
            found["/".join(path)] = []
        elif path and re.match(r"[gs]\w* \[", line):
            found["/".join(path)].append(line.split(" ")[0])
    return found


def test_the_text_of_a_drawing() -> None:
    golden = Path(__file__).with_name("model.dot").read_text(encoding="utf-8")
    assert to_dot(model()).source == golden
    assert to_dot(model()).source == golden


def test_labels_say_operation_attributes_and_types() -> None:
    assert list(boxes(statements(model())).values()) == [
        "x|float32[batch, 3]",
        "params.w|float32[3, 2]",
        "constant|[1.0, 2.0]|float32[2]",
        "sum|axes=(0, 1)|float32[]",
        "multiply|(·, 0.5)|float32[]",
        "loss|float32[]",
        "add|float32[batch, 2]",
        "matmul|float32[batch, 2]",
    ]


def test_scopes_are_clusters_inside_one_another() -> None:
    assert clusters(statements(model())) == {"encoder": ["gn4"], "encoder/layer": ["gn2"]}


def test_a_scope_entered_again_is_a_cluster_of_its_own() -> None:
    """As derivatives do: forward through a then b, back through b then a."""
    with trail.recording():
        x = new_input("x", VECTOR)
        one = Simple("one", VECTOR)
        first = at("a", multiply, x, x)
        beside = at("a", add, x, x)
        second = at("b/inner", multiply, first, first)
        back = at("b/inner", add, second, first)
        last = at("a", add, back, beside)
        graph = Graph((x,), (apply(one, (last,)),))
    lines = statements(graph)
    names = {label.split("|")[0] + name: name for name, label in boxes(lines).items()}
    assert len(names) == 8
    assert [line.count("label=<a>") for line in lines].count(1) == 2
    assert [line.count("label=<inner>") for line in lines].count(1) == 1


def test_deep_scopes_fold_into_one_box() -> None:
    lines = statements(model(), depth=1)
    assert clusters(lines) == {"encoder": ["gn4", "s0"]}
    assert boxes(lines)["s0"] == "layer|1 nodes"
    assert ("gn0", "s0") in edges(lines)
    lines = statements(model(), depth=0)
    assert clusters(lines) == {}
    assert boxes(lines)["s0"] == "encoder|2 nodes"
    assert edges(lines) == [("gn0", "s0"), ("gn1", "s0"), ("gn3", "s0"), ("s0", "gn5"), ("gn5", "gn7"), ("gn7", "gr0")]


def test_graphs_below_are_clusters_the_operation_leads_to() -> None:
    with trail.recording():
        x = new_input("x", VECTOR)
        y = at("outer/inner", multiply, new := new_input("y", VECTOR), new)
        body = Graph((new,), (y,), output_names=("squared",))
        constant_only = Graph((), (arrays.constant([1.0, 2.0, 3.0], float32),))
        graph = Graph((x,), (at("outer", Holding((body, constant_only, body), times=3), x),))
    lines = statements(graph)
    assert clusters(lines) == {
        "outer": ["gn1"],
        "outer/holding graphs[0]": ["g1n0", "g1r0"],
        "outer/holding graphs[0]/inner": ["g1n1"],
        "outer/holding graphs[1]": ["g2n0", "g2r0"],
    }
    shown = boxes(lines)
    assert (shown["gn1"], shown["g1r0"]) == ("holding|times=3|float32[3]", "squared|float32[3]")
    assert edges(lines).count(("gn1", "g1n0")) == 2
    assert ("gn1", "g2r0") in edges(lines)
    assert sum("lhead=cluster_" in line and "style=dashed" in line for line in lines) == 3


def test_results_of_several_are_numbered() -> None:
    x = new_input("x", VECTOR)
    first, second = apply(Simple("pair", VECTOR, tensor_type(())), (x,)).outputs
    lines = statements(Graph((x,), (second, first)))
    assert boxes(lines)["gn1"] == "pair|float32[3]|float32[]"
    assert 'gn1 -> gr0 [taillabel=1 tooltip="float32[]"]' in lines
    assert 'gn1 -> gr1 [taillabel=0 tooltip="float32[3]"]' in lines


def test_what_is_long_is_cut() -> None:
    x = new_input("x" * 100, VECTOR)
    many = apply(Simple("many", *[VECTOR] * 9), (x,)).outputs[0]
    shown = boxes(statements(Graph((x,), (many,))))
    assert shown["gn0"] == "x" * 47 + "…|float32[3]"
    assert shown["gn1"] == "many|" + "float32[3]|" * 4 + "…"


def test_scalar_constants_stand_where_they_are_used() -> None:
    half = arrays.scalar(0.5, float32)
    shown = boxes(statements(Graph((), (half, make_op(REGISTRY["broadcast_to"], {"shape": (3,)})(half)))))
    assert shown == {
        "gn1": "broadcast_to|(0.5)|float32[3]",
        "gr0": "0|0.5|float32[]",
        "gr1": "1|float32[3]",
    }


@given(st.text(max_size=20))
def test_any_name_is_escaped(name: str) -> None:
    with trail.recording() as recorder:
        recorder.pinned = Origin((name,), name)
        x = new_input(name, VECTOR)
        source = to_dot(Graph((x,), (add(x, x),), output_names=(name or "result",))).source
    for label in re.findall(r"label=<(.*?)> (?:color|labeljust)", source):
        bare = re.sub(r"</?b>|<br/>|</?font[^<>]*>", "", label)
        assert not re.search(r"[<>]|&(?!amp;|lt;|gt;|quot;|#x27;)", bare)
        assert bare.isprintable()
        assert bare.strip()
    assert len(source.split("\n")) == 15  # a name cannot start a line of its own


def test_colours_tell_inputs_outputs_constants_and_families() -> None:
    lines = statements(model())
    fills = [re.search(r'fillcolor="(#\w+)"', line) for line in lines if re.match(r"g\w* \[", line)]
    assert len({fill.group(1) for fill in fills if fill is not None}) == 6  # add and multiply share one


def test_a_long_chain_is_drawn_without_recursion(tmp_path: Path) -> None:
    first, last = chain(20_000)
    draw(Graph((first,), (last,)), tmp_path / "chain.dot")
    source = (tmp_path / "chain.dot").read_text()
    assert source.count(" -> ") == 20_001
    assert "splines=line" in source


# The program.


def program(folder: Path, script: str) -> str:
    """A stand-in for Graphviz's program, a shell script called ``dot``; the PATH that finds it first."""
    path = folder / "dot"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return f"{folder}:/bin:/usr/bin"


@pytest.mark.parametrize("kind", ["svg", "png", "pdf"])
def test_pictures_are_what_the_program_makes(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", program(tmp_path, 'echo "$@"; cat'))
    draw(model(), str(tmp_path / f"model.{kind}"))
    made = (tmp_path / f"model.{kind}").read_text(encoding="utf-8")
    assert made.startswith(f"-Kdot -T{kind}\n")
    assert "<b>matmul</b>" in made
    assert ("dpi=150" in made) == (kind == "png")


@pytest.mark.parametrize("suffix", ["dot", "gv", "DOT"])
def test_text_needs_no_program(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    model().draw(str(tmp_path / f"model.{suffix}"))
    assert (tmp_path / f"model.{suffix}").read_text(encoding="utf-8") == to_dot(model()).source


@pytest.mark.parametrize("kind", ["svg", "png", "pdf"])
def test_a_missing_program_is_said_with_its_remedy(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RaxError) as caught:
        draw(model(), tmp_path / f"model.{kind}")
    assert str(caught.value) == (
        f"drawing .{kind} needs Graphviz's program 'dot', which is not on the PATH\n"
        "  fix: install Graphviz: 'apt install graphviz', 'brew install graphviz' or 'conda install graphviz'; "
        "or draw to a .dot file, which needs no program"
    )
    assert not (tmp_path / f"model.{kind}").exists()


def test_a_program_that_fails_is_said_with_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", program(tmp_path, "cat > /dev/null; echo it broke >&2; exit 3"))
    with pytest.raises(RaxError) as caught:
        draw(model(), tmp_path / "model.svg")
    assert str(caught.value) == (
        "Graphviz could not draw the graph: it broke\n  fix: draw to a .dot file to see its text"
    )


def test_notebooks_show_svg_where_they_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert svg(model()) is None
    assert model()._repr_svg_() is None
    monkeypatch.setenv("PATH", program(tmp_path, "cat"))
    assert model()._repr_svg_() == to_dot(model()).source
    first, last = chain(600)
    assert svg(Graph((first,), (last,))) is None


@pytest.mark.parametrize("name", ["model.jpeg", "model", "model."])
def test_other_suffixes_are_refused(name: str) -> None:
    with pytest.raises(RaxError) as caught:
        draw(model(), f"/nowhere/{name}")
    assert str(caught.value) == f"cannot draw to {name!r}\n  fix: end the name in one of .dot, .svg, .png, .pdf"


def test_options_are_checked() -> None:
    with pytest.raises(RaxError, match="there is no direction 'up'"):
        draw(model(), "x.dot", direction="up")
    with pytest.raises(RaxError, match="the depth of a drawing is not negative: -1"):
        draw(model(), "x.dot", depth=-1)


def test_options_reach_the_drawing(tmp_path: Path) -> None:
    model().draw(str(tmp_path / "model.dot"), direction="LR", depth=0)
    source = (tmp_path / "model.dot").read_text(encoding="utf-8")
    assert "rankdir=LR" in source
    assert "cluster" not in source.replace("compound", "")


# networkx.


def test_networkx_sees_every_node_and_edge() -> None:
    network = model().to_networkx()
    assert isinstance(network, nx.MultiDiGraph)
    assert list(network.nodes(data="op")) == [
        ("x", "input"),
        ("params.w", "input"),
        ("%0", "matmul"),
        ("%1", "constant"),
        ("%2", "add"),
        ("%3", "sum"),
        ("float32(0.5)", "constant"),
        ("%4", "multiply"),
    ]
    assert network.nodes["%3"] == {
        "op": "sum",
        "attributes": {"axes": (0, 1)},
        "types": (tensor_type(()),),
        "scope": (),
        "source": "model.py:3 in f",
    }
    assert network.nodes["x"]["attributes"] == {"name": "x"}
    assert network.nodes["%0"]["scope"] == ("encoder", "layer")
    assert list(network.edges(data=True, keys=True)) == [
        ("x", "%0", 0, {"operand": 0, "result": 0, "type": tensor_type(("batch", 3))}),
        ("params.w", "%0", 1, {"operand": 1, "result": 0, "type": tensor_type((3, 2))}),
        ("%0", "%2", 0, {"operand": 0, "result": 0, "type": tensor_type(("batch", 2))}),
        ("%1", "%2", 1, {"operand": 1, "result": 0, "type": tensor_type((2,))}),
        ("%2", "%3", 0, {"operand": 0, "result": 0, "type": tensor_type(("batch", 2))}),
        ("%3", "%4", 0, {"operand": 0, "result": 0, "type": tensor_type(())}),
        ("float32(0.5)", "%4", 1, {"operand": 1, "result": 0, "type": tensor_type(())}),
    ]
    assert network.graph == {"inputs": ["x", "params.w"], "outputs": [("loss", "%4", 0)]}
    assert nx.is_directed_acyclic_graph(network)


def test_networkx_tells_results_and_repeated_operands_apart() -> None:
    x = new_input("x", VECTOR)
    first, second = apply(Simple("pair", VECTOR, VECTOR), (x, x)).outputs
    network = to_networkx(Graph((x,), (add(second, first), second)))
    assert [data["result"] for _, _, data in network.edges(data=True)] == [0, 0, 1, 0]
    assert network.number_of_edges("x", "%0") == 2
    assert network.graph["outputs"] == [("0", "%1", 0), ("1", "%0", 1)]


def test_networkx_tells_constants_apart() -> None:
    numbers = [arrays.constant(np.float32(number)) for number in (0.0, -0.0, float("nan"))]
    assert len(to_networkx(Graph((), numbers))) == 3
