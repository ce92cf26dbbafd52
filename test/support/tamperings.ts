/** Changes that somebody with the store's password could make, each to at least one byte or row that a checkpoint covers, and what a check must name for it. */
import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import { ridAt } from "../../src/adapters/sqlite/columns.ts";
import type { Finding } from "../../src/core/findings.ts";
import { objectText } from "../../src/core/findings.ts";
import type { Draw } from "./draw.ts";

/** Each of these must be named by a finding: one of its texts, or offsets of the source that overlap. */
type Named =
  | { readonly texts: readonly string[] }
  | { readonly src: string; readonly from: number; readonly to: number };
export type Tampering = { readonly what: string; readonly named: readonly Named[] };

type Row = Record<string, SQLInputValue>;
export type Tools = {
  readonly db: DatabaseSync;
  readonly draw: Draw;
  row(sql: string, ...values: readonly SQLInputValue[]): Row;
  run(sql: string, ...values: readonly SQLInputValue[]): void;
};
export type TamperKind = (tools: Tools) => Tampering;

export const toolsOf = (db: DatabaseSync, draw: Draw): Tools => ({
  db,
  draw,
  row: (sql, ...values) => {
    const found = db.prepare(sql).get(...values);
    if (found === undefined) throw new Error(`nothing to tamper with: ${sql}`);
    return found;
  },
  run: (sql, ...values) => {
    if (db.prepare(sql).run(...values).changes === 0) throw new Error(`nothing was changed: ${sql}`);
  },
});

export const pick = <T>(draw: Draw, all: readonly T[]): T => {
  const one = all[draw(all.length)];
  if (one === undefined) throw new Error("nothing to pick from");
  return one;
};
export const number = (row: Row, name: string): number => Number(row[name]);
export const bytes = (row: Row, name: string): Buffer => Buffer.from(row[name] as Uint8Array);
export const record = (position: Uint8Array): Named => ({ texts: [`record ${ridAt(position)}`] });
const index = (at: number): Named => ({ texts: [`index ${at}`] });

/** One byte that is another one afterwards. */
export function flipped(draw: Draw, before: Buffer): Buffer {
  const after = Buffer.from(before);
  const at = draw(after.length);
  after[at] = (after[at] ?? 0) ^ (1 + draw(255));
  return after;
}
/** One character that is another one of the printable ASCII afterwards. */
export function mistyped(draw: Draw, before: string): string {
  const at = draw(before.length);
  const other = String.fromCharCode(33 + ((before.charCodeAt(at) - 33 + 1 + draw(93) + 94) % 94));
  return before.slice(0, at) + other + before.slice(at + 1);
}

const anyRecord =
  "SELECT records.* FROM records JOIN log_index ON log_index.key = records.position WHERE log_index.idx % ? = ? LIMIT 1 OFFSET ?";
export function someRecord({ row, draw, db }: Tools): Row {
  const count = Number(db.prepare("SELECT count(*) AS n FROM records").get()?.["n"]);
  return row(anyRecord, 1, 0, draw(count));
}
function twoRecords(tools: Tools): readonly [Row, Row] {
  const first = someRecord(tools);
  for (;;) {
    const second = someRecord(tools);
    if (number(second, "id") !== number(first, "id")) return [first, second];
  }
}
export const setRecord = ({ run }: Tools, row: Row, column: string, value: SQLInputValue): void =>
  run(`UPDATE records SET ${column} = ? WHERE id = ?`, value, number(row, "id"));

const entryOfRecord: TamperKind = (tools) => {
  const row = someRecord(tools);
  const text = String(row["entry"]);
  const form = tools.draw(4);
  const after =
    form === 0 ? text.replace(/"ver":(\d+)/, (_, v: string) => `"ver":${Number(v) + 1}`)
    : form === 1 ? text.replace(/"at":"(\d)/, (_, d: string) => `"at":"${d === "1" ? "2" : "1"}`)
    : mistyped(tools.draw, text); // biome-ignore format: a table
  setRecord(tools, row, "entry", after);
  return { what: "entry", named: [record(bytes(row, "position"))] };
};

const bodyOfRecord: TamperKind = (tools) => {
  const { draw } = tools;
  const form = draw(6);
  if (form === 0) {
    const [a, b] = twoRecords(tools);
    setRecord(tools, a, "body", bytes(b, "body"));
    setRecord(tools, b, "body", bytes(a, "body"));
    return { what: "body", named: [record(bytes(a, "position")), record(bytes(b, "position"))] };
  }
  const row = someRecord(tools);
  const body = bytes(row, "body");
  const after =
    form === 1
      ? body.subarray(0, draw(body.length))
      : form === 2
        ? Buffer.concat([body, Buffer.of(draw(256))])
        : flipped(draw, body);
  setRecord(tools, row, "body", after);
  return { what: "body", named: [record(bytes(row, "position"))] };
};

const rowsOfRecords: TamperKind = (tools) => {
  const { draw, row, run } = tools;
  const [a, b] = twoRecords(tools).map((one) =>
    row("SELECT * FROM log_index WHERE key = ?", bytes(one, "position")),
  );
  if (a === undefined || b === undefined) throw new Error("a record without a row");
  const [i, j] = [number(a, "idx"), number(b, "idx")];
  const form = draw(6);
  if (form === 0)
    run("UPDATE log_index SET leaf_hash = ? WHERE idx = ?", flipped(draw, bytes(a, "leaf_hash")), i);
  if (form === 1) {
    const key = bytes(a, "key");
    key.writeUInt32BE(900_000 + draw(1_000), 24);
    run("UPDATE log_index SET key = ? WHERE idx = ?", key, i);
  }
  if (form === 2) run("DELETE FROM log_index WHERE idx = ?", i);
  if (form === 3) run("UPDATE log_index SET entry = ? WHERE idx = ?", mistyped(draw, '{"act":"none"}'), i);
  if (form === 4) {
    run("UPDATE log_index SET idx = -1 WHERE idx = ?", i);
    run("UPDATE log_index SET idx = ? WHERE idx = ?", i, j);
    run("UPDATE log_index SET idx = ? WHERE idx = -1", j);
  }
  if (form === 5) {
    run("UPDATE log_index SET leaf_hash = ? WHERE idx = ?", bytes(b, "leaf_hash"), i);
    run("UPDATE log_index SET leaf_hash = ? WHERE idx = ?", bytes(a, "leaf_hash"), j);
  }
  return { what: "log_index", named: form < 4 ? [index(i)] : [index(i), index(j)] };
};

/** Of coverage or control entries. */
const rowOfEntry =
  (prefix: "cov:" | "ctl:"): TamperKind =>
  ({ draw, row, run, db }) => {
    const count = Number(
      db
        .prepare("SELECT count(*) AS n FROM log_index WHERE typeof(key) = 'text' AND substr(key, 1, 4) = ?")
        .get(prefix)?.["n"],
    );
    const found = row(
      "SELECT * FROM log_index WHERE typeof(key) = 'text' AND substr(key, 1, 4) = ? ORDER BY idx LIMIT 1 OFFSET ?",
      prefix,
      draw(count),
    );
    const i = number(found, "idx");
    const form = draw(5);
    if (form === 0)
      run("UPDATE log_index SET leaf_hash = ? WHERE idx = ?", flipped(draw, bytes(found, "leaf_hash")), i);
    if (form === 1)
      run("UPDATE log_index SET key = ? WHERE idx = ?", `${String(found["key"])}${draw(10)}`, i);
    if (form === 2) run("DELETE FROM log_index WHERE idx = ?", i);
    if (form === 3) run("UPDATE log_index SET entry = NULL WHERE idx = ?", i);
    if (form === 4)
      run("UPDATE log_index SET entry = ? WHERE idx = ?", mistyped(draw, String(found["entry"])), i);
    return { what: prefix === "cov:" ? "coverage entry" : "control entry", named: [index(i)] };
  };

const tile: TamperKind = ({ draw, row, run }) => {
  const found = row("SELECT * FROM log_tiles LIMIT 1");
  const hashes = bytes(found, "hashes");
  const form = draw(8);
  if (form === 0) run("DELETE FROM log_tiles");
  else
    run(
      "UPDATE log_tiles SET hashes = ?",
      form === 1 ? hashes.subarray(0, draw(hashes.length)) : flipped(draw, hashes),
    );
  return { what: "tile", named: [{ texts: ["tile 0/0"] }] };
};

const head: TamperKind = ({ draw, row, run }) => {
  const found = row("SELECT * FROM log_head");
  const form = draw(4);
  if (form === 0) run("DELETE FROM log_head");
  else if (form === 1)
    run(
      "UPDATE log_head SET size = ?",
      Math.max(0, number(found, "size") + (draw(2) === 0 ? -1 - draw(50) : 1 + draw(50))),
    );
  else run("UPDATE log_head SET root = ?", flipped(draw, bytes(found, "root")));
  return { what: "head", named: [{ texts: ["head"] }] };
};

const checkpoint: TamperKind = ({ draw, row, run }) => {
  const name = pick(draw, ["latest", "witnessed"]);
  const found = row("SELECT * FROM log_checkpoints WHERE name = ?", name);
  const set = (column: string, value: SQLInputValue): void =>
    run(`UPDATE log_checkpoints SET ${column} = ? WHERE name = ?`, value, name);
  const form = draw(6);
  const size = number(found, "size") + (form === 1 ? 1 + draw(20) : 0);
  if (form === 0) run("DELETE FROM log_checkpoints WHERE name = ?", name);
  else if (form === 1) set("size", size);
  else if (form === 2) set("root", flipped(draw, bytes(found, "root")));
  else if (form === 3) set("signatures", number(found, "signatures") + 1 + draw(3));
  else set("note", mistyped(draw, String(found["note"])));
  return { what: "checkpoint", named: [{ texts: [`checkpoint ${name} of size ${size}`] }] };
};

const account: TamperKind = ({ draw, row, run, db }) => {
  const count = Number(db.prepare("SELECT count(*) AS n FROM accounts").get()?.["n"]);
  const found = row("SELECT * FROM accounts ORDER BY src, begin_offset LIMIT 1 OFFSET ?", draw(count));
  const src = String(found["src"]);
  const [from, to] = [number(found, "begin_offset"), number(found, "end_offset")];
  const where = [src, from] as const;
  const form = draw(3);
  const by = 1 + draw(9);
  if (form === 0) run("DELETE FROM accounts WHERE src = ? AND begin_offset = ?", ...where);
  if (form === 1)
    run(
      "UPDATE accounts SET end_offset = ? WHERE src = ? AND begin_offset = ?",
      draw(2) === 0 ? to + by : to - by,
      ...where,
    );
  if (form === 2)
    run("UPDATE accounts SET begin_offset = ? WHERE src = ? AND begin_offset = ?", from + by, ...where);
  return { what: "account", named: [{ src, from: Math.max(0, from - by), to: to + by }] };
};

const outcome: TamperKind = ({ draw, row, run, db }) => {
  const count = Number(db.prepare("SELECT count(*) AS n FROM outcomes").get()?.["n"]);
  const found = row("SELECT * FROM outcomes ORDER BY src, begin_offset LIMIT 1 OFFSET ?", draw(count));
  const src = String(found["src"]);
  const [from, to] = [number(found, "begin_offset"), number(found, "end_offset")];
  const where = [src, from] as const;
  const detail = JSON.parse(String(found["detail"]));
  const set = (column: string, value: SQLInputValue): void =>
    run(`UPDATE outcomes SET ${column} = ? WHERE src = ? AND begin_offset = ?`, value, ...where);
  const form = draw(6);
  if (form === 0) run("DELETE FROM outcomes WHERE src = ? AND begin_offset = ?", ...where);
  if (form === 1) set("end_offset", to + 1 + draw(5));
  if (form === 2) set("kind", found["kind"] === "gap" ? "rejected" : "gap");
  if (form === 3) set("begin_offset", 900_000);
  if (form === 4) set("detail", mistyped(draw, String(found["detail"]).slice(0, 20)));
  if (form === 5) {
    const committed =
      detail.kind === "gap"
        ? { cause: "retention" }
        : detail.kind === "duplicate"
          ? { original: `${src}.${from}` }
          : { commitment: `A${mistyped(draw, detail.commitment.slice(1))}` };
    if (detail.kind === "rejected" && draw(2) === 0)
      set("detail", JSON.stringify({ ...detail, rejection: { ...detail.rejection, reason: "EMPTY" } }));
    else set("detail", JSON.stringify({ ...detail, ...committed }));
  }
  return { what: "outcome row", named: [{ src, from, to }] };
};

const columns = [
  "version",
  "kind",
  "alias",
  "action",
  "recorded_at",
  "kids",
  "leaf_hash",
  "tenant",
  "event_type",
  "producer_service",
  "position",
] as const;
const column: TamperKind = (tools) => {
  const { draw } = tools;
  const row = someRecord(tools);
  const position = bytes(row, "position");
  const name = pick(draw, columns);
  const value = row[name];
  if (name === "position") {
    const moved = Buffer.from(position);
    moved.writeUInt32BE(900_000 + draw(1_000), 24);
    setRecord(tools, row, name, moved);
    return {
      what: "column position",
      named: [{ texts: [`record ${ridAt(position)}`, `record ${ridAt(moved)}`] }],
    };
  }
  if (name === "version") setRecord(tools, row, name, number(row, name) + 1_000);
  else if (name === "kind") {
    // Out of the way of the stream's other kind, which has versions of its own.
    setRecord(tools, row, "version", number(row, "version") + 1_000);
    setRecord(tools, row, name, 1 - number(row, name));
  } else if (name === "recorded_at")
    setRecord(tools, row, name, number(row, name) + (draw(2) === 0 ? 1 : -1) * (1 + draw(1_000)));
  else if (typeof value === "string") setRecord(tools, row, name, mistyped(draw, value));
  else if (draw(4) === 0)
    setRecord(tools, row, name, Buffer.concat([bytes(row, name), Buffer.of(draw(256))]));
  else setRecord(tools, row, name, flipped(draw, bytes(row, name)));
  return { what: `column ${name}`, named: [record(position)] };
};

const whole: TamperKind = (tools) => {
  const { draw, run, row } = tools;
  const form = draw(3);
  if (form === 0) {
    const one = someRecord(tools);
    run("DELETE FROM records WHERE id = ?", number(one, "id"));
    return { what: "record deleted", named: [record(bytes(one, "position"))] };
  }
  if (form === 1) {
    const one = someRecord(tools);
    const free = row(
      "SELECT src, begin_offset FROM outcomes ORDER BY src, begin_offset LIMIT 1 OFFSET ?",
      draw(5),
    );
    const position = bytes(one, "position");
    position.writeUInt32BE(Number(String(free["src"]).split(".")[1]), 16);
    position.writeUInt32BE(number(free, "begin_offset"), 24);
    const names = Object.keys(one).filter((name) => name !== "id");
    const added = {
      ...one,
      position,
      uid: flipped(draw, bytes(one, "uid")),
      stream: flipped(draw, bytes(one, "stream")),
    };
    run(
      `INSERT INTO records (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`,
      ...names.map((name) => (added as Row)[name] ?? null),
    );
    return { what: "record inserted", named: [record(position)] };
  }
  const [a, b] = twoRecords(tools);
  const [here, there] = [bytes(a, "position"), bytes(b, "position")];
  setRecord(tools, a, "position", Buffer.alloc(28, 0xff));
  setRecord(tools, b, "position", here);
  setRecord(tools, a, "position", there);
  return { what: "records swapped", named: [record(here), record(there)] };
};

export const tamperKinds: readonly TamperKind[] = [
  entryOfRecord, bodyOfRecord, rowsOfRecords, rowOfEntry("cov:"), rowOfEntry("ctl:"), tile, head, checkpoint, account, outcome, column, whole,
]; // biome-ignore format: a list

/** What the findings should have named and did not. */
export const unnamed = (tampering: Tampering, findings: readonly Finding[]): readonly Named[] =>
  tampering.named.filter((named) => {
    if ("texts" in named) return !findings.some(({ object }) => named.texts.includes(objectText(object)));
    return !findings.some(
      ({ object }) =>
        object.kind === "outcomes" &&
        object.src === named.src &&
        object.from < named.to &&
        object.to > named.from,
    );
  });
