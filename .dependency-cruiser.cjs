/** Each folder of src may import only what ARCHITECTURE.md says. */
const only = (from, allowed) => ({
  name: `${from}-stays-in-its-place`,
  comment: `src/${from} imports only: ${[from, ...allowed].join(", ")}`,
  severity: "error",
  from: { path: `^src/${from}/` },
  to: { path: "^src/", pathNot: [from, ...allowed].map((d) => `^src/${d}/`) },
});
module.exports = {
  forbidden: [
    only("core", []),
    only("lib", []),
    only("ports", ["core"]),
    only("ingest", ["core", "ports", "lib", "privacy"]),
    only("privacy", ["core", "ports", "lib"]),
    only("log", ["core", "ports", "lib"]),
    only("access", ["core", "ports", "lib"]),
    only("query", ["core", "ports", "lib", "privacy", "log", "access"]),
    only("collect", ["core", "ports", "lib", "query"]),
    only("indexing", ["core", "ports", "lib", "privacy", "query"]),
    only("adapters", ["core", "ports", "lib"]),
    only("servers", ["core", "collect", "query", "access", "ports", "gen", "lib"]),
    only("witness", ["core", "ports", "lib", "adapters/(files|witness-memory)"]),
    only("gen", []),
    only("sdk", ["core", "gen", "lib"]),
    only("demo", ["core", "gen", "lib"]),
    {
      name: "cli-stays-in-its-place",
      comment: "a command uses what anybody may use: the SDK, core, lib, and the witness program it starts",
      severity: "error",
      from: { path: "^src/cli/", pathNot: "^src/cli/operator/" },
      to: { path: "^src/", pathNot: "^src/(cli|sdk|core|lib|witness)/" },
    },
    {
      name: "operator-commands-open-by-root",
      comment:
        "commands of the operator, in src/cli/operator, reach stores through open-store.ts and settings through config.ts, and never an adapter",
      severity: "error",
      from: { path: "^src/cli/operator/" },
      to: {
        path: "^src/",
        pathNot: "^src/((cli|sdk|core|lib|log|ports)/|(open-store|load-config|config).ts$)",
      },
    },
    {
      name: "core-has-no-io",
      comment: "core is pure: no node:, no clock, no randomness, no crypto; it runs in a browser",
      severity: "error",
      from: { path: "^src/(core|ports)/" },
      to: {
        dependencyTypes: ["core", "npm"],
        pathNot: "/(zod|canonicalize|rfc6902|ipaddr.js|ajv|ajv-formats)/",
      },
    },
    {
      name: "adapters-are-strangers",
      comment: "an adapter never imports another adapter",
      severity: "error",
      from: { path: "^src/adapters/([^/]+)/" },
      to: { path: "^src/adapters/", pathNot: "^src/adapters/$1/" },
    },
    {
      name: "one-composition-root",
      comment: "nothing imports app.ts but main.ts",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/main.ts$" },
      to: { path: "^src/app.ts$" },
    },
    {
      name: "stores-are-opened-by-the-root",
      comment:
        "nothing imports open-store.ts but app.ts, the threads of the log and of a check, and commands of the operator",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/((app|log-thread|check-thread).ts$|cli/operator/)" },
      to: { path: "^src/open-store.ts$" },
    },
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
  },
};
