// The vectors: good files load, have the header their JSON and the digest their index says, and give what their examples
// say; bad ones are refused.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";

import { Digests } from "./digests.mjs";
import { Unsupported } from "./operators.mjs";
import { load } from "./program.mjs";
import { Float, FormatError } from "./wire.mjs";

// How far a float may be from the one expected, relative to the largest finite one or 1.
const TOLERANCE = {
  float8_e4m3fn: 0.25, float8_e5m2: 0.5, float16: 1e-2, bfloat16: 1e-1, float32: 1e-4, float64: 1e-9, complex64: 1e-4,
  complex128: 1e-9,
}; // prettier-ignore

// A header in its JSON form.
export function toJson(value) {
  if (value instanceof Uint8Array) return `{"$bin": "${Buffer.from(value).toString("hex")}"}`;
  if (value instanceof Float) return `{"$float": ${floatText(value.value)}}`;
  if (Array.isArray(value)) return `[${value.map(toJson).join(", ")}]`;
  if (value instanceof Map) {
    const doubled = (key) => JSON.stringify(key.startsWith("$") ? `$${key}` : key);
    return `{${[...value].map(([key, item]) => `${doubled(key)}: ${toJson(item)}`).join(", ")}}`;
  }
  return typeof value === "bigint" ? `${value}` : JSON.stringify(value);
}

function floatText(value) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? '"nan"' : value > 0 ? '"inf"' : '"-inf"';
  const text = Object.is(value, -0) ? "-0" : `${value}`;
  return /[.e]/.test(text) ? text : `${text}.0`;
}

// JSON read so that ints keep every digit, and floats stay floats.
function parseExactly(text) {
  const tagged = text.replace(/"(?:[^"\\]|\\.)*"|-?\d+(\.\d+)?([eE][-+]?\d+)?/g, (token, fraction, exponent) => {
    if (token[0] === '"') return token;
    return fraction || exponent ? `["float", "${Object.is(Number(token), -0) ? "-0" : Number(token)}"]` : `["int", "${token}"]`;
  });
  return JSON.parse(tagged);
}

// What differs between an output and the one expected, or null.
export function difference(actual, expected) {
  if (actual.dtype !== expected.dtype || `${actual.shape}` !== `${expected.shape}`) return "another type";
  const tolerance = TOLERANCE[expected.dtype];
  const { decode } = expected.form;
  const [have, want] = [actual, expected].map(({ bits }) => [...bits].map(decode));
  if (tolerance === undefined) return have.every((each, n) => each === want[n]) ? null : "other values";
  const scale = want.reduce((most, each) => (Number.isFinite(each) ? Math.max(most, Math.abs(each)) : most), 1);
  const close = (a, b) => Object.is(a, b) || Math.abs(a - b) <= tolerance * scale;
  return have.every((each, n) => close(each, want[n])) ? null : `other values: ${have}, not ${want}`;
}

// Runs the entries that have an example: for each {entry, problem}, the problem null if all is as expected.
export function* checkEntries(program) {
  for (const [entry, { outputs }] of program.header.examples) {
    try {
      const results = program.run(entry);
      const wrong = [...outputs].map(([name, row]) => [name, difference(results.get(name), program.tensors[row])]);
      const [first] = wrong.filter(([, found]) => found !== null);
      yield { entry, problem: first ? `output '${first[0]}': ${first[1]}` : null };
    } catch (error) {
      if (!(error instanceof Unsupported)) throw error;
      yield { entry, missing: error.message };
    }
  }
}

export function checkVectors(folder) {
  const failures = [];
  const counts = { loaded: 0, evaluated: 0, entries: 0, refused: 0 };
  const missing = new Map();
  const read = (part) => Object.entries(JSON.parse(readFileSync(join(folder, part, "index.json"), "utf8")));
  const [good, bad] = [read("good"), read("bad")];
  for (const [name, { digest }] of good) {
    const path = join(folder, "good", name);
    try {
      const program = load(`${path}.msgpack`);
      counts.loaded++;
      const due = parseExactly(readFileSync(`${path}.json`, "utf8"));
      if (!isDeepStrictEqual(parseExactly(toJson(program.raw)), due)) failures.push(`good/${name}: another header`);
      if (new Digests(program).program !== digest) failures.push(`good/${name}: another digest`);
      for (const { entry, problem, missing: lacks } of checkEntries(program)) {
        counts.entries++;
        if (lacks) missing.set(lacks, [...(missing.get(lacks) ?? []), `${name}/${entry}`]);
        else if (problem) failures.push(`good/${name}: entry '${entry}': ${problem}`);
        else counts.evaluated++;
      }
    } catch (error) {
      failures.push(`good/${name}: ${error instanceof FormatError ? error.message : error.stack}`);
    }
  }
  for (const [name, { code }] of bad) {
    const found = codeOf(join(folder, "bad", `${name}.msgpack`));
    if (found === code) counts.refused++;
    else failures.push(`bad/${name}: ${code} is due, not ${found}`);
  }
  console.log(`${counts.loaded} of ${good.length} good files loaded, with the headers and digests that are due`);
  console.log(`${counts.evaluated} of ${counts.entries} entries evaluated, with the outputs that are due`);
  for (const [what, where] of missing) console.log(`  not evaluated, for want of ${what}: ${where.join(", ")}`);
  console.log(`${counts.refused} of ${bad.length} bad files refused with the code that is due`);
  for (const failure of failures) console.error(failure);
  return failures.length === 0;
}

function codeOf(path) {
  try {
    load(path);
    return "none";
  } catch (error) {
    return error instanceof FormatError ? error.code : error.stack;
  }
}
