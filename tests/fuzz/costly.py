"""Files within every bound that cost a reader as much as they can, each of about a given number of bytes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, islice
from typing import Any

from tests.format.build import EMPTY, joined, pack

X = ["float32", [2]]
LEAF, ONE, NO_ARGUMENTS = ["leaf"], ["arguments", [0], ["x"]], ["arguments", [], []]


def written(**tables: Any) -> bytes:
    """A file of these tables; the others are those of an empty program."""
    return joined(pack({**EMPTY, **tables}))[0]


def graph(**parts: Any) -> dict[str, Any]:
    """A graph, by default of ``x`` of type 0, that returns it; trees 0 and 1 are a leaf and one argument."""
    plain: dict[str, Any] = {"constants": [], "inputs": [["x", 0]], "nodes": [], "outputs": [-1]}
    plain |= {"output_names": ["y"] * len(parts.get("outputs", [-1])), "in_tree": 1, "out_tree": 0, "origins": []}
    return {**plain, **parts}


def plain(types: list[Any], ops: list[Any], *graphs: dict[str, Any], **tables: Any) -> bytes:
    """A file whose last graph is its entry."""
    rest: dict[str, Any] = {"trees": [LEAF, ONE], "entries": {"main": len(graphs) - 1}, **tables}
    return written(types=types, ops=ops, graphs=list(graphs), **rest)


def arguments(number: int) -> tuple[list[Any], list[Any]]:
    """The inputs of a graph of so many, and their tree, which is of row 1."""
    names = [f"i{index}" for index in range(number)]
    return [[name, 0] for name in names], ["arguments", [0] * number, names]


def long_attribute(nbytes: int) -> bytes:
    """Nodes of an operation with a long attribute, which takes no part in its types."""
    op = ["a.b", 0, {"c": [1] * min(nbytes // 2, 60000)}, 0]
    return plain([X], [op], graph(), graph(nodes=[[0, 0, -1], *[[0, 0, 1]] * (nbytes // 8)], outputs=[1]))


def many_branches(nbytes: int) -> bytes:
    """Nodes of an operation that holds one graph many times."""
    op = ["cond", 1, {"branches": [{"graph": 0}] * min(nbytes // 16, 30000)}]
    inputs, tree = [["i", 1], ["x", 0]], ["arguments", [0, 0], ["i", "x"]]
    nodes = [[0, 0, -1, -2], *[[0, 0, -1, 1]] * (nbytes // 10)]
    body, whole = graph(), graph(inputs=inputs, nodes=nodes, outputs=[1], in_tree=2)
    return plain([X, ["int32", []]], [op], body, whole, trees=[LEAF, ONE, tree])


def names_nearly_all_different(nbytes: int) -> bytes:
    """An entry with many inputs, of which the last two have one name."""
    inputs, tree = arguments(nbytes // 20)
    inputs[-1] = inputs[-2]
    return plain([X], [], graph(inputs=inputs), trees=[LEAF, tree])


def outputs_of_one_name(nbytes: int) -> bytes:
    """An entry with many outputs, all of one name."""
    outputs = [-1] * (nbytes // 5)
    return plain([X], [], graph(outputs=outputs, out_tree=2), trees=[LEAF, ONE, ["list", [0] * len(outputs)]])


def entries_of_one_graph(nbytes: int) -> bytes:
    """Many entries, all of one graph with many inputs, each with a default."""
    inputs, tree = arguments(nbytes // 30)
    entries = {f"e{index}": 0 for index in range(min(nbytes // 12, 4096))}
    tensors, defaults = [[0, bytes(8)]], {name: 0 for name, _ in inputs}
    return plain([X], [], graph(inputs=inputs), trees=[LEAF, tree], entries=entries, tensors=tensors, defaults=defaults)


def trees_that_double(nbytes: int) -> bytes:
    """Graphs whose outputs come in a nest of a million Nones."""
    doubling = [["none"], *[["list", [row, row]] for row in range(2, 20)]]
    trees = [LEAF, ONE, *doubling, ["tuple", [0, 20]]]
    graphs = [graph(out_tree=21) for _ in range(max(nbytes // 80, 1))]
    entries = {f"e{index}": index for index in range(min(len(graphs), 4096))}
    return plain([X], [], *graphs, trees=trees, entries=entries)


def a_long_name_of_a_long_attribute(nbytes: int) -> bytes:
    """Attributes whose names are as long as their values."""
    half = min(nbytes // 2, 60000)
    ops = [["a.b", 0, {"n" * half: [0] * half, "o": number}, 0] for number in range(max(nbytes // 2 // half, 1))]
    return plain([X], ops, graph())


def a_long_name_of_many(nbytes: int) -> bytes:
    """An example with a long name and many tensors."""
    name = "e" * min(nbytes // 2, 60000)
    inputs = {f"{index}": 0 for index in range(nbytes // 14)}
    example = {"display": {}, "inputs": inputs, "outputs": {}}
    return plain([X], [], graph(), tensors=[[0, bytes(8)]], entries={name: 0}, examples={name: example})


def horner(name: str, degree: int, first: int) -> Any:
    """A polynomial in one dim, without its terms written out."""
    size: Any = first
    for place in range(degree):
        size = ["+", ["*", size, name], place + 1]
    return size


def products(nbytes: int) -> bytes:
    """Reshapes, each of which multiplies two long polynomials twice and finds the products equal."""
    sizes = [horner("n", 25, number + 2) for number in range(min(nbytes // 2000, 60))]
    types: list[Any] = []
    ops: list[Any] = []
    inputs: list[Any] = []
    nodes: list[Any] = []
    for left, right in islice(combinations(sizes, 2), nbytes // 1000):
        types += [["float32", [left, right]], ["float32", [right, left]]]
        ops.append(["reshape", 1, {"shape": [{"dim": right}, {"dim": left}]}])
        inputs.append([f"i{len(inputs)}", len(types) - 2])
        nodes.append([len(ops) - 1, len(types) - 1, -len(inputs)])
    tree = ["arguments", [0] * len(inputs), [name for name, _ in inputs]]
    return plain(types, ops, graph(inputs=inputs, nodes=nodes, outputs=[1]), trees=[LEAF, tree])


def proofs(nbytes: int) -> bytes:
    """Sizes that are the smallest of many, of which no two can be compared without work."""

    def operand(number: int, step: int) -> Any:
        return ["//", ["+", ["max", f"a{step}", f"b{number}"], ["*", -1, ["min", "c", f"d{step}"]]], step + 2]

    def smallest(number: int) -> Any:
        size = operand(number, 0)
        for step in range(1, 28):
            size = ["min", size, operand(number, step)]
        return size

    return written(types=[["float32", [smallest(number)]] for number in range(min(max(nbytes // 900, 1), 64))])


def sums(nbytes: int) -> bytes:
    """Many operands of a long symbolic size joined."""
    size = horner("n", 25, 1)
    number = min(nbytes // 2, 60000)
    node = [0, 1, *[-1] * number]
    types = [["float32", [size]], ["float32", [["*", number, size]]]]
    return plain(types, [["concat", 1, {"axis": 0}]], graph(nodes=[node] * max(nbytes // number // 2, 1), outputs=[1]))


def wide_type() -> list[Any]:
    """A type whose text is long: each size a power of a dim."""
    return ["float32", [["*", *["n"] * 200]] * 64]


def errors_that_list_operands(nbytes: int) -> bytes:
    """An operation of somebody's own refuses many operands of types that are long to print."""
    number = max((nbytes - 26000) // 20, 20)
    inputs, tree = arguments(number)
    body = graph(inputs=inputs)
    node = [0, 0, *[-1] * (number - 1), -2]
    whole = graph(inputs=[["a", 0], ["b", 1]], nodes=[node], outputs=[1], in_tree=2)
    types = [wide_type(), ["float32", [3]]]
    return plain(types, [["a.b", 0, {}, 0]], body, whole, trees=[LEAF, tree, ["arguments", [0, 0], ["a", "b"]]])


def errors_that_print_a_graph(nbytes: int) -> bytes:
    """A graph with many inputs of types that are long to print, where an int is due."""
    inputs, tree = arguments(max((nbytes - 26000) // 40, 20))
    op = ["sum", 1, {"axes": [{"graph": 0}] * max((nbytes - 26000) // 18, 20)}]
    body, whole = graph(inputs=inputs, in_tree=2), graph(nodes=[[0, 0, -1]])
    return plain([wide_type()], [op], body, whole, trees=[LEAF, ONE, tree])


def errors_that_print_types(nbytes: int) -> bytes:
    """Operands that do not fit, of types that are long to print."""
    del nbytes
    op = ["reshape", 1, {"shape": [2]}]
    return plain([wide_type()], [op], graph(nodes=[[0, 0, -1]], outputs=[1]))


def a_default_that_is_nearly_an_input(nbytes: int) -> bytes:
    """Defaults that no entry takes, with long names much like that of an input."""
    half = min(nbytes // 2, 60000)
    name = "".join(chr(0x4E00 + index * 7 % 4001) for index in range(half // 3))
    inputs = [[name[:-2] + "a", 0]]
    tables = {"tensors": [[0, bytes(8)]], "defaults": {name[1:]: 0}}
    return plain([X], [], graph(inputs=inputs), **tables)


def held_many_times(nbytes: int) -> bytes:
    """Graphs that each apply operations which each hold many graphs."""
    number = max(int((nbytes / 30) ** 0.5), 2)
    held = [{"graph": 0}] * number
    ops = [["a.b", 0, {"c": held, "d": index}, 0] for index in range(number)]
    nodes = [[index, 0, -1] for index in range(number)]
    return plain([X], ops, graph(), *[graph(nodes=nodes) for _ in range(number * 2)])


def empty_arrays(nbytes: int) -> bytes:
    """A header of nothing but empty arrays."""
    return written(types=[[]] * nbytes)


def empty_maps(nbytes: int) -> bytes:
    """A header of nothing but empty maps."""
    return written(types=[{}] * nbytes)


def deep_arrays(nbytes: int) -> bytes:
    """Arrays in arrays, as deep as can be read, over and over."""
    value: Any = 0
    for _ in range(900):
        value = [value]
    return written(types=[value] * (nbytes // 900))


def many_tensors(nbytes: int) -> bytes:
    """Small tensors."""
    return plain([X], [], graph(), tensors=[[0, bytes(8)]] * (nbytes // 12))


def many_nodes(nbytes: int) -> bytes:
    """A chain of nodes, which is what a file is for."""
    return plain([X], [["add", 1, {}]], graph(nodes=[[0, 0, -1, -1], *[[0, 0, 1, 1]] * (nbytes // 5)], outputs=[1]))


def many_types(nbytes: int) -> bytes:
    """Types, all different."""
    return written(types=[["float32", [number % 170, number // 170, "n"]] for number in range(nbytes // 15)])


def many_results(nbytes: int) -> bytes:
    """A node with many results, over and over."""
    number = min(nbytes // 8, 60000)
    trees = [LEAF, ONE, ["list", [0] * number]]
    body = graph(outputs=[-1] * number, out_tree=2)
    nodes = [[0, [0] * number, -1] for _ in range(max(nbytes // 2 // number, 1))]
    return plain([X], [["a.b", 0, {}, 0]], body, graph(nodes=nodes), trees=trees)


def graphs_that_double(nbytes: int) -> bytes:
    """Graphs each of which applies the one before twice: 2**24 nodes if all were written out."""
    levels = [graph(nodes=[[0, 0, -1]], outputs=[1])]
    ops = [["negative", 1, {}]]
    for level in range(23):
        ops.append(["a.b", 0, {"level": level}, level])
        levels.append(graph(nodes=[[level + 1, 0, -1], [level + 1, 0, 1]], outputs=[1]))
    rest = [graph(nodes=[[23, 0, -1]], outputs=[1])] * max((nbytes - 3000) // 100, 1)
    return plain([X], ops, *levels, *rest)


def long_ints(nbytes: int) -> bytes:
    """Sizes that come to ints of thousands of digits."""
    size = ["*", *[2**62] * 400]
    return written(types=[["float32", [["*", number + 1, size]]] for number in range(max(nbytes // 4000, 1))])


COSTLY: dict[Callable[[int], bytes], str] = {
    long_attribute: "loads",
    many_branches: "loads",
    names_nearly_all_different: "bad-program",
    outputs_of_one_name: "bad-program",
    entries_of_one_graph: "loads",
    trees_that_double: "loads",
    a_long_name_of_a_long_attribute: "loads",
    a_long_name_of_many: "bad-program",
    products: "loads",
    proofs: "total",
    sums: "total",
    errors_that_list_operands: "op-refused",
    errors_that_print_a_graph: "bad-attribute",
    errors_that_print_types: "op-refused",
    a_default_that_is_nearly_an_input: "bad-program",
    held_many_times: "loads",
    empty_arrays: "wrong-kind",
    empty_maps: "wrong-kind",
    deep_arrays: "wrong-kind",
    many_tensors: "loads",
    many_nodes: "loads",
    many_types: "loads",
    many_results: "loads",
    graphs_that_double: "loads",
    long_ints: "total",
}
"""What is made, and what comes of reading it, at the sizes at which it is tried."""
