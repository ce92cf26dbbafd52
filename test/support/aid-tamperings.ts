/** Changes to what helps to find records and no checkpoint covers: columns beside the sealed body, and the words of the search index. */
import {
  bytes,
  flipped,
  mistyped,
  number,
  pick,
  record,
  setRecord,
  someRecord,
  type TamperKind,
  type Tools,
} from "./tamperings.ts";

const aids = [
  "namespace",
  "entity_type",
  "entity_id",
  "trace_id",
  "owner_id",
  "ownership_id",
  "action_at",
  "aside",
  "stream",
  "uid",
  "fingerprint",
  "ownership",
  "is_active",
] as const;
/** Search aids, which no checkpoint covers. */
export const projection: TamperKind = (tools) => {
  const { draw } = tools;
  const row = someRecord(tools);
  const name = pick(draw, aids);
  if (name === "is_active") setRecord(tools, row, name, 1 - number(row, name));
  else if (name === "action_at") setRecord(tools, row, name, number(row, name) + 1 + draw(1_000));
  else if (name === "aside") {
    const aside = JSON.parse(String(row["aside"]));
    const other = pick(draw, [
      { severity: "CRITICAL" },
      { candidateIds: ["another"] },
      { role: "another" },
      { type: aside.type === "user" ? "service" : "user" },
      { indexed: { "/payload/id": "1" } },
    ]);
    setRecord(tools, row, name, JSON.stringify({ ...aside, ...other }));
  } else if (typeof row[name] === "string") setRecord(tools, row, name, mistyped(draw, String(row[name])));
  else setRecord(tools, row, name, flipped(draw, bytes(row, name)));
  return { what: `aid ${name}`, named: [record(bytes(row, "position"))] };
};

/** The words that a record is found by, which the log does not cover either. */
export const searchIndex: TamperKind = ({ draw, row, run }) => {
  const text = row("SELECT record, terms FROM texts ORDER BY record LIMIT 1 OFFSET ?", draw(texts(row)));
  const [id, terms] = [number(text, "record"), String(text["terms"]).split(" ")];
  const { position } = row("SELECT position FROM records WHERE id = ?", id);
  const ways: Readonly<Record<string, () => void>> = {
    "text gone": () => run("DELETE FROM texts WHERE record = ?", id),
    "term gone": () => run("DELETE FROM terms WHERE record = ? AND term = ?", id, pick(draw, terms)),
    "terms emptied": () => run("UPDATE texts SET terms = '' WHERE record = ?", id),
    "another term": () => {
      run("UPDATE texts SET terms = terms || ' another' WHERE record = ?", id);
      run(
        "INSERT INTO terms (term, recorded_at, record) SELECT 'another', recorded_at, id FROM records WHERE id = ?",
        id,
      );
    },
  };
  const what = pick(draw, Object.keys(ways));
  ways[what]?.();
  return { what, named: [record(position as Uint8Array)] };
};
const texts = (row: Tools["row"]): number => number(row("SELECT count(*) AS n FROM texts"), "n");
