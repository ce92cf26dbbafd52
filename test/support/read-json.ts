/** A JSON reader that shares nothing with the service's or V8's: RFC 8259 text becomes one normal text, equal for equal values. Exact in every digit, and no name may be there twice. */

type Reader = { readonly text: string; at: number };

/** Members in order of their names, strings by their units, numbers by their exact decimal value. Throws a SyntaxError for what is no JSON. */
export function normalJson(text: string): string {
  const reader = { text, at: text.startsWith("\ufeff") ? 1 : 0 };
  const value = readValue(reader);
  space(reader);
  if (reader.at !== text.length) fail(reader);
  return value;
}

/** The normal text of the member at the path. Only for texts of nested objects. */
export function normalMember(text: string, path: readonly string[]): string | undefined {
  let members: ReadonlyMap<string, string> | undefined;
  let inner: string | undefined = normalJson(text);
  for (const name of path) {
    if (inner === undefined || !inner.startsWith("{")) return undefined;
    members = new Map(readMembers({ text: inner, at: 0 }));
    inner = members.get(name);
  }
  return inner;
}

const fail = ({ at }: Reader): never => {
  throw new SyntaxError(`no JSON at ${at}`);
};

function space(reader: Reader): void {
  const { text } = reader;
  for (;;) {
    const character = text[reader.at];
    if (character !== " " && character !== "\n" && character !== "\r" && character !== "\t") return;
    reader.at++;
  }
}

function taken(reader: Reader, token: string): boolean {
  space(reader);
  const found = reader.text.startsWith(token, reader.at);
  if (found) reader.at += token.length;
  return found;
}

function readValue(reader: Reader): string {
  space(reader);
  switch (reader.text[reader.at]) {
    case "t":
      return readWord(reader, "true");
    case "f":
      return readWord(reader, "false");
    case "n":
      return readWord(reader, "null");
    case "{":
      return objectText(readMembers(reader));
    case "[":
      return readList(reader);
    case '"':
      return JSON.stringify(readString(reader));
    default:
      return readNumber(reader);
  }
}

const readWord = (reader: Reader, word: string): string => (taken(reader, word) ? word : fail(reader));

/** The canonical text's `{"\0n": text}` stands for a number. */
function objectText(members: readonly (readonly [name: string, value: string])[]): string {
  const [first] = members;
  if (members.length === 1 && first?.[0] === "\u0000n") return decimal(first[1].slice(1, -1));
  const sorted = members.toSorted(([a], [b]) => (a < b ? -1 : 1));
  if (sorted.some(([name], i) => name === sorted[i + 1]?.[0])) throw new SyntaxError("a name is there twice");
  return `{${sorted.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join()}}`;
}

function readMembers(reader: Reader): (readonly [string, string])[] {
  const members: (readonly [string, string])[] = [];
  if (!taken(reader, "{")) fail(reader);
  if (taken(reader, "}")) return members;
  do {
    space(reader);
    const name = readString(reader);
    if (!taken(reader, ":")) fail(reader);
    members.push([name, readValue(reader)]);
  } while (taken(reader, ","));
  if (!taken(reader, "}")) fail(reader);
  return members;
}

function readList(reader: Reader): string {
  const items: string[] = [];
  reader.at++;
  if (taken(reader, "]")) return "[]";
  do items.push(readValue(reader));
  while (taken(reader, ","));
  if (!taken(reader, "]")) fail(reader);
  return `[${items.join()}]`;
}

const escapes = new Map([...'"\\/bfnrt'].map((letter, i) => [letter, '"\\/\b\f\n\r\t'[i] ?? ""]));

const plainForm = /[[\P{Cc}\x7f-\x9f]--["\\]]*/vy;

function readString(reader: Reader): string {
  const { text } = reader;
  if (text[reader.at] !== '"') fail(reader);
  reader.at++;
  for (let read = ""; ; ) {
    plainForm.lastIndex = reader.at;
    read += plainForm.exec(text)?.[0] ?? "";
    reader.at = plainForm.lastIndex;
    const end = text[reader.at];
    if (end !== '"' && end !== "\\") fail(reader);
    if (end === "\\") read += readEscape(reader);
    reader.at++;
    if (end === '"') return read;
  }
}

function readEscape(reader: Reader): string {
  const letter = reader.text[++reader.at] ?? "";
  if (letter !== "u") return escapes.get(letter) ?? fail(reader);
  const digits = reader.text.slice(reader.at + 1, reader.at + 5);
  if (!/^[0-9a-fA-F]{4}$/.test(digits)) fail(reader);
  reader.at += 4;
  return String.fromCharCode(Number.parseInt(digits, 16));
}

const numberForm = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

/** In a normal text a number is written `#` and its decimal: reading that again gives the same. */
function readNumber(reader: Reader): string {
  const { text, at } = reader;
  if (text[at] === "#") {
    const end = text.slice(at).search(/[,\]}]|$/) + at;
    reader.at = end;
    return text.slice(at, end);
  }
  numberForm.lastIndex = at;
  const [number] = numberForm.exec(text) ?? fail(reader);
  reader.at += number.length;
  return decimal(number);
}

function decimal(text: string): string {
  const parts = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text);
  const [, sign = "", whole = "", fraction = "", exponent = "0"] = parts ?? [];
  const digits = (whole + fraction).replace(/^0+/, "");
  const significant = digits.replace(/0+$/, "");
  if (significant === "") return "#0";
  const power = BigInt(exponent) + BigInt(digits.length - significant.length - fraction.length);
  return `#${sign}${significant}e${power}`;
}
