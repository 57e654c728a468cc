// Sizes as a file has them: their grammar, and the bounds on them as they stand and multiplied out.

import { MAX, asInt, asText, inTotal, isInt, kindOf } from "./kinds.mjs";
import { add, depthOf, floorDivide, maximum, minimum, multiply, ofFactor, termsOf, textOf } from "./normal.mjs";
import { FormatError, refuse } from "./wire.mjs";

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const OPERATORS = { "+": add, "*": multiply, "//": floorDivide, min: minimum, max: maximum };

export const equal = (left, right) => textOf(left) === textOf(right);

// Reads the sizes of one file.
export class SizeReader {
  #known = new Map();
  #items = 0;

  read(value, where) {
    let items = 0;
    const check = (item, depth) => {
      inTotal(++items, MAX.sizeItems, "items of a size", where);
      if (isInt(item)) return asInt(item, where, -MAX.int, MAX.int);
      if (typeof item === "string") {
        asText(item, where, MAX.dimName);
        if (!NAME.test(item) || item === "min" || item === "max") refuse("bad-value", `'${item}' is no dim name`, where);
        return item;
      }
      if (!Array.isArray(item)) refuse("wrong-kind", `a size is an int, a str or an array, not ${kindOf(item)}`, where);
      inTotal(depth, MAX.sizeLevels, "nested arrays in a size", where);
      const [operator, ...sizes] = item;
      if (typeof operator !== "string" || !Object.hasOwn(OPERATORS, operator)) {
        refuse("bad-value", "an array that is a size starts with an operator", where);
      }
      if (sizes.length < 2 || (sizes.length > 2 && operator !== "+" && operator !== "*")) {
        refuse("bad-value", `'${operator}' of ${sizes.length} sizes`, where);
      }
      return [operator, ...sizes.map((size) => check(size, depth + 1))];
    };
    const checked = check(value, 1);
    const key = JSON.stringify(checked, (_, item) => (isInt(item) ? { int: `${item}` } : item));
    if (!this.#known.has(key)) {
      this.#items += items;
      inTotal(this.#items, MAX.fileSizeItems, "ints, names and operators in the file's sizes", where);
      this.#known.set(key, multipliedOut(checked, where));
    }
    return this.#known.get(key);
  }
}

function multipliedOut(checked, where) {
  try {
    return make(checked);
  } catch (error) {
    if (error instanceof FormatError) refuse(error.code, error.what, where);
    throw error;
  }
}

// A size in normal form; each step from the inside outwards, and from the left, is held to the bounds.
function make(checked) {
  if (isInt(checked)) return BigInt(checked);
  if (typeof checked === "string") return ofFactor(checked);
  const [operator, ...items] = checked;
  return items.map(make).reduce((left, right) => {
    const [a, b] = [left, right].map((size) => Math.max(1, termsOf(size).length));
    inTotal(operator === "*" ? a * b : a + b, MAX.sizeTerms, "terms of a size");
    if (operator !== "+" && operator !== "*") {
      inTotal(1 + Math.max(depthOf(left), depthOf(right)), MAX.sizeCalls, "quotients, minima and maxima inside each other");
    }
    const size = OPERATORS[operator](left, right);
    checkWritten(size);
    return size;
  });
}

function checkWritten(size) {
  let items = 0;
  const count = (level) => {
    inTotal(++items, MAX.sizeItems, "items of a size, multiplied out");
    inTotal(level, MAX.sizeLevels, "nested arrays in a size, multiplied out");
  };
  const walk = (each, level) => {
    const terms = termsOf(each);
    if (terms.length > 1) count(level);
    const inner = terms.length > 1 ? level + 1 : level;
    if (!terms.length) count(0);
    for (const { factors, coefficient } of terms) {
      inTotal(coefficient < 0n ? -coefficient : coefficient, MAX.int, "an int of a size, multiplied out");
      const written = factors.flatMap(([factor, power]) => Array(power).fill(factor));
      const hasInt = coefficient !== 1n || !written.length;
      const isProduct = written.length + Number(hasInt) > 1;
      if (isProduct) count(inner);
      if (hasInt) count(0);
      for (const factor of written) {
        const at = isProduct ? inner + 1 : inner;
        count(typeof factor === "string" ? 0 : at);
        if (typeof factor !== "string") [factor.left, factor.right].forEach((side) => walk(side, at + 1));
      }
    }
  };
  walk(size, 1);
}
