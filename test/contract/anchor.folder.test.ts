import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { afterAll, describe } from "@jest/globals";
import { folderAnchor } from "../../src/adapters/anchors/folder.ts";
import { temporaryFolder } from "../support/sqlite.ts";
import { anchorContract, unwritable } from "./anchor.contract.ts";

const open = new DisposableStack();
afterAll(() => open.dispose());

describe("a folder", () => {
  anchorContract(async () => {
    const { path } = open.use(temporaryFolder());
    const folder = join(path, "anchors");
    return {
      folder,
      anchor: folderAnchor(folder, randomBytes),
      nowhere: folderAnchor(unwritable(path), randomBytes),
    };
  });
});
