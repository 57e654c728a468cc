// MessagePack to values that keep apart what FORMAT.md keeps apart.
//
// The package is @msgpack/msgpack: it has no dependency of its own, reads 64-bit ints as BigInt, and reads values one
// after another, so that a header is read without the segments after it. What it lets pass, a float that looks like an
// int, a str that is no UTF-8, a key twice, is caught in the methods it reads with; so its version is pinned to patches.
//
// nil, bool: null, boolean.  int: a number, or a BigInt where a number would not be exact.  float: a Float.  str: a
// string.  bin: a Uint8Array.  array: an Array.  map: a Map.  An extension: an Extension, which stands nowhere.

import { Decoder } from "@msgpack/msgpack";

export class FormatError extends Error {
  constructor(code, what, where = "") {
    super(`[${code}] ${what}${where && `\n  ${where}`}`);
    Object.assign(this, { code, what, where });
  }
}

export function refuse(code, what, where) {
  throw new FormatError(code, what, where);
}

const tooDeep = () => refuse("bad-msgpack", "the header nests too deep", "header");

export class Float {
  constructor(value) {
    this.value = value;
  }
}

export class Extension {}

const MAX_NESTING = 1024;
const TEXT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

class StrictDecoder extends Decoder {
  // The first thing that is wrong though the bytes can be passed over: reported once the checksum is known to be good.
  problem = null;
  #keys = 0;

  constructor() {
    // Each key becomes another one, so that none replaces an earlier one of the same name; `settle` takes that back.
    super({ useBigInt64: true, keyDecoder: null, mapKeyConverter: (key) => this.#key(key) });
  }

  get position() {
    return this.pos;
  }

  // Ready to give the values that start at `offset`.
  from(bytes, offset) {
    this.start = offset;
    return this.decodeMulti(bytes.subarray(offset));
  }

  #key(key) {
    if (typeof key === "string") return key;
    if (key instanceof Uint8Array) return `${this.#keys++} bin ${Buffer.from(key).toString("hex")}`;
    this.note("bad-msgpack", "a key of a map is neither str nor bin");
    return `${this.#keys++} bin `;
  }

  note(code, what) {
    this.problem ??= new FormatError(code, what, "header");
  }

  pushArrayState(size) {
    this.#enter(size);
    super.pushArrayState(size);
  }

  pushMapState(size) {
    this.#enter(2 * size);
    super.pushMapState(size);
  }

  // An item has a byte at least: what is longer than the file is refused before anything is made for it.
  #enter(items) {
    if (!this.hasRemaining(items)) throw new RangeError("Insufficient data");
    if (this.stack.length >= MAX_NESTING) tooDeep();
  }

  decodeUtf8String(byteLength, headerOffset) {
    const isKey = this.stateIsMapKey();
    const bytes = this.decodeBinary(byteLength, headerOffset);
    let text = "";
    try {
      text = TEXT.decode(bytes);
    } catch {
      this.note("bad-msgpack", "a str is not UTF-8");
    }
    return isKey ? `${this.#keys++} str ${text}` : text;
  }

  decodeExtension(size, headerOffset) {
    this.decodeBinary(size, headerOffset + 1);
    return new Extension();
  }

  readF32() {
    return new Float(super.readF32());
  }

  readF64() {
    return new Float(super.readF64());
  }

  readU64AsBigInt() {
    return narrow(super.readU64AsBigInt());
  }

  readI64AsBigInt() {
    return narrow(super.readI64AsBigInt());
  }
}

for (const name of Object.getOwnPropertyNames(StrictDecoder.prototype)) {
  if (!["constructor", "position", "from", "note"].includes(name) && !(name in Decoder.prototype)) {
    throw new Error(`@msgpack/msgpack no longer has ${name}, which this reader builds on`);
  }
}

function narrow(value) {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

// Reads values one after another. `next` gives the value at the position; `problem` is what is wrong with those read.
export class Values {
  #decoder = new StrictDecoder();
  #values;

  constructor(bytes, offset) {
    this.offset = offset;
    this.#values = this.#decoder.from(bytes, offset);
  }

  get position() {
    return this.offset + this.#decoder.position;
  }

  get problem() {
    return this.#decoder.problem;
  }

  // The next value, as it was decoded: `settle` makes its maps Maps.
  next() {
    try {
      const { value, done } = this.#values.next();
      return done ? refuse("truncated", "the file ends too early", `byte ${this.position}`) : value;
    } catch (error) {
      if (error instanceof FormatError) throw error;
      if (error instanceof RangeError) refuse("truncated", "the file ends too early", `byte ${this.position}`);
      return refuse("bad-msgpack", `no MessagePack: ${error.message}`, `byte ${this.position}`);
    }
  }
}

// A decoded value with Maps for its maps, a key in which comes once.
export function settle(value, level = 1) {
  if (level > MAX_NESTING && (Array.isArray(value) || value?.constructor === Object)) tooDeep(); // an empty one
  if (Array.isArray(value)) return value.map((item) => settle(item, level + 1));
  if (value === null || typeof value !== "object" || Object.getPrototypeOf(value) !== Object.prototype) return value;
  const map = new Map();
  const seen = new Set();
  for (const [key, item] of Object.entries(value)) {
    const [, kind, name] = /^\d+ (str|bin) ([^]*)$/.exec(key);
    if (seen.has(kind + name)) refuse("duplicate-key", `the key ${JSON.stringify(name)} comes twice in a map`, "header");
    seen.add(kind + name);
    map.set(kind === "str" ? name : Uint8Array.from(Buffer.from(name, "hex")), settle(item, level + 1));
  }
  return map;
}
