// A file as a program: tensors proven, operations known, types inferred again; and entries run.

import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync, readSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";

import { checkSegments, readContainer, sha256 } from "./container.mjs";
import { typeText } from "./digests.mjs";
import { NDArray } from "./dtypes.mjs";
import { Header } from "./header.mjs";
import { LIST, checkOperation } from "./list.mjs";
import { evaluate, nameOf } from "./normal.mjs";
import { OPERATORS, Refusal, Unsupported, sameType } from "./operators.mjs";
import { FormatError, refuse } from "./wire.mjs";

// Reads a file.
export function load(path) {
  const bytes = readFileSync(path);
  const container = readContainer(bytes);
  const header = new Header(container.header);
  checkSegments(bytes, container, header.tensors);
  const folder = dirname(realpathSync(path));
  const outside = { folder, files: header.files, least: leastBytes(header) };
  const tensors = header.tensors.map((tensor, n) => readTensor(tensor, `tensors[${n}]`, bytes, outside));
  const known = new Set();
  for (const graph of header.graphs) {
    for (const node of graph.nodes) {
      const op = header.ops[node.op];
      if (!known.has(node.op)) checkOperation(op);
      known.add(node.op);
      checkNode(node, op, graph, header);
    }
  }
  header.checkProgram();
  return new Program(container.header, header, tensors);
}

// How many bytes each other file must have: up to the end of every segment, and in all different lists of them.
function leastBytes({ tensors, files }) {
  const lists = files.map(() => new Map());
  for (const { segments, file } of tensors) if (file !== undefined) lists[file].set(JSON.stringify(segments, asText), segments);
  return lists.map((found) => {
    const segments = [...found.values()].flat();
    const total = segments.reduce((sum, [, count]) => sum + count, 0);
    return segments.reduce((least, [offset, count]) => Math.max(least, offset + count), total);
  });
}

const asText = (_, value) => (typeof value === "bigint" ? `${value}` : value);

function readTensor(tensor, where, bytes, { folder, files, least }) {
  const { type, inline, digest, segments, file } = tensor;
  const parts = inline ? [inline] : segments.map(([offset, count]) =>
    file === undefined ? bytes.subarray(offset, offset + count) : readBeside(folder, files[file], offset, count, least[file], `files[${file}]`),
  ); // prettier-ignore
  if (!inline && !sha256(...parts).equals(digest)) refuse("digest", "a tensor differs from its digest", where);
  const data = Buffer.concat(parts);
  if (type.dtype === "bool" && data.some((each) => each > 1)) refuse("bad-tensor", "a bool is a byte 0 or 1", where);
  return NDArray.from(type.dtype, type.shape.map(Number), data);
}

// Bytes of another file, which no link leads to, and which is as long as it must be.
function readBeside(folder, path, offset, count, least, where) {
  const bad = (why) => refuse("external", `the file of tensors '${path}' ${why}`, where);
  let descriptor;
  try {
    let place = folder;
    for (const part of path.split("/")) {
      place = join(place, part);
      if (lstatSync(place).isSymbolicLink()) bad("is reached by a link");
    }
    descriptor = openSync(place, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (!error.code || error.code === "external") throw error;
    bad(`cannot be opened: ${error.code}`);
  }
  try {
    const status = fstatSync(descriptor);
    if (!status.isFile()) bad("is no regular file");
    if (status.nlink > 1) bad("has a second name");
    if (status.size < least) bad(`has ${status.size} bytes, not ${least} or more`);
    const data = Buffer.alloc(count);
    readSync(descriptor, data, 0, count, offset);
    return data;
  } finally {
    closeSync(descriptor);
  }
}

function typesOf({ operands, before }, { inputs, constants, nodes }, header, values) {
  return operands.map((ref) => {
    if (ref > 0) return values[before - ref];
    const leaf = -1 - ref;
    return leaf < inputs.length ? inputs[leaf].type : header.tensors[constants[leaf - inputs.length]].type;
  });
}

function checkNode(node, op, graph, header) {
  graph.values ??= graph.nodes.flatMap(({ types }) => types);
  const operands = typesOf(node, graph, header, graph.values);
  const due = LIST.get(op.name)?.operands ?? operands.length;
  if (op.body === null && due !== operands.length) {
    refuse("op-refused", `${op.name} takes ${due} operands, not ${operands.length}`, node.where);
  }
  let types;
  try {
    types = inferred(op, operands, header);
  } catch (error) {
    // Sizes that are inferred may be past a bound, too.
    if (!(error instanceof Refusal || error instanceof FormatError)) throw error;
    refuse("op-refused", `${op.name}: ${error.message}`, node.where);
  }
  const results = op.body === null && !types ? LIST.get(op.name).results : null;
  if (results !== null && results !== node.types.length) {
    refuse("wrong-type", `${op.name} gives ${results} results; the file says ${node.types.length}`, node.where);
  }
  if (types && (types.length !== node.types.length || types.some((type, n) => !sameType(type, node.types[n])))) {
    const [has, said] = [types, node.types].map((each) => each.map(typeText).join(", "));
    refuse("wrong-type", `${op.name} gives ${has}; the file says ${said}`, node.where);
  }
}

// The types an operation gives; null where this reader knows its name only.
function inferred(op, operands, header) {
  if (op.body !== null) {
    const { inputs, outTypes } = header.graphs[op.body];
    if (inputs.length !== operands.length || inputs.some(({ type }, n) => !sameType(type, operands[n]))) {
      throw new Refusal("the body takes other operands");
    }
    return outTypes;
  }
  return OPERATORS[op.name]?.infer(operands, Object.fromEntries(op.attributes), header.graphs) ?? null;
}

class Program {
  constructor(raw, header, tensors) {
    Object.assign(this, { raw, header, tensors });
  }

  // The name of the entry that runs when none is named, or null.
  get main() {
    const { main, entries } = this.header;
    if (main !== null) return main;
    if (entries.has("main")) return "main";
    return entries.size === 1 ? [...entries.keys()][0] : null;
  }

  // The outputs of an entry by name, run on its example's inputs and the file's defaults.
  run(entry) {
    const { header, tensors } = this;
    const graph = header.graphs[header.entries.get(entry)];
    const names = new Map();
    const given = header.examples.get(entry)?.inputs ?? new Map();
    const arrays = graph.inputs.map(({ name }) => {
      const index = given.get(name) ?? header.defaults.get(name);
      if (index === undefined) throw new Unsupported(`a run without the input '${name}'`);
      return tensors[index];
    });
    bind(graph.inputs, arrays, names);
    const outputs = this.call(header.entries.get(entry), arrays, names);
    return new Map(graph.outputNames.map((name, n) => [name, outputs[n]]));
  }

  // What a graph gives, dims being the numbers that `names` has for them.
  call(index, arrays, names) {
    const { graphs, ops } = this.header;
    const graph = graphs[index];
    const leaves = [...arrays, ...graph.constants.map((row) => this.tensors[row])];
    const values = [];
    const at = (ref) => (ref < 0 ? leaves[-1 - ref] : values[values.length - ref]);
    const context = { names, graphs, call: (held, operands) => this.call(held, operands, names) };
    for (const node of graph.nodes) {
      const { name, attributes, body } = ops[node.op];
      const operands = node.operands.map(at);
      if (body === null && !OPERATORS[name]) throw new Unsupported(name);
      if (body !== null) values.push(...context.call(body, operands));
      else {
        const options = Object.fromEntries([...attributes].map(([key, value]) => [key, settled(value, names)]));
        values.push(...OPERATORS[name].run(operands, options, context));
      }
    }
    return graph.outputs.map(at);
  }
}

// An attribute whose sizes are numbers.
function settled(attribute, names) {
  if (attribute.kind === "dim") return { kind: "int", value: evaluate(attribute.value, names) };
  return attribute.kind === "array"
    ? { kind: "array", value: attribute.value.map((item) => settled(item, names)) }
    : attribute;
}

// Takes the numbers that names stand for from the arrays; checks the other sizes against them.
function bind(inputs, arrays, names) {
  const sizes = inputs.flatMap(({ type }, n) => type.shape.map((size, axis) => [size, BigInt(arrays[n].shape[axis])]));
  for (const [size, number] of sizes) {
    const name = nameOf(size);
    if (name !== null && !names.has(name)) names.set(name, number);
  }
  for (const [size, number] of sizes) {
    if (evaluate(size, names) !== number) throw new Error(`an input has a size of ${number}, where another is due`);
  }
}
