// The operations this reader computes: elementwise, matrix products, reductions, those that move elements, control flow.
//
// Each has `infer(types, attributes, graphs)`, the types of its results, and `run(arrays, attributes, context)`, their
// arrays. A context has `names`, the numbers that dims stand for, and `call(graph, arrays)`, what a graph gives.
// Floats are computed in double precision and rounded once to their dtype; sums add up so, too.

import { DTYPES, NDArray, roundHalfToEven } from "./dtypes.mjs";
import { add, evaluate, floorDivide, maximum, multiply, subtract, textOf } from "./normal.mjs";
import { equal } from "./sizes.mjs";

export class Refusal extends Error {}
export class Unsupported extends Error {}

const check = (holds, what) => {
  if (!holds) throw new Refusal(what);
};
export const sameType = (a, b) =>
  a.dtype === b.dtype && a.shape.length === b.shape.length && a.shape.every((size, axis) => equal(size, b.shape[axis]));
const sameTypes = (left, right) => left.length === right.length && left.every((type, n) => sameType(type, right[n]));
const numbersOf = (shape, names) => shape.map((size) => Number(evaluate(size, names)));

// Sizes and positions.

const countOf = (shape) => shape.reduce((product, size) => product * size, 1);
const stridesOf = (shape) => shape.map((_, axis) => countOf(shape.slice(axis + 1)));

// Every index of a shape, in row-major order.
function* indicesOf(shape) {
  const index = shape.map(() => 0);
  for (let left = countOf(shape); left > 0; left--) {
    yield index;
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis] === shape[axis]; axis--) index[axis] = 0;
  }
}

// An array of a shape, each element taken from the place that `from` gives for its index; zero where that is -1.
function moved(x, shape, from) {
  const result = NDArray.zeros(x.dtype, shape);
  let place = 0;
  for (const index of indicesOf(shape)) {
    const source = from(index);
    if (source >= 0) result.copy(place, x, source);
    place++;
  }
  return result;
}

const place = (index, strides) => index.reduce((sum, at, axis) => sum + at * strides[axis], 0);

// For an index of a wider shape, the place in an array of `shape` that is stretched to it.
function stretched(shape) {
  const strides = stridesOf(shape);
  return (index) => {
    const skip = index.length - shape.length;
    return shape.reduce((sum, size, axis) => sum + (size === 1 ? 0 : index[skip + axis] * strides[axis]), 0);
  };
}

// Axes align at the right; equal sizes meet, and a size of 1 stretches.
function broadcast(...shapes) {
  const result = [...shapes.reduce((a, b) => (b.length > a.length ? b : a))];
  for (const shape of shapes) {
    for (let back = 1; back <= shape.length; back++) {
      const [have, size] = [result.at(-back), shape.at(-back)];
      if (size === 1n || equal(have, size)) continue;
      check(have === 1n, `${textOf(have)} and ${textOf(size)} do not broadcast`);
      result[result.length - back] = size;
    }
  }
  return result;
}

// Element types, as the operations' reference names them. None of these has a float8.
const is = (...kinds) => (dtype) => kinds.includes(DTYPES[dtype].kind) && !dtype.startsWith("float8");
const NUMERIC = is("int", "float", "complex");
const REAL = is("int", "float");
const FLOATING = is("float");
const INEXACT = is("float", "complex");
const INTEGER = is("int");
const BOOL = is("bool");
const ANY = () => true;

const accept = (accepts, types) => {
  for (const { dtype } of types) check(accepts(dtype), `is not defined on ${dtype}`);
  check(types.every(({ dtype }) => dtype === types[0].dtype), "the operands have different dtypes");
};

// A function of elements: `kinds` has one for each kind of values.
function elementwise(accepts, kinds, result = (dtype) => dtype) {
  return {
    infer(types) {
      accept(accepts, types);
      return [{ dtype: result(types[0].dtype), shape: broadcast(...types.map(({ shape }) => shape)) }];
    },
    run(arrays) {
      const { dtype, form } = arrays[0];
      const compute = kinds[form.kind];
      if (!compute) throw new Unsupported(`${form.kind} numbers`);
      const shape = numbersOf(broadcast(...arrays.map((x) => x.shape.map(BigInt))), new Map());
      const to = NDArray.zeros(result(dtype), shape);
      const froms = arrays.map((x) => stretched(x.shape));
      let at = 0;
      for (const index of indicesOf(shape)) to.set(at++, compute(...arrays.map((x, n) => x.get(froms[n](index)))));
      return [to];
    },
  };
}

const realOf = (dtype) => ({ complex64: "float32", complex128: "float64" })[dtype] ?? dtype;
const both = (compute) => ({ int: compute, float: compute });
const floats = (compute, accepts = INEXACT) => elementwise(accepts, { float: compute });
const comparison = (accepts, compute) =>
  elementwise(accepts, { int: compute, float: compute, bool: compute }, () => "bool");
const test = (accepts, ofInt, compute) => elementwise(accepts, { int: () => ofInt, float: compute }, () => "bool");
const onBits = (compute, accepts = is("int", "bool")) =>
  elementwise(accepts, { int: compute, bool: (...bools) => (compute(...bools.map(BigInt)) & 1n) === 1n });
const signOf = (x) => (x < 0 || Object.is(x, -0) ? -1 : 1);
const greater = (x, y) => (typeof x === "bigint" ? (x > y ? x : y) : Math.max(x, y));
const lesser = (x, y) => (typeof x === "bigint" ? (x < y ? x : y) : Math.min(x, y));

// The sign is a bit, which NaN has too; it is the highest of the last byte.
const signbit = {
  infer(types) {
    accept((dtype) => DTYPES[dtype].kind === "float", types);
    return [{ dtype: "bool", shape: types[0].shape }];
  },
  run([x]) {
    const to = NDArray.zeros("bool", x.shape);
    const bytes = new Uint8Array(x.bits.buffer);
    for (let n = 0; n < x.size; n++) to.set(n, bytes[(n + 1) * x.form.size - 1] >= 128);
    return [to];
  },
};

function divideInts(x, y) {
  if (y === 0n) return [0n, 0n];
  const rest = x % y;
  const off = rest !== 0n && rest < 0n !== y < 0n;
  return [x / y - (off ? 1n : 0n), rest + (off ? y : 0n)];
}

function divideFloats(x, y) {
  if (!Number.isFinite(x) || !Number.isFinite(y) || y === 0) {
    return [Math.floor(x / y), Number.isFinite(x) && Number.isFinite(y) ? NaN : x - y * Math.floor(x / y)];
  }
  let rest = x % y;
  if (rest !== 0 && rest < 0 !== y < 0) rest += y;
  return [Math.round((x - rest) / y), rest === 0 ? 0 * y : rest];
}

const power = (x, y) => (x === 1 ? 1 : x ** y);

// Movers and their types.

const list = (attribute) => attribute.value.map(({ value }) => (typeof value === "number" ? BigInt(value) : value));
const ints = (attribute) => attribute.value.map(({ value }) => Number(value));
const sizeOf = ({ value }) => (typeof value === "number" ? BigInt(value) : value);
const product = (shape) => shape.reduce(multiply, 1n);

function checkAxes(axes, { shape }) {
  const good = axes.every((axis, n) => axis >= 0 && axis < shape.length && (!n || axes[n - 1] < axis));
  check(good, `axes ${axes} do not name axes, ascending, of ${shape.length}`);
  return axes;
}

const mover = (shapeOf, from) => ({
  infer: ([x], attributes) => [{ dtype: x.dtype, shape: shapeOf(x, attributes) }],
  run: ([x], attributes, { names }) => {
    const shape = numbersOf(shapeOf({ shape: x.shape.map(BigInt) }, attributes), names);
    return [moved(x, shape, from(x.shape, attributes, names))];
  },
});

function slicedShape({ shape }, { starts, stops, steps }) {
  const [from, to, by] = [list(starts), list(stops), list(steps)];
  check([from, to, by].every((each) => each.length === shape.length), "a start, stop and step is due for each axis");
  return shape.map((size, axis) => {
    check(by[axis] > 0n, "a step is positive");
    const bounds = [0n, from[axis], to[axis], size];
    for (let n = 0; n < 3; n++) {
      const known = typeof bounds[n] === "bigint" && typeof bounds[n + 1] === "bigint";
      check(!known || bounds[n] <= bounds[n + 1], "the slice leaves the axis");
    }
    return floorDivide(add(subtract(to[axis], from[axis]), by[axis] - 1n), by[axis]);
  });
}

function paddedShape({ shape }, { low, high, interior }) {
  const [before, after, gaps] = [list(low), list(high), list(interior)];
  check([before, after, gaps].every((each) => each.length === shape.length), "low, high, interior are due for each axis");
  return shape.map((size, axis) => {
    check(gaps[axis] >= 0n, "interior padding is not negative");
    const wide = gaps[axis] ? maximum(add(multiply(subtract(size, 1n), gaps[axis] + 1n), 1n), 0n) : size;
    const total = add(add(before[axis], after[axis]), wide);
    check(typeof total !== "bigint" || total >= 0n, "the padding crops more than there is");
    return total;
  });
}

function padFrom(shape, { low, interior }, names) {
  const [before, gaps] = [numbersOf(list(low), names), ints(interior)];
  const strides = stridesOf(shape);
  return (index) => {
    const spots = index.map((at, axis) => (at - before[axis]) / (gaps[axis] + 1));
    return spots.every((at, axis) => Number.isInteger(at) && at >= 0 && at < shape[axis]) ? place(spots, strides) : -1;
  };
}

// Reductions: `reduce` takes the elements in order; `kinds` as for elementwise operations.

function reduction(accepts, reduce, { empty = true, dtype = (each) => each, axis = false } = {}) {
  const axesOf = (attributes) => (axis ? [Number(attributes.axis.value)] : ints(attributes.axes));
  return {
    infer([x], attributes) {
      accept(accepts, [x]);
      const axes = checkAxes(axesOf(attributes), x);
      check(empty || axes.every((each) => x.shape[each] !== 0n), "of no elements is not defined");
      return [{ dtype: dtype(x.dtype), shape: x.shape.filter((_, each) => !axes.includes(each)) }];
    },
    run([x], attributes) {
      if (x.form.kind === "complex") throw new Unsupported("complex numbers");
      const axes = axesOf(attributes);
      const kept = x.shape.filter((_, each) => !axes.includes(each));
      const gone = axes.map((each) => x.shape[each]);
      const strides = stridesOf(x.shape);
      const [keptStrides, goneStrides] = [strides.filter((_, each) => !axes.includes(each)), axes.map((each) => strides[each])];
      const to = NDArray.zeros(dtype(x.dtype), kept);
      let at = 0;
      for (const index of indicesOf(kept)) {
        const base = place(index, keptStrides);
        const items = [];
        for (const inner of indicesOf(gone)) items.push(x.get(base + place(inner, goneStrides)));
        if (!empty && !items.length) throw new Refusal("of no elements is not defined");
        to.set(at++, reduce(items, x.form.kind, attributes));
      }
      return [to];
    },
  };
}

const sum = (items, kind) => items.reduce((total, each) => total + each, kind === "int" ? 0n : 0);
const mean = (items) => sum(items, "float") / items.length;
const first = (wins) => (items) =>
  BigInt(items.reduce((best, each, n) => (n && !Number.isNaN(items[best]) && (Number.isNaN(each) || wins(each, items[best])) ? n : best), 0));

function variance(items, kind, { correction }) {
  const centre = mean(items);
  const total = items.reduce((all, each) => all + (each - centre) ** 2, 0);
  return total / Math.max(items.length - Number(correction?.value ?? 0), 0);
}

// Along one axis, the elements of each row to as many others.
const rowwise = (accepts, change) => ({
  infer: ([x], { axis }) => {
    accept(accepts, [x]);
    checkAxes([Number(axis.value)], x);
    return [x];
  },
  run: ([x], attributes) => {
    if (x.form.kind === "complex") throw new Unsupported("complex numbers");
    const axis = Number(attributes.axis.value);
    const step = stridesOf(x.shape)[axis];
    const to = NDArray.zeros(x.dtype, x.shape);
    for (const index of indicesOf(x.shape.with(axis, Math.min(1, x.shape[axis])))) {
      const base = place(index, stridesOf(x.shape));
      const row = Array.from({ length: x.shape[axis] }, (_, n) => x.get(base + n * step));
      change(row, attributes).forEach((value, n) => to.set(base + n * step, value));
    }
    return [to];
  },
});

function runningSum(row, { reverse }) {
  const ordered = reverse?.value ? row.reverse() : row;
  const sums = [];
  for (const value of ordered) sums.push(sums.length ? sums.at(-1) + value : value);
  return reverse?.value ? sums.reverse() : sums;
}

function sorted(row, { descending }) {
  const order = (a, b) => (Number.isNaN(a) ? (Number.isNaN(b) ? 0 : 1) : Number.isNaN(b) ? -1 : a < b ? -1 : a > b ? 1 : 0);
  return row.sort((a, b) => (descending?.value ? order(b, a) : order(a, b)));
}

const matmul = {
  infer(types) {
    accept(NUMERIC, types);
    const [x, y] = types.map(({ shape }) => shape);
    check(x.length > 1 && y.length > 1, "both operands need 2 axes");
    check(equal(x.at(-1), y.at(-2)), "the rows of the first are not as long as the columns of the second");
    return [{ dtype: types[0].dtype, shape: [...broadcast(x.slice(0, -2), y.slice(0, -2)), x.at(-2), y.at(-1)] }];
  },
  run([x, y]) {
    if (x.form.kind === "complex") throw new Unsupported("complex numbers");
    const [{ shape }] = this.infer([x, y].map(({ dtype, shape }) => ({ dtype, shape: shape.map(BigInt) })));
    const to = NDArray.zeros(x.dtype, numbersOf(shape, new Map()));
    const [fromX, fromY] = [x, y].map((each) => stretched([...each.shape.slice(0, -2), 1, 1]));
    const [rows, inner, columns] = [x.shape.at(-2), x.shape.at(-1), y.shape.at(-1)];
    let at = 0;
    for (const index of indicesOf(to.shape)) {
      const [row, column] = index.slice(-2);
      const [baseX, baseY] = [fromX(index) * rows * inner, fromY(index) * inner * columns];
      const terms = Array.from({ length: inner }, (_, k) => x.get(baseX + row * inner + k) * y.get(baseY + k * columns + column));
      to.set(at++, sum(terms, x.form.kind));
    }
    return [to];
  },
};

const where = {
  infer([condition, ...types]) {
    check(condition.dtype === "bool", "the condition is of bools");
    accept(ANY, types);
    return [{ dtype: types[0].dtype, shape: broadcast(condition.shape, ...types.map(({ shape }) => shape)) }];
  },
  run(arrays) {
    const shape = numbersOf(broadcast(...arrays.map((x) => x.shape.map(BigInt))), new Map());
    const to = NDArray.zeros(arrays[1].dtype, shape);
    const froms = arrays.map((x) => stretched(x.shape));
    let at = 0;
    for (const index of indicesOf(shape)) {
      const chosen = arrays[0].get(froms[0](index)) ? 1 : 2;
      to.copy(at++, arrays[chosen], froms[chosen](index));
    }
    return [to];
  },
};

const cast = {
  infer([x], { dtype }) {
    const lost = DTYPES[x.dtype].kind === "complex" && !["complex", "bool"].includes(DTYPES[dtype.value].kind);
    check(!lost, "complex numbers convert to complex and bool only");
    return [{ dtype: dtype.value, shape: x.shape }];
  },
  run([x], { dtype }) {
    const to = NDArray.zeros(dtype.value, x.shape);
    if (x.dtype === to.dtype) return [x];
    if (x.form.kind === "complex") throw new Unsupported("complex numbers");
    for (let n = 0; n < x.size; n++) {
      const value = x.get(n);
      if (to.form.kind === "bool") to.set(n, typeof value === "boolean" ? value : value != 0);
      else if (to.form.kind === "int") {
        to.set(n, typeof value === "number" ? BigInt(Number.isFinite(value) ? Math.trunc(value) : 0) : BigInt(value));
      } else if (to.form.kind === "complex") to.bits[2 * n] = Number(value);
      else to.set(n, Number(value));
    }
    return [to];
  },
};

const concat = {
  infer(types, { axis }) {
    accept(ANY, types);
    const at = Number(axis.value);
    const [{ dtype, shape }] = types;
    checkAxes([at], types[0]);
    for (const other of types) {
      const good = other.shape.length === shape.length && other.shape.every((size, n) => n === at || equal(size, shape[n]));
      check(good, "the operands differ outside the joined axis");
    }
    return [{ dtype, shape: shape.with(at, types.map((each) => each.shape[at]).reduce(add)) }];
  },
  run(arrays, { axis }) {
    const at = Number(axis.value);
    const [{ dtype, shape }] = arrays;
    const to = NDArray.zeros(dtype, shape.with(at, arrays.reduce((total, x) => total + x.shape[at], 0)));
    let n = 0;
    for (const index of indicesOf(to.shape)) {
      let [which, inner] = [0, index[at]];
      while (inner >= arrays[which].shape[at]) inner -= arrays[which++].shape[at];
      to.copy(n++, arrays[which], place(index.with(at, inner), stridesOf(arrays[which].shape)));
    }
    return [to];
  },
};

// Operations that hold graphs.

const inTypes = (graph) => graph.inputs.map(({ type }) => type);
const takes = (graph, types, what) => check(sameTypes(inTypes(graph), types), `${what} takes other operands`);
const returns = (have, due, what) => check(sameTypes(have, due), what);

// Runs one graph on the operands as they are; the others say how it is differentiated.
const called = (name, checkOthers = () => {}) => ({
  infer(types, attributes, graphs) {
    const graph = graphs[attributes[name].value];
    takes(graph, types, "the graph");
    checkOthers(types, attributes, graphs, graph);
    return graph.outTypes;
  },
  run: (arrays, attributes, { call }) => call(attributes[name].value, arrays),
});

const cond = {
  infer([index, ...types], { branches }, graphs) {
    check(index?.dtype === "int32" && !index.shape.length, "an int32 index of shape [] comes first");
    check(branches.value.length > 0, "a branch is due");
    const held = branches.value.map(({ value }) => graphs[value]);
    for (const branch of held) {
      takes(branch, types, "a branch");
      returns(branch.outTypes, held[0].outTypes, "the branches return different types");
    }
    return held[0].outTypes;
  },
  run([index, ...arrays], { branches }, { call }) {
    const chosen = Math.min(Math.max(Number(index.get(0)), 0), branches.value.length - 1);
    return call(branches.value[chosen].value, arrays);
  },
};

const whileLoop = {
  infer(types, { condition, body, num_consts }, graphs) {
    const [test, round] = [graphs[condition.value], graphs[body.value]];
    takes(test, types, "the condition");
    takes(round, types, "the body");
    returns(test.outTypes, [{ dtype: "bool", shape: [] }], "the condition returns one bool of shape []");
    returns(round.outTypes, types.slice(Number(num_consts.value)), "the carry changes its type");
    return round.outTypes;
  },
  run(arrays, { condition, body, num_consts }, { call }) {
    const consts = arrays.slice(0, Number(num_consts.value));
    let carry = arrays.slice(consts.length);
    while (call(condition.value, [...consts, ...carry])[0].get(0)) carry = call(body.value, [...consts, ...carry]);
    return carry;
  },
};

const scan = {
  infer(types, { body, num_consts, num_carry, length }, graphs) {
    const [consts, count] = [Number(num_consts.value), Number(num_consts.value) + Number(num_carry.value)];
    const size = sizeOf(length);
    check(typeof size !== "bigint" || size >= 0n, "the length is negative");
    const slices = types.slice(count).map(({ dtype, shape }) => {
      check(shape.length && equal(shape[0], size), "an operand has no leading axis of that length");
      return { dtype, shape: shape.slice(1) };
    });
    const graph = graphs[body.value];
    takes(graph, [...types.slice(0, count), ...slices], "the body");
    const carry = types.slice(consts, count);
    returns(graph.outTypes.slice(0, carry.length), carry, "the carry changes its type");
    const stacked = graph.outTypes.slice(carry.length).map(({ dtype, shape }) => ({ dtype, shape: [size, ...shape] }));
    return [...carry, ...stacked];
  },
  run(arrays, { body, num_consts, num_carry, length, reverse }, { call, names, graphs }) {
    const [first, count] = [Number(num_consts.value), Number(num_consts.value) + Number(num_carry.value)];
    const [consts, xs] = [arrays.slice(0, first), arrays.slice(count)];
    let carry = arrays.slice(first, count);
    const rounds = Number(evaluate(sizeOf(length), names));
    const ys = graphs[body.value].outTypes
      .slice(carry.length)
      .map(({ dtype, shape }) => NDArray.zeros(dtype, [rounds, ...numbersOf(shape, names)]));
    for (let round = 0; round < rounds; round++) {
      const at = reverse?.value ? rounds - 1 - round : round;
      const slices = xs.map((x) => {
        const shape = x.shape.slice(1);
        const start = at * countOf(shape);
        return moved(x, shape, (index) => start + place(index, stridesOf(shape)));
      });
      const results = call(body.value, [...consts, ...carry, ...slices]);
      carry = results.slice(0, carry.length);
      results.slice(carry.length).forEach((part, n) => {
        for (let each = 0; each < part.size; each++) ys[n].copy(at * part.size + each, part, each);
      });
    }
    return [...carry, ...ys];
  },
};

export const OPERATORS = {
  add: elementwise(NUMERIC, both((x, y) => x + y)),
  subtract: elementwise(NUMERIC, both((x, y) => x - y)),
  multiply: elementwise(NUMERIC, both((x, y) => x * y)),
  divide: floats((x, y) => x / y),
  xdivy: floats((x, y) => (x === 0 ? 0 : x / y)),
  negative: elementwise(NUMERIC, both((x) => -x)),
  square: elementwise(NUMERIC, both((x) => x * x)),
  abs: elementwise(NUMERIC, { int: (x) => (x < 0n ? -x : x), float: Math.abs }, realOf),
  sign: elementwise(NUMERIC, { int: (x) => (x > 0n ? 1n : x < 0n ? -1n : 0n), float: Math.sign }),
  copysign: floats((x, y) => Math.abs(x) * signOf(y), FLOATING),
  pow: elementwise(NUMERIC, { int: (x, y) => x ** y, float: power }),
  floor_divide: elementwise(REAL, { int: (x, y) => divideInts(x, y)[0], float: (x, y) => divideFloats(x, y)[0] }),
  remainder: elementwise(REAL, { int: (x, y) => divideInts(x, y)[1], float: (x, y) => divideFloats(x, y)[1] }),
  maximum: elementwise(REAL, both(greater)),
  minimum: elementwise(REAL, both(lesser)),
  clip: elementwise(REAL, both((x, low, high) => lesser(greater(x, low), high))),
  relu: elementwise(REAL, { int: (x) => greater(x, 0n), float: (x) => Math.max(x, 0) }),
  equal: comparison(ANY, (x, y) => x === y),
  not_equal: comparison(ANY, (x, y) => x !== y),
  less: comparison(is("bool", "int", "float"), (x, y) => x < y),
  less_equal: comparison(is("bool", "int", "float"), (x, y) => x <= y),
  greater: comparison(is("bool", "int", "float"), (x, y) => x > y),
  greater_equal: comparison(is("bool", "int", "float"), (x, y) => x >= y),
  isnan: test((dtype) => dtype !== "bool", false, Number.isNaN),
  isinf: test((dtype) => dtype !== "bool", false, (x) => Math.abs(x) === Infinity),
  isfinite: test((dtype) => dtype !== "bool", true, Number.isFinite),
  signbit,
  floor: elementwise(REAL, { int: (x) => x, float: Math.floor }),
  ceil: elementwise(REAL, { int: (x) => x, float: Math.ceil }),
  trunc: elementwise(REAL, { int: (x) => x, float: Math.trunc }),
  round: elementwise(NUMERIC, { int: (x) => x, float: roundHalfToEven }),
  logical_and: elementwise(BOOL, { bool: (x, y) => x && y }),
  logical_or: elementwise(BOOL, { bool: (x, y) => x || y }),
  logical_xor: elementwise(BOOL, { bool: (x, y) => x !== y }),
  logical_not: elementwise(BOOL, { bool: (x) => !x }),
  bitwise_and: onBits((x, y) => x & y),
  bitwise_or: onBits((x, y) => x | y),
  bitwise_xor: onBits((x, y) => x ^ y),
  bitwise_invert: onBits((x) => ~x),
  bitwise_left_shift: onBits((x, y) => x << y, INTEGER),
  bitwise_right_shift: onBits((x, y) => x >> y, INTEGER),
  ...Object.fromEntries(
    ["exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh",
      "tanh", "asinh", "acosh", "atanh"].map((name) => [name, floats(Math[name])]),
  ),
  cbrt: floats(Math.cbrt, FLOATING),
  hypot: floats(Math.hypot, FLOATING),
  atan2: floats(Math.atan2, FLOATING),
  sigmoid: floats((x) => 1 / (1 + Math.exp(-x)), FLOATING),
  where,
  cast,
  stop_gradient: mover(({ shape }) => shape, (shape) => (index) => place(index, stridesOf(shape))),
  matmul,
  sum: reduction(NUMERIC, sum),
  prod: reduction(NUMERIC, (items, kind) => items.reduce((all, each) => all * each, kind === "int" ? 1n : 1)),
  max: reduction(REAL, (items) => items.reduce(greater), { empty: false }),
  min: reduction(REAL, (items) => items.reduce(lesser), { empty: false }),
  all: reduction(BOOL, (items) => items.every(Boolean)),
  any: reduction(BOOL, (items) => items.some(Boolean)),
  argmax: reduction(REAL, first((x, y) => x > y), { empty: false, dtype: () => "int64", axis: true }),
  argmin: reduction(REAL, first((x, y) => x < y), { empty: false, dtype: () => "int64", axis: true }),
  mean: reduction(INEXACT, mean),
  var: reduction(FLOATING, variance),
  cumulative_sum: rowwise(NUMERIC, runningSum),
  sort: rowwise(REAL, sorted),
  reshape: mover(
    ({ shape }, { shape: wanted }) => {
      check(equal(product(list(wanted)), product(shape)), "the shapes have different numbers of elements");
      return list(wanted);
    },
    () => {
      let at = 0;
      return () => at++; // the elements in their order
    },
  ),
  permute_dims: mover(
    ({ shape }, { axes }) => {
      const order = ints(axes);
      check(order.length === shape.length && new Set(order).size === order.length, "the axes are no order of all axes");
      check(order.every((axis) => axis >= 0 && axis < shape.length), "there is no such axis");
      return order.map((axis) => shape[axis]);
    },
    (shape, { axes }) => {
      const strides = ints(axes).map((axis) => stridesOf(shape)[axis]);
      return (index) => place(index, strides);
    },
  ),
  broadcast_to: mover(
    ({ shape }, { shape: wanted }) => {
      const due = list(wanted);
      const met = shape.length <= due.length ? broadcast(shape, due) : [];
      check(met.length === due.length && met.every((size, axis) => equal(size, due[axis])), "does not broadcast to it");
      return due;
    },
    (shape) => stretched(shape),
  ),
  flip: mover(
    (x, { axes }) => (checkAxes(ints(axes).sort((a, b) => a - b), x), x.shape),
    (shape, { axes }) => {
      const turned = new Set(ints(axes));
      return (index) => place(index.map((at, axis) => (turned.has(axis) ? shape[axis] - 1 - at : at)), stridesOf(shape));
    },
  ),
  slice: mover(slicedShape, (shape, { starts, steps }, names) => {
    const [from, by] = [numbersOf(list(starts), names), ints(steps)];
    return (index) => place(index.map((at, axis) => from[axis] + at * by[axis]), stridesOf(shape));
  }),
  pad: mover(paddedShape, padFrom),
  concat,
  iota: {
    infer: (_, { size, dtype }) => [{ dtype: dtype.value, shape: [sizeOf(size)] }],
    run(_, { size, dtype }, { names }) {
      const to = NDArray.zeros(dtype.value, [Number(evaluate(sizeOf(size), names))]);
      for (let n = 0; n < to.size; n++) to.set(n, to.form.kind === "int" ? BigInt(n) : n);
      return [to];
    },
  },
  dim_size: {
    infer: () => [{ dtype: "int64", shape: [] }],
    run: (_, { size }, { names }) => [NDArray.of("int64", evaluate(sizeOf(size), names))],
  },
  cond,
  while_loop: whileLoop,
  scan,
  checkpoint: called("body"),
  custom_jvp: called("primal", (types, { rule }, graphs, primal) => {
    takes(graphs[rule.value], [...types, ...types], "the rule");
    returns(graphs[rule.value].outTypes, [...primal.outTypes, ...primal.outTypes], "the rule returns other results");
  }),
  custom_vjp: called("primal"),
};
