// The digests of programs and graphs: what FORMAT.md says is hashed, of graphs brought into canonical form first.

import { sha256 } from "./container.mjs";
import { compareText } from "./kinds.mjs";
import { LIST, asTyped, defaultOf } from "./list.mjs";
import { textOf } from "./normal.mjs";

const hex = (bytes) => Buffer.from(bytes).toString("hex");
const digestOf = (lines) => hex(sha256(Buffer.from(lines.map((line) => `${line}\n`).join(""))));
const framed = (text) => `${Buffer.byteLength(text)}:${text}`;
const byName = (map) => [...map].sort(([a], [b]) => compareText(a, b));

export const typeText = ({ dtype, shape }) => `${dtype}[${shape.map(textOf).join(", ")}]`;

function floatText(value) {
  const bits = Buffer.alloc(8);
  bits.writeDoubleBE(value);
  return `float:${Number.isNaN(value) ? "7ff8000000000000" : hex(bits)}`;
}

// The digests of one program.
export class Digests {
  #header;
  #tensors;
  #graphs = new Map();
  #operations = new Map();
  #sums = new Map();

  constructor({ header, tensors }) {
    this.#header = header;
    this.#tensors = tensors;
  }

  get program() {
    const { entries, defaults, examples } = this.#header;
    const lines = byName(entries).map(([name, row]) => `entry ${framed(name)} ${this.graph(row)}`);
    const tensors = (words, rows) => byName(rows).map(([name, row]) => `${words} ${framed(name)} ${this.#tensor(row)}`);
    lines.push(...tensors("default", defaults));
    for (const [entry, { inputs, outputs }] of byName(examples)) {
      lines.push(...tensors(`example ${framed(entry)} input`, inputs), ...tensors(`example ${framed(entry)} output`, outputs));
    }
    return digestOf(["rax program 1", ...lines]);
  }

  // The digest of a row of `graphs`.
  graph(row) {
    if (!this.#graphs.has(row)) this.#graphs.set(row, digestOf(this.#lines(this.#header.graphs[row])));
    return this.#graphs.get(row);
  }

  // A graph's lines. Its constants and nodes come in depth-first order, equal ones once: a reference becomes that of an
  // input or constant, or the number of a value.
  #lines({ inputs, constants, nodes, outputs }) {
    const values = nodes.flatMap(({ types }, node) => types.map((_, place) => ({ node, place })));
    const leaf = (ref) => -1 - ref;
    const operandsOf = ({ operands, before }) => operands.map((ref) => (ref < 0 ? ref : before - ref));
    const wanted = outputs.map((ref) => (ref < 0 ? ref : values.length - ref));
    const [known, tensors, places, firsts] = [new Map(), [], new Map(), new Map()];
    const lines = [];
    let count = 0;
    const renumbered = (ref) => {
      if (ref >= 0) return firsts.get(values[ref].node) + values[ref].place;
      if (leaf(ref) < inputs.length) return ref;
      const tensor = this.#tensor(constants[leaf(ref) - inputs.length]);
      if (!places.has(tensor)) places.set(tensor, -1 - inputs.length - (tensors.push(tensor) - 1));
      return places.get(tensor);
    };
    for (const ref of depthFirst(wanted, (value) => operandsOf(nodes[values[value].node]), (value) => values[value].node)) {
      if (ref < 0) {
        renumbered(ref);
        continue;
      }
      const { node } = values[ref];
      const text = this.#operation(nodes[node].op);
      const operands = operandsOf(nodes[node]).map(renumbered);
      const key = JSON.stringify([text, operands]);
      if (!known.has(key)) {
        known.set(key, count);
        lines.push([text, ...operands.map((each) => (each < 0 ? each : count - each))].join(" "));
        count += nodes[node].types.length;
      }
      firsts.set(node, known.get(key));
    }
    const results = wanted.map(renumbered).map((each) => (each < 0 ? each : count - each));
    return [
      "rax graph 1",
      ...inputs.map(({ type }) => `input ${typeText(type)}`),
      ...tensors.map((tensor) => `constant ${tensor}`),
      ...lines,
      ["return", ...results].join(" "),
    ];
  }

  #operation(row) {
    if (!this.#operations.has(row)) this.#operations.set(row, this.#operationText(this.#header.ops[row]));
    return this.#operations.get(row);
  }

  #operationText({ name, attributes, body }) {
    const stated = new Map();
    const due = new Map((body === null ? LIST.get(name).attributes : []).map((each) => [each.name, each]));
    for (const [key, value] of attributes) {
      const row = due.get(key);
      const text = this.#value(row ? asTyped(value, row.type) : value);
      if (!row || !("default" in row) || text !== this.#value(defaultOf(row))) stated.set(key, text);
    }
    if (body !== null) stated.set("body", this.#value({ kind: "graph", value: body }));
    return `${framed(name)}{${byName(stated).map(([key, text]) => `${framed(key)}=${text}`).join(",")}}`;
  }

  #value({ kind, value }) {
    switch (kind) {
      case "nil":
        return "nil";
      case "bool":
      case "int":
        return `${value}`;
      case "float":
        return floatText(value);
      case "str":
        return framed(value);
      case "array":
        return `[${value.map((item) => this.#value(item)).join(",")}]`;
      case "dtype":
        return `dtype:${value}`;
      case "dim":
        return `dim:${textOf(value)}`;
      case "type":
        return `type:${typeText(value)}`;
      case "tensor":
        return `tensor:${this.#tensor(value, ":")}`;
      case "graph":
        return `graph:${this.graph(value)}`;
    }
  }

  #tensor(row, between = " ") {
    if (!this.#sums.has(row)) this.#sums.set(row, hex(sha256(this.#tensors[row].bytes)));
    return `${typeText(this.#header.tensors[row].type)}${between}${this.#sums.get(row)}`;
  }
}

// The references that others lead to, each after those it leads to itself, in order; one for each node.
function* depthFirst(wanted, below, nodeOf) {
  const stack = [...wanted].reverse();
  const [met, done] = [new Set(), new Set()];
  while (stack.length) {
    const ref = stack.at(-1);
    const key = ref < 0 ? ref : nodeOf(ref);
    if (met.has(key) || ref < 0) {
      stack.pop();
      if (!done.has(key)) yield ref;
      done.add(key);
    } else {
      met.add(key);
      stack.push(...below(ref).reverse().filter((each) => !met.has(each < 0 ? each : nodeOf(each))));
    }
  }
}
