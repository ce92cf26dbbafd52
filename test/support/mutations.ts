/** Seeded changes to what a parser takes: bits, bytes, tokens, numbers, strings, nesting, cuts, and splices of two texts. */
import { type Draw, oneOf } from "./draw.ts";

type Mutation = (bytes: Buffer, draw: Draw, other: Buffer) => Buffer;

/** Bytes that mean something to JSON, to lines or to UTF-8. */
const oddBytes = Buffer.from(
  '"\\{}[]:,-+.eE09tfn/ \n\r\t=*()<>\u0000\u001b\u007f'
    .split("")
    .map((c) => c.charCodeAt(0))
    .concat([0x80, 0xbf, 0xc0, 0xc3, 0xe2, 0xed, 0xef, 0xf4, 0xff]),
);
const oddNumbers = [
  "-0", "0", "1.0", "1E2", "01", "1.", ".5", "+1", "1e", "1e400", "-1e400", "1e-400", "5e-324", "0x10", "NaN", "-Infinity",
  "9007199254740991", "9007199254740993", "-9007199254740993", "18446744073709551616", "0.1", "0.10000000000000000001",
  "1e308", "1.7976931348623157e308", "123456789012345678901234567890", `${"9".repeat(64)}`, `1${"0".repeat(64)}`, "1e99999999999999999999",
]; // biome-ignore format: a table
const oddStrings = [
  '""', '"a"', '"\\u0000"', '"\\ud800"', '"\\udc00\\ud800"', '"\\ud83d\\ude00"', '"\\n"', '"\\\\"', '"\\""', '"\\/"', '"\\x"', '"\\u12"', "'a'", '"\u2028"',
  '"__proto__"', '"constructor"', '"toJSON"', '"then"', '"$where"', '"a.b"', '"\uffff0."', '"\\uffff0."', '"payload"', '"metadata"', '"owner_id"', '"user\\u005fid"',
  '"data"', '"data_base64"', '"1.0"', '"2024-02-30T00:00:00Z"', '"::1%eth0"', '"é"', '"😀"', `"${"x".repeat(300)}"`, `"${"\\n".repeat(50)}"`,
]; // biome-ignore format: a table

const joined = (...parts: readonly (Buffer | string)[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : part)));

type Range = { readonly start: number; readonly end: number };
const tokenForm = /"(?:[^"\\]|\\.)*"|[\w+/=.-]+|[^\w\s]/gs;
const numberForm = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const stringForm = /"(?:[^"\\]|\\.)*"/gs;

/** One of the places where the form fits; the whole where none does. */
function place(bytes: Buffer, draw: Draw, form: RegExp): Range {
  const found = [...bytes.toString("latin1").matchAll(form)];
  if (found.length === 0) return { start: 0, end: bytes.length };
  const match = oneOf(draw, found);
  return { start: match.index, end: match.index + match[0].length };
}

const put = (bytes: Buffer, { start, end }: Range, text: Buffer | string): Buffer =>
  joined(bytes.subarray(0, start), text, bytes.subarray(end));
const at = (start: number): Range => ({ start, end: start });
const token = (bytes: Buffer, draw: Draw): Buffer => {
  const { start, end } = place(bytes, draw, tokenForm);
  return bytes.subarray(start, end);
};

function flip(bytes: Buffer, draw: Draw): Buffer {
  const changed = Buffer.from(bytes);
  const where = draw(bytes.length);
  changed[where] = (changed[where] ?? 0) ^ (1 << draw(8));
  return changed;
}

function insert(bytes: Buffer, draw: Draw): Buffer {
  const put1 = Buffer.from(Array.from({ length: 1 + draw(4) }, () => oneOf(draw, [...oddBytes])));
  return put(bytes, at(draw(bytes.length + 1)), put1);
}

function remove(bytes: Buffer, draw: Draw): Buffer {
  const start = draw(bytes.length);
  return put(bytes, { start, end: start + 1 + draw(8) }, "");
}

/** Brackets around a value, most often as many behind as before. */
function nest(bytes: Buffer, draw: Draw): Buffer {
  const { start, end } = place(bytes, draw, tokenForm);
  const depth = 1 + draw(40);
  const [open, close] = oneOf(draw, [
    ["[", "]"],
    ['{"a":', "}"],
    ["(", ")"],
  ] as const);
  const closed = draw(8) === 0 ? draw(depth) : depth;
  const inner = bytes.subarray(start, end);
  return put(bytes, { start, end }, joined(open.repeat(depth), inner, close.repeat(closed)));
}

/** A piece of it once more, up to the whole. */
function repeat(bytes: Buffer, draw: Draw): Buffer {
  const start = draw(bytes.length);
  const piece = bytes.subarray(start, start + 1 + draw(bytes.length - start));
  return put(bytes, at(start), piece);
}

const mutations: readonly Mutation[] = [
  flip,
  (bytes, draw) => put(bytes, at(draw(bytes.length)), Buffer.of(draw(256))),
  insert,
  remove,
  (bytes, draw) => bytes.subarray(0, draw(bytes.length)),
  (bytes, draw) => put(bytes, at(place(bytes, draw, tokenForm).start), token(bytes, draw)),
  (bytes, draw) => put(bytes, place(bytes, draw, tokenForm), token(bytes, draw)),
  (bytes, draw) => put(bytes, place(bytes, draw, numberForm), oneOf(draw, oddNumbers)),
  (bytes, draw) => put(bytes, place(bytes, draw, stringForm), oneOf(draw, oddStrings)),
  (bytes, draw) => put(bytes, place(bytes, draw, stringForm), oneOf(draw, oddNumbers)),
  nest,
  repeat,
  (bytes, draw, other) => joined(bytes.subarray(0, draw(bytes.length)), other.subarray(draw(other.length))),
  (bytes, draw, other) => put(bytes, place(bytes, draw, tokenForm), token(other, draw)),
];

/** One to three changes; `other` lends pieces. */
export function mutated(valid: Uint8Array, other: Uint8Array, draw: Draw): Buffer {
  let bytes = Buffer.from(valid);
  for (let left = oneOf(draw, [1, 1, 1, 2, 3]); left > 0 && bytes.length > 0; left--)
    bytes = Buffer.from(oneOf(draw, mutations)(bytes, draw, Buffer.from(other)));
  return bytes;
}
