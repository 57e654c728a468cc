// A reader of rax files that holds to FORMAT.md and shares no code with rax, to try whether the page suffices.
//
//   node schemas/reader.mjs FILE             lists the entries: inputs, outputs, nodes, digests
//   node schemas/reader.mjs --json FILE      prints the header as JSON
//   node schemas/reader.mjs --check FILE     runs the entries on their examples and compares
//   node schemas/reader.mjs --vectors DIR    tries all conformance vectors
//
// `npm ci` in this folder installs its one dependency. It loads any file, infers and computes the operations of
// reader/operators.mjs, and knows the others by name.

import { Digests, typeText } from "./reader/digests.mjs";
import { load } from "./reader/program.mjs";
import { checkEntries, checkVectors, toJson } from "./reader/vectors.mjs";
import { FormatError } from "./reader/wire.mjs";

function list(program) {
  const { header } = program;
  const digests = new Digests(program);
  for (const [name, index] of header.entries) {
    const { inputs, outputNames, outTypes, nodes } = header.graphs[index];
    console.log(`${name}${name === program.main ? " (main)" : ""}: ${nodes.length} nodes, digest ${digests.graph(index)}`);
    for (const { name: input, type } of inputs) {
      console.log(`  in   ${input}: ${typeText(type)}${header.defaults.has(input) ? " (has a default)" : ""}`);
    }
    outputNames.forEach((output, n) => console.log(`  out  ${output}: ${typeText(outTypes[n])}`));
  }
  console.log(`${header.graphs.length} graphs, ${header.ops.length} operations, ${header.tensors.length} tensors`);
  console.log(`digest of the program: ${digests.program}`);
}

function check(program) {
  let good = true;
  for (const { entry, problem, missing } of checkEntries(program)) {
    good &&= !problem;
    console.log(`${entry}: ${problem ?? (missing ? `not evaluated, for want of ${missing}` : "as expected")}`);
  }
  return good;
}

const MODES = {
  "--json": (path) => console.log(toJson(load(path).raw)),
  "--check": (path) => check(load(path)),
  "--vectors": checkVectors,
};

function main(args) {
  const mode = args.length === 2 ? MODES[args[0]] : args.length === 1 && ((path) => list(load(path)));
  if (!mode) {
    console.error("usage: node reader.mjs [--json | --check] FILE, or --vectors DIR");
    return 2;
  }
  try {
    return mode(args.at(-1)) === false ? 1 : 0;
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    console.error(error.message);
    return 1;
  }
}

process.exitCode = main(process.argv.slice(2));
