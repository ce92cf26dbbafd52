/** The verifier as a web page has it: bundled for browsers, served on loopback, run in a real Chromium. */
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { type Page, chromium as playwright } from "playwright-core";
import { chromium } from "./servers.ts";

/** The module as one script that puts its exports under the global `lastro`. Rejects when it imports what no browser has. */
export async function bundleForBrowser(path: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(`../../${path}`, import.meta.url))],
    bundle: true,
    platform: "browser",
    format: "iife",
    globalName: "lastro",
    write: false,
    logLevel: "silent",
  });
  return outputFiles.map(({ text }) => text).join("");
}

export type Served = AsyncDisposable & { readonly url: string };

/** Serves the resources by their path, and nothing else. */
async function serve(resources: ReadonlyMap<string, string | Uint8Array>): Promise<Served> {
  const server = createServer((request, response) => {
    const path = (request.url ?? "").slice(1);
    const content = resources.get(path);
    const type = path === "" ? "text/html; charset=utf-8" : "text/javascript; charset=utf-8";
    response.writeHead(content === undefined ? 404 : 200, { "content-type": type });
    response.end(content);
  });
  const listening = Promise.withResolvers<void>();
  server.once("error", listening.reject).listen(0, "127.0.0.1", listening.resolve);
  await listening.promise;
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return {
    url: `http://127.0.0.1:${address.port}/`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      await closed.promise;
    },
  };
}

export type BrowserPage = Served & {
  readonly page: Page;
  /** What the page asked for, and what went wrong on it. */
  readonly requests: readonly string[];
  readonly errors: readonly string[];
};

/** A page that has run the script, in a Chromium of its own. */
export async function openPage(
  script: string,
  resources: ReadonlyMap<string, Uint8Array>,
): Promise<BrowserPage> {
  await using opened = new AsyncDisposableStack();
  const html = '<!doctype html><link rel="icon" href="data:,"><script src="script.js"></script>';
  const served = opened.use(
    await serve(new Map<string, string | Uint8Array>([...resources, ["", html], ["script.js", script]])),
  );
  const browser = await playwright.launch({
    executablePath: chromium(),
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
  opened.defer(() => browser.close());
  const page = await browser.newPage();
  const [requests, errors]: [string[], string[]] = [[], []];
  page.on("request", (request) => requests.push(request.url()));
  page.on("pageerror", ({ message }) => errors.push(message));
  await page.goto(served.url);
  const all = opened.move();
  return {
    url: served.url,
    page,
    requests,
    errors,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}
