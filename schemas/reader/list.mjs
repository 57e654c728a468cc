// The list of the operations of the format, and what it says of their attributes.

import { readFileSync } from "node:fs";

import { refuse } from "./wire.mjs";

export const LIST = new Map(
  JSON.parse(readFileSync(new URL("../ops.json", import.meta.url), "utf8")).map((row) => [row.name, row]),
);

// Checks that an operation is one of the list, in its version, with the attributes it has; or that it brings a body.
export function checkOperation({ name, since, attributes, body, where }) {
  if (body !== null) return;
  const row = LIST.get(name);
  if (!row) refuse("unknown-op", `the operation '${name}' is unknown`, where);
  if (row.since !== since) refuse("op-version", `'${name}' of version ${since} is known as of version ${row.since}`, where);
  const known = new Map(row.attributes.map((each) => [each.name, each]));
  for (const [key, value] of attributes) {
    const due = known.get(key);
    if (!due) refuse("bad-attribute", `${name} has no attribute '${key}'`, where);
    const stands = hasType(value, due.type) && (due.values?.includes(value.value) ?? true);
    if (!stands) refuse("bad-attribute", `the attribute '${key}' of ${name}`, where);
  }
  for (const each of row.attributes) {
    if (!("default" in each) && !attributes.has(each.name)) refuse("bad-attribute", `${name} lacks '${each.name}'`, where);
  }
}

function hasType({ kind, value }, type) {
  if (!Array.isArray(type)) {
    if (kind === "int" && type === "float") return value >= -(2n ** 53n) && value <= 2n ** 53n;
    return kind === type || (type === "size" && (kind === "int" || kind === "dim"));
  }
  if (kind !== "array") return false;
  const due = itemTypes(type, value);
  return due.length === value.length && value.every((item, n) => hasType(item, due[n]));
}

// The types of the items of a tuple.
const itemTypes = (type, items) => (type[1] === "..." ? items.map(() => type[0]) : type);

// An attribute with floats for the ints that stand where its type has floats.
export function asTyped(attribute, type) {
  const { kind, value } = attribute;
  if (kind === "int" && type === "float") return { kind: "float", value: Number(value) };
  if (kind !== "array" || !Array.isArray(type)) return attribute;
  const due = itemTypes(type, value);
  return { kind, value: value.map((item, n) => asTyped(item, due[n])) };
}

// A default of the list as an attribute.
export function defaultOf({ default: value, type }) {
  if (typeof value === "object" && value !== null) return { kind: Object.keys(value)[0], value: Object.values(value)[0] };
  return asTyped({ kind: { boolean: "bool", number: "int", string: "str" }[typeof value] ?? "nil", value }, type);
}
