/** Answers as protobuf bytes, the same as the library's `toBinary` gives. That begins each with a small buffer and doubles it until the message fits; here one buffer is kept. */
import { type DescField, type DescMessage, type Message, ScalarType } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import { LastroError } from "../../core/errors.ts";

const keptBytes = 256 * 1024;
const varintBytesMax = 10;
const utf8BytesMax = 3;
/** A longer text may have a length of more than one byte. */
const shortTextMax = Math.floor(0x7f / utf8BytesMax);

type Members = Readonly<Record<string, unknown>>;
type Put<Value> = (value: Value) => void;

const kept = Buffer.allocUnsafeSlow(keptBytes);
// Filled and copied within one call: nothing waits between the two.
let [buffer, end] = [kept, 0];

export function encode(type: DescMessage, message: Message): Buffer {
  [buffer, end] = [kept, 0];
  membersOf(type)(message as unknown as Members);
  const bytes = Buffer.from(buffer.subarray(0, end));
  buffer = kept;
  return bytes;
}

function reserve(bytes: number): void {
  if (end + bytes <= buffer.length) return;
  const larger = Buffer.allocUnsafeSlow(2 * (end + bytes));
  buffer.copy(larger, 0, 0, end);
  buffer = larger;
}

function putVarint(value: number): void {
  reserve(varintBytesMax);
  let rest = value;
  for (; rest > 0x7fff_ffff; rest = Math.floor(rest / 0x80)) buffer[end++] = (rest % 0x80) | 0x80;
  for (; rest > 0x7f; rest >>>= 7) buffer[end++] = (rest & 0x7f) | 0x80;
  buffer[end++] = rest;
}

/** A negative one as 64 bits, in two's complement. */
function putInteger(value: number | bigint): void {
  if (value >= 0 && value <= Number.MAX_SAFE_INTEGER) {
    putVarint(Number(value));
    return;
  }
  reserve(varintBytesMax);
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 0x7fn; rest >>= 7n) buffer[end++] = Number(rest & 0x7fn) | 0x80;
  buffer[end++] = Number(rest);
}

function putText(value: string): void {
  reserve(varintBytesMax + utf8BytesMax * value.length);
  if (value.length > shortTextMax) {
    putVarint(Buffer.byteLength(value));
    end += buffer.write(value, end);
    return;
  }
  const bytes = buffer.write(value, end + 1);
  buffer[end] = bytes;
  end += 1 + bytes;
}

function putBytes(value: Uint8Array): void {
  putVarint(value.length);
  reserve(value.length);
  buffer.set(value, end);
  end += value.length;
}

/** The length stands before the message and is known after it: where it takes more than a byte, the message moves. */
function putMessage(put: Put<Members>, message: Members): void {
  reserve(varintBytesMax);
  const lengthAt = end++;
  put(message);
  const length = end - lengthAt - 1;
  if (length > 0x7f) {
    const lengthBytes = Math.ceil((32 - Math.clz32(length)) / 7);
    reserve(lengthBytes);
    buffer.copyWithin(lengthAt + lengthBytes, lengthAt + 1, end);
  }
  end = lengthAt;
  putVarint(length);
  end += length;
}

const knownTypes = new Map<DescMessage, Put<Members>>();

function membersOf(type: DescMessage): Put<Members> {
  const known = knownTypes.get(type);
  if (known !== undefined) return known;
  const fields: Put<Members>[] = [];
  const put: Put<Members> = (message) => {
    for (const putField of fields) putField(message);
  };
  knownTypes.set(type, put);
  fields.push(...type.fields.toSorted((a, b) => a.number - b.number).map(fieldOf));
  return put;
}

function fieldOf(field: DescField): Put<Members> {
  const { localName: name, number, oneof } = field;
  const { wireType, put, isLeftOut } = writingOf(field);
  const tagOf = (type: number): number => (number << 3) | type;
  const tag = tagOf(wireType);
  const putTagged: Put<never> = (value) => {
    putVarint(tag);
    put(value);
  };
  if (field.fieldKind === "list") {
    if (!field.packed) return ({ [name]: items }) => (items as never[]).forEach(putTagged);
    return ({ [name]: items }) => {
      if ((items as never[]).length === 0) return;
      putVarint(tagOf(lengthDelimited));
      putMessage(() => (items as never[]).forEach(put), {});
    };
  }
  if (oneof !== undefined)
    return ({ [oneof.localName]: chosen }) => {
      const { case: chosenName, value } = chosen as { readonly case?: string; readonly value: never };
      if (chosenName === name) putTagged(value);
    };
  const hasDefault = field.presence === FeatureSet_FieldPresence.IMPLICIT;
  return ({ [name]: value }) => {
    if (hasDefault ? !isLeftOut(value) : value !== undefined) putTagged(value as never);
  };
}

const [varint, lengthDelimited] = [0, 2];

type Writing = {
  readonly wireType: number;
  readonly put: Put<never>;
  /** Whether a field without presence is left out for being this. */
  readonly isLeftOut: (value: unknown) => boolean;
};
const integer: Writing = { wireType: varint, put: putInteger, isLeftOut: (value) => Number(value) === 0 };
const text: Writing = { wireType: lengthDelimited, put: putText, isLeftOut: (value) => value === "" };
const scalars: Partial<Record<ScalarType, Writing>> = {
  [ScalarType.STRING]: text,
  [ScalarType.BYTES]: { ...text, put: putBytes, isLeftOut: (value) => (value as Uint8Array).length === 0 },
  [ScalarType.BOOL]: { ...integer, put: (value) => putVarint(value ? 1 : 0) },
  [ScalarType.INT32]: integer,
  [ScalarType.INT64]: integer,
};

function writingOf(field: DescField): Writing {
  if (field.fieldKind !== "map") {
    if (field.message !== undefined) {
      const put = membersOf(field.message);
      return { ...text, put: (message) => putMessage(put, message) };
    }
    const known = field.enum === undefined ? scalars[field.scalar] : integer;
    if (known !== undefined) return known;
  }
  throw new LastroError("INTERNAL", `there is no way yet to write ${field.toString()}`);
}
