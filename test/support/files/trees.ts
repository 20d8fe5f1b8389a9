import { createHash } from "node:crypto";
import { concat, type Bytes } from "../../../src/protocol/base/bytes.ts";
import type { FileOffer } from "../../../src/protocol/files/offer.ts";
import {
  encodeTree,
  inOrder,
  isTreeFile,
  layoutOf,
  outlineOf,
  type TreeEntry,
  type TreeFacts,
} from "../../../src/protocol/files/tree.ts";
import { offerOf } from "../streaming.ts";
import { nodePrimitives } from "../wire.ts";

export const hashOf = (content: string | Bytes): string =>
  createHash("sha256").update(content).digest("base64url");

/** A tree as an honest sender offers it, from the content of each path; that of a folder is empty. */
export function treeOf(files: Readonly<Record<string, string>>): {
  entries: TreeEntry[];
  offer: FileOffer & { tree: TreeFacts };
  content: Bytes;
} {
  const entries = inOrder<TreeEntry>(
    Object.entries(files).map(([path, text]) =>
      path.endsWith("/") ? { path, size: 0 } : { path, size: Buffer.byteLength(text), hash: hashOf(text) },
    ),
  );
  const layout = layoutOf(entries.filter(isTreeFile));
  const bytes = Array.from(layout?.contents.keys() ?? [], (hash) => {
    const text = Object.values(files).find((one) => hashOf(one) === hash) ?? "";
    return new Uint8Array(Buffer.from(text));
  });
  return offeredAs(entries, concat(...bytes));
}

/** Whatever entries a sender may send, with facts that fit where they can. */
export function offeredAs(
  entries: readonly TreeEntry[],
  contents: Bytes,
): { entries: TreeEntry[]; offer: FileOffer & { tree: TreeFacts }; content: Bytes } {
  const list = encodeTree(entries);
  const content = concat(list, contents);
  const files = entries.filter(isTreeFile);
  const tree = {
    list: list.length,
    files: files.length,
    bytes: files.reduce((sum, { size }) => sum + size, 0),
    outline: outlineOf(entries),
  };
  const hash = nodePrimitives.sha256(list);
  return { entries: [...entries], offer: { ...offerOf(content), name: "tree", hash, tree }, content };
}
