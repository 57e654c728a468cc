// The header as rows: everything that must hold of it, whatever its operations mean.

import { DTYPES } from "./dtypes.mjs";
import {
  MAX, asArray, asBin, asIndex, asInt, asMap, asRecord, asText, atMost, compareText, inTotal, isInt, kindOf,
} from "./kinds.mjs";
import { SizeReader } from "./sizes.mjs";
import { Float, refuse } from "./wire.mjs";

const KEYS = ["defaults", "entries", "examples", "files", "graphs", "main", "ops", "origins", "tensors", "trees", "types"];
const GRAPH_KEYS = ["constants", "in_tree", "inputs", "nodes", "origins", "out_tree", "output_names", "outputs"];
const EXAMPLE_KEYS = ["display", "inputs", "outputs"];
const TREE_LENGTHS = {
  leaf: 1, none: 1, list: 2, tuple: 2, dict: 3, ordered_dict: 3, arguments: 3, namedtuple: 4, dataclass: 4,
};
// What the ASCII characters of a name may be, and what all may be.
const NAME = /^(?![0-9])[A-Za-z0-9_\u0080-\u{10ffff}]+$/u;
const IDENTIFIER = /^[\p{XID_Start}_]\p{XID_Continue}*$/u;
const KEYWORDS = new Set(
  ("False None True and as assert async await break class continue def del elif else except finally for from global if " +
    "import in is lambda nonlocal not or pass raise return try while with yield").split(" "),
);

const rowsOf = (value, where, most = MAX.rows) => asArray(value, where, most).map((row, n) => [row, `${where}[${n}]`]);

export class Header {
  #sizes = new SizeReader();

  constructor(value) {
    const raw = asRecord(value, "header", KEYS);
    this.types = rowsOf(raw.types, "types").map((row) => this.#type(...row));
    this.trees = [];
    for (const row of rowsOf(raw.trees, "trees")) this.trees.push(this.#tree(...row));
    this.origins = rowsOf(raw.origins, "origins").map((row) => readOrigin(...row));
    this.files = rowsOf(raw.files, "files", MAX.files).map((row) => readPath(...row));
    this.files.forEach((path, n) => {
      if (this.files.indexOf(path) < n) refuse("bad-path", `the path '${path}' comes twice`, `files[${n}]`);
    });
    this.tensors = rowsOf(raw.tensors, "tensors").map((row) => this.#tensor(...row));
    const graphs = rowsOf(raw.graphs, "graphs", MAX.graphs);
    this.graphCount = { length: graphs.length };
    this.ops = rowsOf(raw.ops, "ops").map((row) => this.#op(...row));
    this.graphs = [];
    for (const row of graphs) this.graphs.push(this.#graph(...row));
    this.main = raw.main === null ? null : asText(raw.main, "main");
    this.entries = this.#indices(raw.entries, "entries", this.graphs, "graphs", MAX.entries);
    this.defaults = this.#indices(raw.defaults, "defaults", this.tensors, "tensors");
    this.examples = new Map();
    for (const [name, example] of asMap(raw.examples, "examples", MAX.entries)) {
      this.examples.set(name, this.#example(example, `examples['${name}']`));
    }
  }

  #indices(value, where, table, name, most = MAX.rows) {
    for (const [key, index] of asMap(value, where, most)) asIndex(index, table, name, `${where}['${key}']`);
    return value;
  }

  #dtype(value, where) {
    if (!Object.hasOwn(DTYPES, asText(value, where))) refuse("unknown-dtype", `there is no dtype '${value}'`, where);
    return value;
  }

  #type(value, where) {
    const [name, sizes] = asArray(value, where, 2, 2);
    const dtype = this.#dtype(name, `${where}[0]`);
    const shape = rowsOf(sizes, `${where}[1]`, MAX.axes).map(([size, place]) => {
      if (isInt(size)) return BigInt(asInt(size, place));
      const read = this.#sizes.read(size, place);
      if (typeof read === "bigint" && read < 0n) refuse("bad-dim", `a size of a shape comes to ${read}`, place);
      return read;
    });
    const known = shape.map((size) => (typeof size === "bigint" && size > 0n ? size : 1n));
    const bytes = known.reduce((product, size) => product * size, BigInt(DTYPES[dtype].size));
    inTotal(bytes, MAX.tensorBytes, "bytes of a tensor", where);
    return { dtype, shape };
  }

  #typeAt(index, where) {
    return this.types[asIndex(index, this.types, "types", where)];
  }

  #tensor(value, where) {
    const [index, data, stored, file] = asArray(value, where, 4, 2, 3, 4);
    const type = this.#typeAt(index, `${where}[0]`);
    if (type.shape.some((size) => typeof size !== "bigint")) refuse("bad-tensor", "a size is symbolic", where);
    const due = type.shape.reduce((product, size) => product * size, BigInt(DTYPES[type.dtype].size));
    const check = (count) => {
      if (count !== due) refuse("bad-tensor", `the type has ${due} bytes, not ${count}`, where);
    };
    const bytes = asBin(data, `${where}[1]`);
    if (value.length === 2) {
      atMost(bytes.length, MAX.inlineBytes, "bytes inside the header", `${where}[1]`);
      check(BigInt(bytes.length));
      return { type, inline: bytes };
    }
    if (bytes.length !== 32) refuse("wrong-kind", `a digest has 32 bytes, not ${bytes.length}`, `${where}[1]`);
    if (value.length === 4) asIndex(file, this.files, "files", `${where}[3]`);
    const segments = rowsOf(stored, `${where}[2]`).map((row) => readSegment(...row, file === undefined));
    for (const [, count] of segments.slice(0, -1)) {
      if (count % 64) refuse("bad-segment", `${count} bytes in a segment that is not the last of its tensor`, where);
    }
    check(segments.reduce((sum, [, count]) => sum + BigInt(count), 0n));
    return { type, digest: bytes, segments, file };
  }

  #tree(value, where) {
    const number = this.trees.length;
    const row = asArray(value, where, MAX.rows);
    const kind = row.length ? asText(row[0], `${where}[0]`) : "";
    if (!Object.hasOwn(TREE_LENGTHS, kind)) refuse("bad-value", `there is no kind of tree '${kind}'`, where);
    asArray(row, where, 4, TREE_LENGTHS[kind]);
    const [, below = [], labels = [], name] = row;
    const children = rowsOf(below, `${where}[1]`, MAX.treeItems).map(([child, place]) => {
      if (isInt(child) && child >= number) refuse("forward-reference", "a tree refers to earlier rows", place);
      return this.trees[asIndex(child, this.trees, "trees", place)];
    });
    const keys = rowsOf(labels, `${where}[2]`, MAX.treeItems).map(([key, place]) => readKey(key, kind, place));
    if (row.length > 2) {
      if (keys.length !== children.length) {
        refuse("bad-tree", `${keys.length} keys for ${children.length} children`, `${where}[2]`);
      }
      if (kind !== "arguments" && new Set(keys.map((key) => `${typeof key === "string"} ${key}`)).size < keys.length) {
        refuse("bad-value", "the same key twice", `${where}[2]`);
      }
      if (kind === "dict" && keys.some((key, place) => place && compareKeys(keys[place - 1], key) > 0)) {
        refuse("bad-tree", "the keys of a dict are due in order", `${where}[2]`);
      }
    }
    if (row.length === 4) readField(name, kind, `${where}[3]`, true);
    const levels = 1 + children.reduce((most, child) => Math.max(most, child.levels), 0);
    const items = 1 + children.reduce((sum, child) => sum + child.items, 0);
    inTotal(levels, MAX.treeLevels, "levels of a tree", where);
    inTotal(items, MAX.treeItems, "items of a tree", where);
    const leaves = kind === "leaf" ? 1 : children.reduce((sum, child) => sum + child.leaves, 0);
    return { kind, children, keys, name, levels, items, leaves };
  }

  #op(value, where) {
    const [name, since, attributes, body] = asArray(value, where, 4, 3, 4);
    if (asText(name, `${where}[0]`) === "") refuse("limit", "a name has a character at least", `${where}[0]`);
    asInt(since, `${where}[1]`);
    if ((since === 0) !== (value.length === 4)) refuse("bad-op", "a body is due if, and only if, since is 0", where);
    if ((since === 0) !== name.includes(".")) refuse("bad-op", "a dot is due if, and only if, since is 0", where);
    const held = [];
    if (value.length === 4) held.push(asIndex(body, this.graphCount, "graphs", `${where}[3]`));
    const state = { items: 0, held };
    const read = new Map();
    for (const [key, item] of asMap(attributes, `${where}[2]`, MAX.attributes)) {
      read.set(key, this.#attribute(item, `${where}[2].${key}`, 0, state));
    }
    if (value.length === 4 && read.has("body")) refuse("bad-op", "an attribute cannot be called 'body'", where);
    return { name, since, attributes: read, body: value.length === 4 ? body : null, held, where };
  }

  // An attribute as {kind, value}; of an array the value is an array of these.
  #attribute(value, where, level, state) {
    inTotal(++state.items, MAX.attributeItems, "values in attributes", where);
    if (value === null || typeof value === "boolean") return { kind: value === null ? "nil" : "bool", value };
    if (isInt(value)) return { kind: "int", value: BigInt(asInt(value, where, -(2n ** 63n))) };
    if (typeof value === "string") return { kind: "str", value: asText(value, where) };
    if (value instanceof Float) {
      if (!Number.isFinite(value.value)) refuse("bad-value", `${value.value} is written by name`, where);
      return { kind: "float", value: value.value };
    }
    if (Array.isArray(value)) {
      inTotal(level + 1, MAX.attributeLevels, "nested arrays in an attribute", where);
      return { kind: "array", value: value.map((item, n) => this.#attribute(item, `${where}[${n}]`, level + 1, state)) };
    }
    const tagged = asMap(value, where, MAX.rows);
    if (tagged.size !== 1) refuse("bad-value", "the map of an attribute has one key", where);
    const [[tag, item]] = tagged;
    return this.#tagged(tag, item, `${where}.${tag}`, state);
  }

  #tagged(tag, item, where, state) {
    switch (tag) {
      case "dtype":
        return { kind: "dtype", value: this.#dtype(item, where) };
      case "dim":
        return ofSize(this.#sizes.read(item, where));
      case "type":
        return { kind: "type", value: this.#typeAt(item, where) };
      case "tensor":
        return { kind: "tensor", value: asIndex(item, this.tensors, "tensors", where) };
      case "graph":
        state.held.push(asIndex(item, this.graphCount, "graphs", where));
        return { kind: "graph", value: item };
      case "float":
        if (["inf", "-inf", "nan"].includes(item)) return { kind: "float", value: Number(item.replace("inf", "Infinity")) };
    }
    return refuse("bad-value", `there is no attribute '${tag}' of this value`, where);
  }

  #graph(value, where) {
    const raw = asRecord(value, where, GRAPH_KEYS);
    const inputs = rowsOf(raw.inputs, `${where}.inputs`).map(([pair, place]) => {
      const [name, index] = asArray(pair, place, 2, 2);
      return { name: asText(name, `${place}[0]`), type: this.#typeAt(index, `${place}[1]`) };
    });
    const constants = rowsOf(raw.constants, `${where}.constants`).map(([index, place]) =>
      asIndex(index, this.tensors, "tensors", place),
    );
    const leaves = [...inputs.map(({ type }) => type), ...constants.map((index) => this.tensors[index].type)];
    const values = [];
    const nodes = rowsOf(raw.nodes, `${where}.nodes`, MAX.nodes).map((row) => this.#node(...row, leaves, values));
    inTotal(values.length, MAX.values, "values", `${where}.nodes`);
    const measured = this.#measure(nodes, `${where}.nodes`);
    const outputs = rowsOf(raw.outputs, `${where}.outputs`).map(([ref, place]) =>
      readReference(ref, leaves.length, values.length, place),
    );
    const outputNames = rowsOf(raw.output_names, `${where}.output_names`).map((row) => asText(...row));
    if (outputNames.length !== outputs.length) {
      refuse("bad-graph", `${outputNames.length} names for ${outputs.length} outputs`, `${where}.output_names`);
    }
    const tree = (index, place, count) => {
      const found = this.trees[asIndex(index, this.trees, "trees", place)];
      if (found.leaves !== count) refuse("bad-tree", `a tree of ${found.leaves} leaves, where ${count} are due`, place);
      return found;
    };
    const inTree = this.trees[asIndex(raw.in_tree, this.trees, "trees", `${where}.in_tree`)];
    if (inTree.kind !== "arguments") refuse("bad-tree", "the tree of the inputs is of kind arguments", `${where}.in_tree`);
    tree(raw.in_tree, `${where}.in_tree`, inputs.length);
    const outTree = tree(raw.out_tree, `${where}.out_tree`, outputs.length);
    this.#origins(raw.origins, `${where}.origins`, leaves.length + nodes.length);
    const outTypes = outputs.map((ref) => (ref < 0 ? leaves[-1 - ref] : values[values.length - ref]));
    return { inputs, constants, nodes, outputs, outputNames, outTypes, inTree, outTree, where, ...measured };
  }

  #node(value, where, leaves, values) {
    if (!Array.isArray(value) || value.length < 2) refuse("wrong-kind", "a node is an array: operation, result, operands", where);
    const [op, result, ...refs] = value;
    asIndex(op, this.ops, "ops", `${where}[0]`);
    atMost(refs.length, MAX.operands, "operands", where);
    const operands = refs.map((ref) => readReference(ref, leaves.length, values.length, where));
    let types;
    if (Array.isArray(result)) {
      if (result.length === 1) refuse("wrong-kind", "a single result is its type alone, not an array", `${where}[1]`);
      types = rowsOf(result, `${where}[1]`, MAX.operands).map((row) => this.#typeAt(...row));
    } else types = [this.#typeAt(result, `${where}[1]`)];
    const before = values.length;
    for (const type of types) values.push(type);
    return { op, types, operands, before, where };
  }

  // How deep and large a graph is when run through; it holds only graphs before it.
  #measure(nodes, where) {
    let [levels, weight] = [1, nodes.length];
    for (const { op } of nodes) {
      for (const held of this.ops[op].held) {
        if (held >= this.graphs.length) refuse("forward-reference", `ops[${op}] holds graphs[${held}]`, where);
        levels = Math.max(levels, 1 + this.graphs[held].levels);
        weight += this.graphs[held].weight;
      }
    }
    inTotal(levels, MAX.graphLevels, "levels of graphs inside graphs", where);
    inTotal(weight, MAX.expandedNodes, "nodes, counting held graphs each time", where);
    return { levels, weight };
  }

  #origins(value, where, due) {
    const items = asArray(value, where, 2 * MAX.nodes);
    items.forEach((item, place) => item === null || asInt(item, `${where}[${place}]`, 0, MAX.nodes));
    if (items.length % 2) refuse("bad-graph", "origins are pairs: a row or nil, and a count", where);
    let covered = 0;
    for (let place = 0; place < items.length; place += 2) {
      if (items[place] !== null) asIndex(items[place], this.origins, "origins", `${where}[${place}]`);
      if (!items[place + 1]) refuse("bad-graph", "a count of origins is an int of at least 1", `${where}[${place + 1}]`);
      covered += items[place + 1];
    }
    if (items.length && covered !== due) refuse("bad-graph", "the origins do not cover the leaves and nodes", where);
  }

  #example(value, where) {
    const { display, inputs, outputs } = asRecord(value, where, EXAMPLE_KEYS);
    for (const [name, hint] of asMap(display, `${where}.display`, MAX.rows)) asText(hint, `${where}.display['${name}']`);
    return {
      display,
      inputs: this.#indices(inputs, `${where}.inputs`, this.tensors, "tensors"),
      outputs: this.#indices(outputs, `${where}.outputs`, this.tensors, "tensors"),
    };
  }

  // What must hold of entries, defaults and examples.
  checkProgram() {
    const bad = (what) => refuse("bad-program", what, "header");
    const check = (entry, known, given) => {
      for (const [name, index] of given) {
        if (!known.has(name)) bad(`entry '${entry}' has no '${name}'`);
        if (!fits(this.tensors[index].type, known.get(name))) bad(`'${name}' of entry '${entry}' is of another type`);
      }
    };
    for (const name of [...this.examples.keys(), ...(this.main === null ? [] : [this.main])]) {
      if (!this.entries.has(name)) bad(`the program has no entry '${name}'`);
    }
    const taken = new Set();
    for (const [entry, index] of this.entries) {
      const { inputs, outputNames, outTypes } = this.graphs[index];
      const types = new Map(inputs.map(({ name, type }) => [name, type]));
      const results = new Map(outputNames.map((name, place) => [name, outTypes[place]]));
      if (types.size < inputs.length) bad(`two inputs of entry '${entry}' have the same name`);
      if (results.size < outputNames.length) bad(`two outputs of entry '${entry}' have the same name`);
      for (const name of types.keys()) taken.add(name);
      check(entry, types, [...this.defaults].filter(([name]) => types.has(name)));
      const example = this.examples.get(entry);
      if (example) {
        check(entry, types, example.inputs);
        check(entry, results, example.outputs);
      }
    }
    for (const name of this.defaults.keys()) if (!taken.has(name)) bad(`no entry takes the default '${name}'`);
  }
}

// Whether a tensor's type is one that an input or output of some type can have.
function fits(have, want) {
  return (
    have.dtype === want.dtype &&
    have.shape.length === want.shape.length &&
    want.shape.every((size, axis) => typeof size !== "bigint" || size === have.shape[axis])
  );
}

// A size as an attribute: an int where that is what it comes to.
const ofSize = (size) => ({ kind: typeof size === "bigint" ? "int" : "dim", value: size });

function readPath(value, where) {
  const path = asText(value, where, MAX.path);
  const bad = (part) => ["", ".", ".."].includes(part) || [...part].length > 255 || /[\\:\u0000-\u001f\u007f]/.test(part);
  if (path.split("/").some(bad)) refuse("bad-path", `the path '${path}' may lead out of the folder`, where);
  return path;
}

// Where bytes lie: on a boundary in the file itself, anywhere in another.
function readSegment(value, where, own) {
  const [offset, count] = asArray(value, where, 2, 2);
  asInt(offset, `${where}[0]`);
  if (own && BigInt(offset) % 64n) refuse("bad-value", `the offset ${offset} is no multiple of 64`, where);
  return [Number(offset), Number(asInt(count, `${where}[1]`, 1, own ? MAX.segmentBytes : MAX.tensorBytes))];
}

function readOrigin(value, where) {
  const [source, scopes] = asArray(value, where, 2, 2);
  asText(source, `${where}[0]`);
  return { source, scopes: rowsOf(scopes, `${where}[1]`, MAX.scopes).map((row) => asText(...row)) };
}

function readReference(value, leaves, values, where) {
  if (!isInt(value)) refuse("wrong-kind", `a reference is an int, not ${kindOf(value)}`, where);
  if (value === 0) refuse("bad-value", "a reference is not 0", where);
  if (value < -leaves || value > values) refuse("bad-index", `there is no value ${value}`, where);
  return value;
}

function readKey(value, kind, where) {
  if (kind === "namedtuple" || kind === "dataclass") return readField(value, kind, where, false);
  if (kind === "arguments" || typeof value === "string") return asText(value, where);
  if (!isInt(value)) refuse("wrong-kind", `a key is a str or an int, not ${kindOf(value)}`, where);
  return asInt(value, where, -(2n ** 63n));
}

function readField(value, kind, where, isClass) {
  const name = asText(value, where);
  const hidden = kind === "namedtuple" && !isClass && name.startsWith("_");
  if (!NAME.test(name) || KEYWORDS.has(name) || hidden) {
    refuse("bad-value", `'${name}' cannot name a class or a field`, where);
  }
  if (!IDENTIFIER.test(name)) refuse("bad-tree", `'${name}' holds a character that no identifier has`, where);
  return name;
}

function compareKeys(left, right) {
  const [leftText, rightText] = [left, right].map((key) => typeof key === "string");
  if (leftText !== rightText) return leftText ? 1 : -1;
  if (leftText) return compareText(left, right);
  return left < right ? -1 : left > right ? 1 : 0;
}
