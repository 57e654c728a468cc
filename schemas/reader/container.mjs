// The file around the header: magic, version, checksum, pads and segments.

import { createHash } from "node:crypto";

import { MAX, atMost, isInt } from "./kinds.mjs";
import { Values, refuse, settle } from "./wire.mjs";

const VERSION = 1;
const CHECKSUM_BYTES = 32;
const START_BYTES = 5 + 8 + 9; // the most that the array's header and the first two items take

export const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest();

// The array's header at the start of a file: how many items, and where the first is.
function readStart(bytes) {
  const [first] = bytes;
  if (first === undefined) refuse("truncated", "the file is empty", "byte 0");
  if (first >= 0x90 && first <= 0x9f) return [first & 15, 1];
  const width = { 0xdc: 2, 0xdd: 4 }[first];
  if (!width) refuse("not-rax", "the file is not a rax file", "byte 0");
  if (bytes.length < 1 + width) refuse("truncated", "the file ends in its first bytes", `byte ${bytes.length}`);
  return [Buffer.from(bytes.subarray(1, 1 + width)).readUIntBE(0, width), 1 + width];
}

// One of the first two values; undefined if there is none that a rax file could have.
function startValue(values, bytes) {
  try {
    return values.next();
  } catch (error) {
    if (error.code === "truncated" && bytes.length < START_BYTES) throw error;
    return undefined;
  }
}

// Reads a file up to its segments: the header, how many items the file has, and where the first pad is due.
export function readContainer(bytes) {
  const [items, offset] = readStart(bytes);
  const values = new Values(bytes, offset);
  const magic = startValue(values, bytes);
  const version = magic === "rax" ? startValue(values, bytes) : undefined;
  if (!isInt(version) || version < 1) refuse("not-rax", "the file is not a rax file", "byte 0");
  if (version > VERSION) {
    refuse("newer-version", `the file has format version ${version}; this reader knows ${VERSION}`, `byte ${values.position}`);
  }
  const start = values.position;
  const raw = values.next();
  const end = values.position;
  atMost(end - start, MAX.headerBytes, "bytes of the header", "header");
  const position = end + 2 + CHECKSUM_BYTES;
  if (bytes.length < position) refuse("truncated", "the file ends inside its checksum", `byte ${bytes.length}`);
  const due = Buffer.concat([Buffer.from([0xc4, CHECKSUM_BYTES]), sha256(bytes.subarray(0, end))]);
  if (!due.equals(bytes.subarray(end, position))) refuse("checksum", "the header differs from its checksum", `byte ${end}`);
  if (values.problem) throw values.problem;
  return { header: settle(raw), items, position };
}

function binHeader(count) {
  if (count < 2 ** 8) return Buffer.from([0xc4, count]);
  const wide = count >= 2 ** 16;
  const header = Buffer.alloc(wide ? 5 : 3, wide ? 0xc6 : 0xc5);
  header.writeUIntBE(count, 1, wide ? 4 : 2);
  return header;
}

// The pad and the bin header that put a payload on the next boundary.
function lead(position, count) {
  const own = binHeader(count);
  const zeros = (64 - ((position + 2 + own.length) % 64)) % 64;
  return Buffer.concat([Buffer.from([0xc4, zeros]), Buffer.alloc(zeros), own]);
}

// Checks that pads and segments lie where the tensors say, and nothing after them.
export function checkSegments(bytes, { items, position }, tensors) {
  const segments = tensors.flatMap(({ segments, file }) => (file === undefined ? (segments ?? []) : []));
  if (items !== 4 + 2 * segments.length) {
    refuse("bad-segment", `the file's array has ${items} items, where ${4 + 2 * segments.length} are due`, "byte 0");
  }
  for (const [offset, count] of segments) {
    const before = lead(position, count);
    if (offset !== position + before.length) {
      refuse("bad-segment", `a segment is due at byte ${position + before.length}, not ${offset}`, "tensors");
    }
    if (bytes.length < offset + count) refuse("truncated", "the file ends inside a segment", `byte ${bytes.length}`);
    if (!before.equals(bytes.subarray(position, offset))) {
      refuse("bad-segment", "the bytes before a segment are no pad and bin header", `byte ${position}`);
    }
    position = offset + count;
  }
  if (bytes.length !== position) refuse("trailing-bytes", `${bytes.length - position} bytes follow`, `byte ${position}`);
}
