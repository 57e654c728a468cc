// The normal form of sizes, by the rules of FORMAT.md.
//
// A size is a BigInt or a Sum. A Sum has terms, in order: {factors, coefficient}, the factors pairs [factor, power] that
// ascend by their texts; a factor is a name or a Call. Two sizes are equal when their texts are.

import { MAX } from "./kinds.mjs";
import { refuse } from "./wire.mjs";

const PROOF_STEPS = 500;

const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const isInt = (size) => typeof size === "bigint";
export const textOf = (size) => (isInt(size) ? `${size}` : size.text);
export const termsOf = (size) => (!isInt(size) ? size.terms : size === 0n ? [] : [{ factors: [], coefficient: size }]);
export const depthOf = (size) => (isInt(size) ? 0 : size.depth);
const factorText = (factor) => (typeof factor === "string" ? factor : factor.text);
const keyOf = (factors) => factors.map(([factor, power]) => `${factorText(factor)}^${power}`).join("*");
const degreeOf = (factors) => factors.reduce((total, [, power]) => total + power, 0);
const hasCall = (factors) => factors.some(([factor]) => typeof factor !== "string");

class Call {
  constructor(kind, left, right) {
    Object.assign(this, { kind, left, right });
    this.depth = 1 + Math.max(depthOf(left), depthOf(right));
    if (this.depth > MAX.sizeCalls) refuse("total", `quotients, minima and maxima inside each other: ${this.depth}`);
    this.text = kind === "//" ? `${grouped(left)}//${grouped(right)}` : `${kind}(${textOf(left)}, ${textOf(right)})`;
  }
}

class Sum {
  constructor(terms) {
    this.terms = terms;
    const factors = terms.flatMap((term) => term.factors);
    this.depth = factors.reduce((most, [factor]) => Math.max(most, factor.depth ?? 0), 0);
    this.text = terms.map(termText).join("");
  }
}

function termText({ factors, coefficient }, place) {
  const size = coefficient < 0n ? -coefficient : coefficient;
  const lone = factors.length === 1 && factors[0][1] === 1 && (coefficient === 1n || (place > 0 && size === 1n));
  const words = factors.flatMap(([factor, power]) => {
    const text = factor.kind === "//" && !lone ? `(${factor.text})` : factorText(factor);
    return Array(power).fill(text);
  });
  if (size !== 1n || !words.length) words.unshift(`${size}`);
  return `${place ? (coefficient < 0n ? " - " : " + ") : coefficient < 0n ? "-" : ""}${words.join("*")}`;
}

function grouped(size) {
  const factor = loneFactor(size);
  const bare = isInt(size) ? size >= 0n : factor !== null && factor.kind !== "//";
  return bare ? textOf(size) : `(${textOf(size)})`;
}

// The factor that a product is, if it is one without a power.
const onlyFactor = (factors) => (factors.length === 1 && factors[0][1] === 1 ? factors[0][0] : null);

// The factor that a size is, if it is one.
function loneFactor(size) {
  const [term, ...more] = termsOf(size);
  return term && !more.length && term.coefficient === 1n ? onlyFactor(term.factors) : null;
}

// The name that a size is by itself, or null.
export function nameOf(size) {
  const factor = loneFactor(size);
  return typeof factor === "string" ? factor : null;
}

// The size of terms, which may have the same products.
function build(terms) {
  const sums = new Map();
  for (const { factors, coefficient } of terms) {
    const key = keyOf(factors);
    sums.set(key, { factors, coefficient: coefficient + (sums.get(key)?.coefficient ?? 0n), key });
  }
  const kept = [...sums.values()].filter(({ coefficient }) => coefficient !== 0n);
  if (!kept.length) return 0n;
  if (kept.length === 1 && !kept[0].factors.length) return kept[0].coefficient;
  if (kept.length > MAX.sizeTerms) refuse("total", `terms of a size: ${kept.length}`);
  const [degree, calls] = [({ factors }) => degreeOf(factors), ({ factors }) => Number(hasCall(factors))];
  return new Sum(kept.sort((a, b) => degree(b) - degree(a) || calls(a) - calls(b) || compare(a.key, b.key)));
}

// The size that is one factor, such as a name.
export const ofFactor = (factor) => build([{ factors: [[factor, 1]], coefficient: 1n }]);

export const add = (left, right) => build([...termsOf(left), ...termsOf(right)]);
export const subtract = (left, right) => add(left, multiply(-1n, right));

function joined(left, right, sign = 1) {
  const powers = new Map();
  for (const [factor, power] of left) powers.set(factorText(factor), [factor, power]);
  for (const [factor, power] of right) {
    const text = factorText(factor);
    powers.set(text, [factor, (powers.get(text)?.[1] ?? 0) + sign * power]);
  }
  const kept = [...powers.values()].filter(([, power]) => power !== 0);
  return kept.sort((a, b) => compare(factorText(a[0]), factorText(b[0])));
}

export function multiply(left, right) {
  const rows = termsOf(right);
  return build(
    termsOf(left).flatMap((a) =>
      rows.map((b) => ({ factors: joined(a.factors, b.factors), coefficient: a.coefficient * b.coefficient })),
    ),
  );
}

// Quotients.

const floorDivision = (a, b) => a / b - (a % b !== 0n && a < 0n !== b < 0n ? 1n : 0n);
const mapped = (size, change) => build(termsOf(size).map((term) => ({ ...term, coefficient: change(term.coefficient) })));
const gcd = (a, b) => (b === 0n ? a : gcd(b, a % b));

export function floorDivide(left, right) {
  if (right === 0n) refuse("bad-dim", `the size ${textOf(left)} is divided by zero`);
  if (!isInt(right)) return (left === 0n ? 0n : isInt(left) ? null : exact(left, right)) ?? call("//", left, right);
  if (isInt(left)) return floorDivision(left, right);
  if (right < 0n) return floorDivide(multiply(-1n, left), -right);
  const quotient = mapped(left, (each) => floorDivision(each, right));
  const rest = mapped(left, (each) => each - right * floorDivision(each, right));
  if (isInt(rest)) return quotient;
  const common = rest.terms.reduce((found, { factors, coefficient }) => (factors.length ? gcd(found, coefficient) : found), right);
  if (common > 1n) return add(quotient, floorDivide(mapped(rest, (each) => floorDivision(each, common)), right / common));
  for (const { factors, coefficient } of rest.terms) {
    const inner = onlyFactor(factors);
    if (coefficient === 1n && inner?.kind === "//" && isInt(inner.right)) {
      const others = multiply(subtract(rest, ofFactor(inner)), inner.right);
      return add(quotient, floorDivide(add(inner.left, others), inner.right * right));
    }
  }
  return add(quotient, call("//", rest, right));
}

// The sum that gives `left` when multiplied by `right`, or null: by long division.
function exact(left, right) {
  const top = leading(right);
  let [total, rest] = [0n, left];
  while (rest !== 0n) {
    const first = leading(rest);
    const factors = joined(first.factors, top.factors, -1);
    if (first.coefficient % top.coefficient || factors.some(([, power]) => power < 0)) return null;
    const step = build([{ factors, coefficient: first.coefficient / top.coefficient }]);
    total = add(total, step);
    rest = subtract(rest, multiply(step, right));
  }
  return total;
}

// The term of most factors; of as many, the first by the texts of its factors, a higher power before a lower one.
function leading(size) {
  const before = (a, b) => {
    const difference = degreeOf(b) - degreeOf(a);
    if (difference) return difference;
    for (let n = 0; n < Math.min(a.length, b.length); n++) {
      const order = compare(factorText(a[n][0]), factorText(b[n][0])) || b[n][1] - a[n][1];
      if (order) return order;
    }
    return a.length - b.length;
  };
  return termsOf(size).reduce((best, term) => (before(term.factors, best.factors) < 0 ? term : best));
}

const call = (kind, left, right) => ofFactor(new Call(kind, left, right));

// Minima and maxima.

export const minimum = (left, right) => extremum("min", left, right);
export const maximum = (left, right) => extremum("max", left, right);

function extremum(kind, left, right) {
  const wins = (size, other) => {
    const bound = new Proof().low(kind === "max" ? subtract(size, other) : subtract(other, size));
    return bound !== null && bound >= 0n;
  };
  const sizes = [...operands(kind, left), ...operands(kind, right)];
  sizes.sort((a, b) => Number(isInt(a)) - Number(isInt(b)) || compare(textOf(a), textOf(b)));
  let kept = [];
  for (const size of sizes) {
    if (!kept.some((other) => wins(other, size))) kept = [...kept.filter((other) => !wins(size, other)), size];
  }
  return kept.reduce((total, size) => call(kind, total, size));
}

function operands(kind, size) {
  const factor = loneFactor(size);
  return factor?.kind === kind ? [...operands(kind, factor.left), ...operands(kind, factor.right)] : [size];
}

function best(kind, bounds) {
  const known = bounds.filter((bound) => bound !== null);
  return known.length ? known.reduce((a, b) => (kind === "max" === a > b ? a : b)) : null;
}

// One proof of a bound. A bound is a BigInt, or null where it is not known.
class Proof {
  steps = PROOF_STEPS;

  low(size) {
    if (isInt(size)) return size;
    if (--this.steps < 0) return null;
    let total = 0n;
    for (const { factors, coefficient } of size.terms) {
      const bound = this.#product(factors, coefficient > 0n);
      total = bound === null || total === null ? null : total + coefficient * bound;
    }
    const found = size.terms.find(({ factors }) => onlyFactor(factors) instanceof Call);
    return found ? best("max", [total, this.#replaced(size, found)]) : total;
  }

  high(size) {
    const bound = this.low(multiply(-1n, size));
    return bound === null ? null : -bound;
  }

  // A lower bound of a sum, the call of one of its terms replaced by what it lies between.
  #replaced(size, term) {
    const { kind, left, right } = onlyFactor(term.factors);
    const { coefficient } = term;
    const rest = subtract(size, build([term]));
    if (kind !== "//") {
      const sides = [left, right].map((side) => this.low(add(rest, multiply(coefficient, side))));
      if ((kind === "max") === coefficient > 0n) return best("max", sides);
      return sides.includes(null) ? null : best("min", sides);
    }
    if (!isInt(right)) return null;
    const over = coefficient > 0n ? subtract(left, right - 1n) : left;
    const scaled = this.low(add(multiply(rest, right), multiply(coefficient, over)));
    return scaled === null ? null : -floorDivision(-scaled, right);
  }

  #product(factors, low) {
    const only = onlyFactor(factors);
    if (only !== null) return this.#factor(only, low);
    let total = 1n;
    for (const [factor, power] of factors) {
      const bottom = this.#factor(factor, true);
      const bound = low ? bottom : this.#factor(factor, false);
      if (bottom === null || bottom < 0n || bound === null) return null;
      total *= bound ** BigInt(power);
    }
    return total;
  }

  #factor(factor, low) {
    if (typeof factor === "string") return low ? 0n : null;
    const { kind, left, right } = factor;
    const bound = (size) => (low ? this.low(size) : this.high(size));
    if (kind !== "//") {
      const sides = [bound(left), bound(right)];
      return (kind === "max") !== low && sides.includes(null) ? null : best(kind, sides);
    }
    const over = bound(left);
    if (isInt(right)) return over === null ? null : floorDivision(over, right);
    const below = low && over !== null && over >= 0n ? this.low(right) : null;
    return below === null || below < 0n ? null : 0n;
  }
}

// The value of a size where the names have these values (a Map of BigInts).
export function evaluate(size, names) {
  if (isInt(size)) return size;
  return size.terms.reduce((sum, { factors, coefficient }) => {
    return sum + factors.reduce((product, [factor, power]) => product * factorValue(factor, names) ** BigInt(power), coefficient);
  }, 0n);
}

function factorValue(factor, names) {
  if (typeof factor === "string") {
    if (!names.has(factor)) throw new Error(`no input says what ${factor} is`);
    return names.get(factor);
  }
  const [left, right] = [evaluate(factor.left, names), evaluate(factor.right, names)];
  if (factor.kind === "//") return floorDivision(left, right);
  return (factor.kind === "min") === left < right ? left : right;
}
