// Element types: how many bytes an element has, and how its bits are a number.

// A float of few bits, as its number: sign, `exponent` bits, `fraction` bits. `finite` is the OFP8 form without infinities.
function small(exponent, fraction, finite = false) {
  const bias = 2 ** (exponent - 1) - 1;
  const top = 2 ** exponent - 1;
  const width = 1 + exponent + fraction;
  const nan = finite ? 2 ** (width - 1) - 1 : (top << fraction) | (1 << (fraction - 1));
  return {
    decode(bits) {
      const sign = bits >> (width - 1) ? -1 : 1;
      const [power, rest] = [(bits >> fraction) & top, bits & (2 ** fraction - 1)];
      if (power === top && !finite) return rest ? NaN : sign * Infinity;
      if (finite && (bits & nan) === nan) return NaN;
      const whole = power ? 2 ** fraction + rest : rest;
      return sign * whole * 2 ** (Math.max(power, 1) - bias - fraction);
    },
    // The nearest there is, of two as near the even one.
    encode(value) {
      const sign = value < 0 || Object.is(value, -0) ? 2 ** (width - 1) : 0;
      const size = Math.abs(value);
      if (Number.isNaN(size)) return nan;
      const power = Math.max(size ? Math.floor(Math.log2(size)) : 1 - bias, 1 - bias);
      let bits = 0;
      // Math.log2 may be off by one beside a power of two; the neighbours are tried too.
      for (const guess of [power - 1, power, power + 1]) {
        const scaled = size / 2 ** (Math.max(guess, 1 - bias) - fraction);
        const whole = roundHalfToEven(scaled);
        if (whole <= 2 ** (fraction + 1)) {
          bits = whole + (Math.max(guess, 1 - bias) + bias - 1) * 2 ** fraction;
          break;
        }
      }
      const most = finite ? nan - 1 : top << fraction;
      return sign + (size === Infinity || bits > most ? (finite ? nan : most) : bits);
    },
  };
}

export function roundHalfToEven(value) {
  const low = Math.floor(value);
  const rest = value - low;
  const round = rest > 0.5 || (rest === 0.5 && low % 2 !== 0) ? low + 1 : low;
  return round === 0 && (value < 0 || Object.is(value, -0)) ? -0 : round;
}

const whole = (Bits, bits, signed) => ({
  kind: "int", Bits, signed, bits, size: Bits.BYTES_PER_ELEMENT, lanes: 1,
  decode: (each) => BigInt(each),
  encode: (value) => {
    const wrapped = signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
    return bits === 64 ? wrapped : Number(wrapped);
  },
});
const float = (Bits, form) => ({ kind: "float", Bits, size: Bits.BYTES_PER_ELEMENT, lanes: 1, ...form });
const asIs = { decode: (each) => each, encode: (value) => value };
// By way of float32, which rounds first.
const viaFloat32 = (form) => ({ ...form, encode: (value) => form.encode(Math.fround(value)) });

// `decode` and `encode` turn an element of the typed array `Bits` into a value and back: bools are booleans, whole
// numbers are BigInts, floats are numbers. Of complex numbers, which are two elements each, nothing is computed here.
export const DTYPES = {
  bool: { kind: "bool", Bits: Uint8Array, size: 1, lanes: 1, decode: (each) => each !== 0, encode: Number },
  int8: whole(Int8Array, 8, true),
  int16: whole(Int16Array, 16, true),
  int32: whole(Int32Array, 32, true),
  int64: whole(BigInt64Array, 64, true),
  uint8: whole(Uint8Array, 8, false),
  uint16: whole(Uint16Array, 16, false),
  uint32: whole(Uint32Array, 32, false),
  uint64: whole(BigUint64Array, 64, false),
  float8_e4m3fn: float(Uint8Array, viaFloat32(small(4, 3, true))),
  float8_e5m2: float(Uint8Array, viaFloat32(small(5, 2))),
  float16: float(Uint16Array, small(5, 10)),
  bfloat16: float(Uint16Array, viaFloat32(small(8, 7))),
  float32: float(Float32Array, asIs),
  float64: float(Float64Array, asIs),
  complex64: { kind: "complex", Bits: Float32Array, size: 8, lanes: 2, ...asIs },
  complex128: { kind: "complex", Bits: Float64Array, size: 16, lanes: 2, ...asIs },
};

// An array: a dtype, a shape of numbers, and a typed array of its elements, row-major.
export class NDArray {
  constructor(dtype, shape, bits) {
    Object.assign(this, { dtype, shape, bits, form: DTYPES[dtype] });
  }

  static zeros(dtype, shape) {
    const { Bits, lanes } = DTYPES[dtype];
    return new NDArray(dtype, shape, new Bits(shape.reduce((a, b) => a * b, 1) * lanes));
  }

  // Over the bytes of a file, which are little-endian, as typed arrays are on every machine that Node runs on.
  static from(dtype, shape, bytes) {
    const copy = Uint8Array.from(bytes).buffer;
    return new NDArray(dtype, shape, new DTYPES[dtype].Bits(copy));
  }

  static of(dtype, value) {
    const array = NDArray.zeros(dtype, []);
    array.set(0, value);
    return array;
  }

  get bytes() {
    return new Uint8Array(this.bits.buffer);
  }

  get size() {
    return this.bits.length / this.form.lanes;
  }

  get(place) {
    return this.form.decode(this.bits[place]);
  }

  set(place, value) {
    this.bits[place] = this.form.encode(value);
  }

  // Takes an element of another array of the same dtype, bit by bit.
  copy(place, other, from) {
    const { lanes } = this.form;
    for (let lane = 0; lane < lanes; lane++) this.bits[place * lanes + lane] = other.bits[from * lanes + lane];
  }
}
