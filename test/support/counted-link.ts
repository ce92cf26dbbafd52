/** A link before a Redis that counts what is asked of it. */
import { type Link, openLink } from "./link.ts";

export type CountedLink = Link & {
  /** Times that the word was part of a command, on all connections together. */
  asked(word: string): number;
};

export async function openCountedLink(port: number): Promise<CountedLink> {
  let heard = "";
  const link = await openLink(port, {
    between(client, server, pass) {
      client.on("data", (bytes: Buffer) => {
        heard += bytes.toString("latin1").toLowerCase();
        pass.requests(bytes);
      });
      server.on("data", pass.replies);
    },
  });
  return { ...link, asked: (word) => heard.split(`\r\n${word}\r\n`).length - 1 };
}
