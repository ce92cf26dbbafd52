import {
  create,
  type DescField,
  type DescMessage,
  type Message,
  ScalarType,
  toBinary,
} from "@bufbuild/protobuf";
import { AnySchema, StringValueSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "@jest/globals";
import { HistoryService } from "../../../src/gen/lastro/v1/history_pb.ts";
import { OperationsService } from "../../../src/gen/lastro/v1/operations_pb.ts";
import { OwnershipService } from "../../../src/gen/lastro/v1/ownership_pb.ts";
import { TransparencyService } from "../../../src/gen/lastro/v1/transparency_pb.ts";
import { encode } from "../../../src/servers/grpc/encode.ts";
import { type Draw, drawFrom, oneOf } from "../../support/draw.ts";
import { seed } from "../../support/fuzz.ts";

const answers = [HistoryService, OwnershipService, TransparencyService, OperationsService].flatMap(
  ({ methods }) => methods.map(({ output }): DescMessage => output),
);
const drawnOfEach = 20;

const lengths = [0, 1, 41, 42, 43, 126, 127, 128, 129, 2_000, 16_384];
const characters = ["a", "é", "中", "😀", "\0", "\ud800"];
const integers = [0n, 1n, -1n, 127n, 128n, 300n, 2n ** 31n - 1n, -(2n ** 31n)];
const longs = [...integers, 2n ** 31n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n)];

function drawScalar(draw: Draw, type: ScalarType): unknown {
  switch (type) {
    case ScalarType.STRING:
      return oneOf(draw, characters).repeat(oneOf(draw, lengths));
    case ScalarType.BYTES:
      return Uint8Array.from({ length: oneOf(draw, lengths) }, () => draw(256));
    case ScalarType.BOOL:
      return draw(2) === 1;
    case ScalarType.INT32:
      return Number(oneOf(draw, integers));
    case ScalarType.INT64:
      return oneOf(draw, longs);
    default:
      throw new Error(`nothing draws a ${ScalarType[type]}`);
  }
}

function drawValue(draw: Draw, field: DescField): unknown {
  if (field.fieldKind === "map") throw new Error("nothing draws a map");
  if (field.message !== undefined) return drawMessage(draw, field.message);
  if (field.enum !== undefined) return oneOf(draw, field.enum.values).number;
  return drawScalar(draw, field.scalar as ScalarType);
}

/** A third of the fields are left out. */
function drawMessage(draw: Draw, type: DescMessage): Message {
  const members: Record<string, unknown> = {};
  for (const field of type.fields) {
    if (draw(3) === 0) continue;
    const value =
      field.fieldKind === "list"
        ? Array.from({ length: draw(4) }, () => drawValue(draw, field))
        : drawValue(draw, field);
    if (field.oneof === undefined) members[field.localName] = value;
    else members[field.oneof.localName] = { case: field.localName, value };
  }
  return create(type, members as never);
}

describe("an answer in bytes", () => {
  test.each(answers)("$name is what the library would write", (type) => {
    const draw = drawFrom(seed);
    for (let drawn = 0; drawn < drawnOfEach; drawn++) {
      const message = drawMessage(draw, type);
      if (encode(type, message).equals(toBinary(type, message))) continue;
      throw new Error(`LASTRO_TEST_SEED=${seed}: message ${drawn} is written otherwise`);
    }
  });

  test("is right above the size of the buffer that is kept, and after it", () => {
    const message = create(AnySchema, { typeUrl: "x", value: new Uint8Array(3_000_000).fill(7) });
    expect(encode(AnySchema, message).equals(toBinary(AnySchema, message))).toBe(true);
    const small = create(StringValueSchema, { value: "é" });
    expect(encode(StringValueSchema, small)).toEqual(Buffer.from(toBinary(StringValueSchema, small)));
  });

  test("is not touched by the answers after it", () => {
    const [first, second] = ["first", "other"].map((value) => create(StringValueSchema, { value }));
    const bytes = encode(StringValueSchema, first as Message);
    const before = Buffer.from(bytes);
    encode(StringValueSchema, second as Message);
    expect(bytes).toEqual(before);
  });
});
