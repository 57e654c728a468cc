// Sizes: polynomials with whole coefficients over names, quotients, minima and maxima.
//
// A size is a BigInt or a Polynomial.

import { MAX, asInt, asText, atMost, isInt, kindOf } from "./kinds.mjs";
import { FormatError, refuse } from "./wire.mjs";

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

class Call {
  constructor(kind, left, right) {
    Object.assign(this, { kind, left, right });
    this.depth = 1 + Math.max(depthOf(left), depthOf(right));
    if (this.depth > MAX.sizeCalls) refuse("limit", `quotients, minima and maxima inside each other: ${this.depth}`);
    this.text = kind === "//" ? `${grouped(left)}//${grouped(right)}` : `${kind}(${textOf(left)}, ${textOf(right)})`;
  }
}

class Polynomial {
  // `terms` is an array of {factors, coefficient}; the factors are names and Calls, ascending by their texts.
  constructor(terms) {
    this.terms = terms.sort(
      (a, b) => b.factors.length - a.factors.length || compare(keyOf(a.factors), keyOf(b.factors)),
    );
    this.text = this.terms.map(termText).join(" + ").replaceAll(" + -", " - ");
  }
}

const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const factorText = (factor) => (typeof factor === "string" ? factor : factor.text);
const keyOf = (factors) => factors.map(factorText).join("*");
const termsOf = (size) =>
  size instanceof Polynomial ? size.terms : size === 0n ? [] : [{ factors: [], coefficient: size }];
const depthOf = (size) =>
  Math.max(0, ...termsOf(size).flatMap(({ factors }) => factors.map((factor) => factor.depth ?? 0)));

function termText({ factors, coefficient }) {
  if (!factors.length) return `${coefficient}`;
  return { "1": "", "-1": "-" }[coefficient] === undefined
    ? `${coefficient}*${keyOf(factors)}`
    : `${coefficient === 1n ? "" : "-"}${keyOf(factors)}`;
}

export const textOf = (size) => (size instanceof Polynomial ? size.text : `${size}`);

function grouped(size) {
  const alone = size instanceof Polynomial ? loneFactor(size) : null;
  const bare = typeof size === "bigint" ? size >= 0n : alone !== null && alone.kind !== "//";
  return bare ? textOf(size) : `(${textOf(size)})`;
}

// The factor that a size is, if it is one.
function loneFactor(size) {
  const [term, ...more] = termsOf(size);
  return term && !more.length && term.coefficient === 1n && term.factors.length === 1 ? term.factors[0] : null;
}

function build(terms) {
  const sums = new Map();
  for (const { factors, coefficient } of terms) {
    const key = keyOf(factors);
    sums.set(key, { factors, coefficient: coefficient + (sums.get(key)?.coefficient ?? 0n) });
  }
  const kept = [...sums.values()].filter(({ coefficient }) => coefficient !== 0n);
  if (!kept.length) return 0n;
  return kept.length === 1 && !kept[0].factors.length ? kept[0].coefficient : new Polynomial(kept);
}

export const add = (left, right) => build([...termsOf(left), ...termsOf(right)]);
export const subtract = (left, right) => add(left, multiply(-1n, right));
const dim = (name) => new Polynomial([{ factors: [name], coefficient: 1n }]);

export function multiply(left, right) {
  return build(
    termsOf(left).flatMap((a) =>
      termsOf(right).map((b) => ({
        factors: [...a.factors, ...b.factors].sort((x, y) => compare(factorText(x), factorText(y))),
        coefficient: a.coefficient * b.coefficient,
      })),
    ),
  );
}

const floorDivision = (a, b) => a / b - (a % b !== 0n && a < 0n !== b < 0n ? 1n : 0n);

function call(kind, left, right) {
  if (kind === "//" && right === 0n) refuse("bad-dim", `the size ${textOf(left)} is divided by zero`);
  if (typeof left === "bigint" && typeof right === "bigint") return valueOf(kind, left, right);
  return new Polynomial([{ factors: [new Call(kind, left, right)], coefficient: 1n }]);
}

function valueOf(kind, left, right) {
  if (kind === "//") return floorDivision(left, right);
  return (kind === "min") === left < right ? left : right;
}

export const floorDivide = (left, right) => call("//", left, right);
export const maximum = (left, right) => call("max", left, right);

// Whether two sizes are the same number whatever the names stand for, as far as this reader can tell: polynomials are
// compared as such; with quotients, minima and maxima in them, sizes are different if they are for some numbers tried.
export function equal(left, right) {
  if (textOf(left) === textOf(right)) return true;
  if (depthOf(left) + depthOf(right) === 0) return false;
  const names = [...new Set([...namesOf(left), ...namesOf(right)])];
  for (let trial = 0; trial < 64; trial++) {
    const numbers = new Map(names.map((name, place) => [name, BigInt((trial * (2 * place + 1) + (trial >> 3) * place) % 23)]));
    try {
      if (evaluate(left, numbers) !== evaluate(right, numbers)) return false;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error; // a division by zero: no such sizes
    }
  }
  return true;
}

function namesOf(size) {
  return termsOf(size).flatMap(({ factors }) =>
    factors.flatMap((each) => (typeof each === "string" ? [each] : [...namesOf(each.left), ...namesOf(each.right)])),
  );
}

// The value of a size where the names have these values (a Map of BigInts).
export function evaluate(size, names) {
  if (typeof size === "bigint") return size;
  return size.terms.reduce(
    (sum, { factors, coefficient }) =>
      sum + factors.reduce((product, factor) => product * factorValue(factor, names), coefficient),
    0n,
  );
}

function factorValue(factor, names) {
  if (typeof factor === "string") {
    if (!names.has(factor)) throw new Error(`no input says what ${factor} is`);
    return names.get(factor);
  }
  return valueOf(factor.kind, evaluate(factor.left, names), evaluate(factor.right, names));
}

const OPERATORS = {
  "+": add,
  "*": multiply,
  "//": floorDivide,
  min: (left, right) => call("min", left, right),
  max: maximum,
};

// Reads the sizes of one file.
export class SizeReader {
  #known = new Map();
  #items = 0;

  read(value, where) {
    let left = MAX.sizeItems;
    const check = (item, depth) => {
      if (--left < 0) refuse("limit", `a size of more than ${MAX.sizeItems} items`, where);
      if (isInt(item)) return asInt(item, where, -MAX.int, MAX.int);
      if (typeof item === "string") {
        asText(item, where, MAX.dimName);
        if (!NAME.test(item) || item === "min" || item === "max") refuse("bad-dim", `'${item}' is no dim name`, where);
        return item;
      }
      if (!Array.isArray(item)) refuse("wrong-kind", `a size is an int, a str or an array, not ${kindOf(item)}`, where);
      atMost(depth, MAX.sizeLevels, "nested arrays in a size", where);
      const [operator, ...sizes] = item;
      if (typeof operator !== "string" || !Object.hasOwn(OPERATORS, operator)) refuse("bad-dim", "an array that is a size starts with an operator", where);
      if (sizes.length < 2 || (sizes.length > 2 && !"+*".includes(operator))) {
        refuse("bad-dim", `'${operator}' of ${sizes.length} sizes`, where);
      }
      return [operator, ...sizes.map((size) => check(size, depth + 1))];
    };
    const checked = check(value, 1);
    const key = JSON.stringify(checked, (_, item) => (typeof item === "bigint" ? `${item}` : item));
    if (!this.#known.has(key)) {
      this.#items += MAX.sizeItems - left;
      atMost(this.#items, MAX.fileSizeItems, "ints, names and operators in the file's sizes", where);
      this.#known.set(key, make(checked, where));
    }
    return this.#known.get(key);
  }
}

function make(checked, where) {
  if (isInt(checked)) return BigInt(checked);
  if (typeof checked === "string") return dim(checked);
  const [operator, ...items] = checked;
  return items
    .map((item) => make(item, where))
    .reduce((left, right) => {
      const [a, b] = [left, right].map((size) => Math.max(1, termsOf(size).length));
      atMost(operator === "*" ? a * b : a + b, MAX.sizeTerms, "terms of a size", where);
      try {
        return OPERATORS[operator](left, right);
      } catch (error) {
        if (error instanceof FormatError) error.where ||= where;
        throw error;
      }
    });
}
