/** Fuzz target: the attributes of a CloudEvent in headers of HTTP, percent-encoded by whoever sends them. */
import fc from "fast-check";
import { kafkaHeaders } from "../../src/servers/rest/event-headers.ts";
import { codecTests } from "../support/codec-tests.ts";
import { type Codec, orRefused } from "../support/codecs.ts";

const name = "ce-id";
/** As Node gives what comes in. */
const received = (text: string): string => Buffer.from(text).toString("latin1");

const attributes: Codec<string> = {
  name: "attributes in ce- headers",
  values: fc.string({ unit: "grapheme" }),
  texts: ["pedido%2017/ç", '"pedido 17/\\"%C3%A7\\""', "a%2520b"],
  parse: (text) => orRefused(name, () => kafkaHeaders({ [name]: received(text) })["ce_id"]),
  format: (text) =>
    text.replaceAll(/[^!#$&-~]/gu, (character) =>
      [...Buffer.from(character)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join(""),
    ),
  again: "another",
};

codecTests(attributes);
