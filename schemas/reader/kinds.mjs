// The kinds of values, and the bounds on them.

import { Extension, Float, refuse } from "./wire.mjs";

export const MAX = {
  headerBytes: 2 ** 26,
  segmentBytes: 2 ** 32 - 64,
  inlineBytes: 64,
  rows: 2 ** 20,
  graphs: 2 ** 16,
  nodes: 2 ** 24,
  values: 2 ** 24,
  operands: 2 ** 16,
  graphLevels: 32,
  expandedNodes: 2 ** 26,
  attributes: 64,
  attributeItems: 2 ** 16,
  attributeLevels: 8,
  axes: 64,
  int: 2n ** 63n - 1n,
  tensorBytes: 2n ** 62n,
  dimName: 256,
  sizeItems: 512,
  sizeLevels: 100,
  sizeTerms: 128,
  sizeCalls: 32,
  fileSizeItems: 2 ** 15,
  treeLevels: 64,
  treeItems: 2 ** 20,
  scopes: 256,
  entries: 2 ** 12,
  files: 2 ** 12,
  path: 4096,
  text: 2 ** 16,
};

export function kindOf(value) {
  if (value === null) return "nil";
  if (value instanceof Float) return "a float";
  if (value instanceof Uint8Array) return "a bin";
  if (value instanceof Map) return "a map";
  if (value instanceof Extension) return "an extension";
  if (Array.isArray(value)) return "an array";
  return { boolean: "a bool", string: "a str", number: "an int", bigint: "an int" }[typeof value];
}

export const isInt = (value) => typeof value === "number" || typeof value === "bigint";

export function atMost(count, most, what, where) {
  if (count > most) refuse("limit", `${what}: ${count}, where at most ${most} are allowed`, where);
}

// The same of what adds up over several values.
export function inTotal(count, most, what, where) {
  if (count > most) refuse("total", `${what}: ${count}, where at most ${most} are allowed`, where);
}

export function asInt(value, where, low = 0, high = MAX.int) {
  if (!isInt(value)) refuse("wrong-kind", `an int is due, not ${kindOf(value)}`, where);
  if (value < low || value > high) refuse("limit", `${value} is not between ${low} and ${high}`, where);
  return value;
}

export function asIndex(value, table, name, where) {
  if (!isInt(value)) refuse("wrong-kind", `an index into ${name} is due, not ${kindOf(value)}`, where);
  if (value < 0) refuse("limit", `an index into ${name} is 0 or more, not ${value}`, where);
  if (value >= table.length) refuse("bad-index", `there is no ${name}[${value}]`, where);
  return value;
}

// Lengths count code points; a string is never of more of them than of the units JavaScript counts.
export function asText(value, where, longest = MAX.text) {
  if (typeof value !== "string") refuse("wrong-kind", `a str is due, not ${kindOf(value)}`, where);
  if (value.length > longest) atMost([...value].length, longest, "characters", where);
  return value;
}

export function asBin(value, where) {
  if (!(value instanceof Uint8Array)) refuse("wrong-kind", `a bin is due, not ${kindOf(value)}`, where);
  return value;
}

export function asArray(value, where, most, ...lengths) {
  if (!Array.isArray(value)) refuse("wrong-kind", `an array is due, not ${kindOf(value)}`, where);
  if (lengths.length && !lengths.includes(value.length)) {
    refuse("wrong-kind", `an array of ${lengths.join(" or ")} items is due, not of ${value.length}`, where);
  }
  atMost(value.length, most, "items", where);
  return value;
}

export function asMap(value, where, most) {
  if (!(value instanceof Map)) refuse("wrong-kind", `a map is due, not ${kindOf(value)}`, where);
  atMost(value.size, most, "keys", where);
  for (const key of value.keys()) asText(key, where);
  return value;
}

// The values of a map that has exactly these keys.
export function asRecord(value, where, keys) {
  const map = asMap(value, where, MAX.rows);
  for (const key of keys) if (!map.has(key)) refuse("missing-key", `the key '${key}' is missing`, where);
  for (const key of map.keys()) if (!keys.includes(key)) refuse("unknown-key", `the key '${key}' is unknown`, where);
  return Object.fromEntries(map);
}

// Negative, 0 or positive, as strings ascend by code point; JavaScript's own order is by UTF-16 units.
export function compareText(left, right) {
  const [a, b] = [[...left], [...right]];
  for (let place = 0; place < Math.min(a.length, b.length); place++) {
    const difference = a[place].codePointAt(0) - b[place].codePointAt(0);
    if (difference) return difference;
  }
  return a.length - b.length;
}
