"""Reads the text form of a program (:mod:`rax.ir.text.program_printer`): ``rax.parse``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn, TypeVar

from rax.ir import services, trail
from rax.ir.collector import paused
from rax.ir.errors import RaxError
from rax.ir.graph import Graph
from rax.ir.node import Literal
from rax.ir.op import Op
from rax.ir.program import Example, Program
from rax.ir.text.graph_parser import GraphParser
from rax.ir.text.program_printer import TEXT_VERSION, program_literals
from rax.ir.text.scanner import LABEL, clipped, did_you_mean
from rax.ir.trail import NOWHERE

_VERSION = re.compile(r"[0-9]{1,9}(?![A-Za-z0-9_.])")
_PARTS = ("main", "graph", "entry", "default", "example")

T = TypeVar("T")


def parse(text: str, *, tensors: Sequence[Program] = (), registry: Mapping[str, type[Op]] | None = None) -> Program:
    """The program that a text describes: undoes ``str(program)``, to the bytes of the file.

    Every operation is rebuilt from its name, and its types are inferred and compared. Nothing that
    a text says is run or imported.

    Args:
        text: the text form of a program, or of one graph, which becomes the entry ``"main"``.
        tensors: programs that hold the data which the text names by its SHA-256.
        registry: the operations a text may use; by default rax's own and the user's.

    Raises:
        ParseError: the text is malformed, an operation refuses its operands, or data is not given; says where.

    Example:
        >>> import rax
        >>> program = parse("graph (x: float32[n]) -> (y: float32[n]) { %0 = add(x, x) : float32[n] return %0 }")
        >>> program["main"]([1.0, 2.0])
        array([2., 4.], dtype=float32)
        >>> str(parse(str(program))) == str(program)
        True
    """
    known = services.get("registry")() if registry is None else registry
    given: dict[str, Literal] = {}
    for program in tensors:
        given |= program_literals(program)
    with paused(), trail.recording() as recorder:
        recorder.pinned = NOWHERE
        return _ProgramParser(text, known, given).program()


class _ExampleText:
    """An example, and where each of its lines stands."""

    def __init__(self, place: int) -> None:
        self.place = place
        self.inputs: dict[str, Literal] = {}
        self.outputs: dict[str, Literal] = {}
        self.display: dict[str, str] = {}
        self.places: dict[tuple[str, str], int] = {}


class _ProgramParser(GraphParser):
    def __init__(self, text: str, registry: Mapping[str, type[Op]], tensors: Mapping[str, Literal]) -> None:
        super().__init__(text, registry, tensors)
        self._main: tuple[str, int] | None = None
        self._entries: dict[str, Graph] = {}
        self._defaults: dict[str, Literal] = {}
        self._examples: dict[str, _ExampleText] = {}
        # Where each stands: the word, the name.
        self._places: dict[tuple[str, str], int] = {}

    def program(self) -> Program:
        """The whole text."""
        if self.word("graph"):
            self._places["entry", "main"] = self.place = self.place - len("graph")
            self._entries["main"] = self.whole()
            return self._checked()
        self._version()
        while self.skip() != len(self.text):
            if self.word("graph"):
                self._definition()
            elif not self._part():
                self.fail_word("'main', 'graph', 'entry', 'default' or 'example'", *_PARTS)
        return self._checked()

    def _version(self) -> None:
        if not self.word("rax"):
            fix = "a program begins with a line such as rax 1, a graph with the word graph"
            self.fail(f"expected 'rax' or 'graph', not {self.next_word()}", fix=fix)
        found = self.match(_VERSION, "a version such as 1")
        if not 1 <= int(found.group()) <= TEXT_VERSION:
            what = f"the text has format version {found.group()}; this rax reads version {TEXT_VERSION}"
            self.fail(what, found.start(), fix="install a newer rax" if int(found.group()) else "")

    def _definition(self) -> None:
        """A graph with a label."""
        place = self.skip()
        label = self.match(LABEL, "the label of a graph, such as &0").group(1)
        if label in self.graphs:
            self.fail(f"&{label} is defined above already", place)
        self.graphs[label] = self.graph()

    def _part(self) -> bool:
        """Pass an entry, a default, an example or the name of the main entry."""
        if self.word("main"):
            place = self.skip()
            if self._main is not None:
                self.fail("the main entry is named above already", place)
            self._main = self.name("the name of an entry"), place
        elif self.word("entry"):
            self._named("entry", self._entries, self._graph)
        elif self.word("default"):
            self._named("default", self._defaults, self.tensor)
        elif self.word("example"):
            self._example()
        else:
            return False
        return True

    def _graph(self) -> Graph:
        if self.word("graph"):
            return self.held_graph(labelled=False)
        if not self.text.startswith("&", self.skip()):
            self.fail(f"expected 'graph' or a label such as &0, not {self.next_word()}")
        return self.held_graph(labelled=True)

    def _named(self, word: str, known: dict[str, T], read: Callable[[], T]) -> None:
        """Pass a name and what it stands for."""
        place = self.skip()
        name = self.name()
        if name in known:
            self.fail(f"the {word} {clipped(name)} is given twice", place)
        self.need("=")
        self._places[word, name] = place
        known[name] = read()

    def _example(self) -> None:
        place = self.skip()
        name = self.name("the name of an entry")
        if name in self._examples:
            self.fail(f"the example of {clipped(name)} is given twice", place)
        found = self._examples[name] = _ExampleText(place)
        outer, self._places = self._places, found.places
        self.need("{")
        while not self.take("}"):
            if self.word("input"):
                self._named("input", found.inputs, self.tensor)
            elif self.word("output"):
                self._named("output", found.outputs, self.tensor)
            elif self.word("display"):
                self._named("display", found.display, self.string)
            else:
                self.fail_word("'input', 'output', 'display' or '}'", "input", "output", "display")
        self._places = outer

    def _checked(self) -> Program:
        """The program of what was read; what its parts say of each other is checked."""
        named = [(name, found.place) for name, found in self._examples.items()]
        for name, place in [self._main, *named] if self._main else named:
            if name not in self._entries:
                fix = did_you_mean(name, self._entries)
                self.fail(f"the program has no entry {clipped(name)}", place, fix=fix)
        examples = {name: Example(found.inputs, found.outputs, found.display) for name, found in self._examples.items()}
        main = self._main[0] if self._main else None
        try:
            return Program(self._entries, defaults=self._defaults, examples=examples, main=main)
        except RaxError as error:
            self._blame(error)

    def _blame(self, error: RaxError) -> NoReturn:
        """Raise at the first part that is wrong, which the shortest wrong program ends with."""
        entries = list(self._entries.items())
        self._try([self._places["entry", name] for name, _ in entries], lambda count: Program(dict(entries[:count])))
        defaults = list(self._defaults.items())
        self._try(
            [self._places["default", name] for name, _ in defaults],
            lambda count: Program(self._entries, defaults=dict(defaults[:count])),
        )
        for name, found in self._examples.items():
            inputs, outputs = list(found.inputs.items()), list(found.outputs.items())
            self._try(
                [found.places["input", key] for key in found.inputs],
                lambda count, name=name, inputs=inputs: self._with(name, Example(dict(inputs[:count]))),
            )
            self._try(
                [found.places["output", key] for key in found.outputs],
                lambda count, name=name, outputs=outputs: self._with(name, Example({}, dict(outputs[:count]))),
            )
        self.refuse(error, len(self.text))

    def _with(self, entry: str, example: Example) -> Program:
        return Program({entry: self._entries[entry]}, examples={entry: example})

    def _try(self, places: list[int], make: Callable[[int], Program]) -> None:
        """Refuse at the place of the first part with which a program cannot be made; that of none can."""
        low, high = 0, len(places)
        error = _error_of(make, high)
        while error is not None and high - low > 1:
            middle = (low + high) // 2
            found = _error_of(make, middle)
            low, high, error = (middle, high, error) if found is None else (low, middle, found)
        if error is not None:
            self.refuse(error, places[high - 1])


def _error_of(make: Callable[[int], Program], count: int) -> RaxError | None:
    try:
        make(count)
    except RaxError as error:
        return error
    return None
