import { afterEach, expect, test, vi } from "vitest";
import { MemorySource } from "../support/files/file-ends.ts";
import { TunnelError } from "../../src/errors/tunnel-error.ts";
import { toBase64url } from "../../src/protocol/base/bytes.ts";
import type { Download, DownloadState, Files } from "../../src/session/files/files.ts";
import {
  filesView,
  progressView,
  recentFiles,
  sizeText,
  type FilesView,
  fileView,
} from "../../src/view/files.ts";
import { offer, presence } from "../mcp/room.ts";
import { hostRequest, sessionsOn } from "../session/support.ts";
import { FakeClock } from "../support/fake-tunnel-clock.ts";

const sessions = sessionsOn(new FakeClock());
afterEach(async () => {
  vi.restoreAllMocks();
  await sessions.shutDown();
});

const idOf = (index: number): string => toBase64url(offer(index).id);

/** A download in that state. */
function download(index: number, state: DownloadState): Download {
  return {
    fileId: idOf(index),
    offer: { ...offer(index), name: "a.csv", size: 1_000 },
    owner: presence(1).id,
    target: "out/a.csv",
    state,
    total: 1_000,
    tree: undefined,
    over: Promise.resolve(),
    attend: () => undefined,
    cancel: async () => undefined,
  };
}

test("the files of a tunnel: offered, shared with those who fetch them, and received", async () => {
  const { hosting } = await sessions.host(hostRequest());
  const here = presence(1, { name: "Ben" });
  const own = offer(3);
  const error = new TunnelError("file-corrupt");
  const source = new MemorySource(new Uint8Array(1));
  const offered = (index: number, from: typeof here): Files["offered"][number] => ({
    fileId: idOf(index),
    entry: {
      kind: "file",
      seq: index,
      ts: 0,
      from: from.id,
      fromName: from.name,
      own: false,
      intent: undefined,
      replyTo: undefined,
      to: undefined,
      offer: offer(index),
    },
  });
  vi.spyOn(hosting.files, "offered", "get").mockReturnValue([
    offered(1, here),
    offered(2, presence(2, { name: "Cy" })),
  ]);
  vi.spyOn(hosting.files, "shares", "get").mockReturnValue([
    { offer: own, source, to: undefined, isOffered: true },
  ]);
  vi.spyOn(hosting.files, "serving", "get").mockReturnValue([
    { offer: own, who: here.id, sent: 7, bytesPerSec: 2 },
  ]);
  vi.spyOn(hosting.files, "downloads", "get").mockReturnValue([
    download(4, { name: "receiving", received: 400, bytesPerSecond: 100, isFlowing: true }),
    download(5, { name: "done" }),
    download(6, { name: "failed", error }),
  ]);
  vi.spyOn(hosting, "presence").mockReturnValue([presence(0, { isSelf: true }), here]);
  const file = { name: "a.csv", savePath: "out/a.csv", size: 1_000 };
  expect(filesView(hosting)).toMatchObject({
    offered: [
      { fileId: idOf(1), fromName: "Ben", seq: 1, senderLeft: undefined },
      { fileId: idOf(2), fromName: "Cy", seq: 2, senderLeft: true },
    ],
    shared: [{ fileId: idOf(3), sending: [{ to: "Ben", sent: 7, bytesPerSec: 2 }] }],
    receiving: [
      { ...file, fileId: idOf(4), status: "receiving", received: 400, bytesPerSec: 100, etaSec: 6 },
      { ...file, fileId: idOf(5), status: "received" },
      { ...file, fileId: idOf(6), status: "failed", error: { code: "file-corrupt" } },
    ],
  });
});

test("a download that stands still has no end in sight", () => {
  const state = { name: "receiving", received: 1, bytesPerSecond: 0, isFlowing: false } as const;
  expect(progressView(state, 10)).toEqual({
    received: 1,
    bytesPerSec: 0,
    etaSec: undefined,
    waitingForSender: true,
  });
});

test("an offer shows the name that it gets here where this system cannot hold its own", () => {
  const offer = (name: string) => ({
    id: new Uint8Array(16),
    key: new Uint8Array(32),
    hash: new Uint8Array(32),
    size: 1,
    name,
  });
  expect(fileView(offer("10:30?.log"), true)).toMatchObject({ name: "10:30?.log", savesAs: "10_30_.log" });
  expect(fileView(offer("aux.txt"), true).savesAs).toBe("_aux.txt");
  expect([fileView(offer("10:30?.log"), false), fileView(offer("a.txt"), true)]).toMatchObject([
    { savesAs: undefined },
    { savesAs: undefined },
  ]);
});

test("a status lists the newest offers, and no files where there are none", () => {
  const empty: FilesView = { offered: [], shared: [], receiving: [] };
  expect(recentFiles(empty)).toBeUndefined();
  const many = Array.from({ length: 25 }, (_, index) => ({
    fileId: String(index),
    name: "f",
    savesAs: undefined,
    size: 1,
    sha256: "",
    patch: undefined,
    fromName: "Ben",
    seq: index,
    senderLeft: undefined,
    tree: undefined,
  }));
  const recent = recentFiles({ ...empty, offered: many });
  expect(recent?.offered.map(({ seq }) => seq)).toEqual(Array.from({ length: 20 }, (_, index) => index + 5));
});

test.each([
  [0, "0 B"],
  [1_023, "1023 B"],
  [1_536, "1.5 KiB"],
  [2 ** 40, "1.0 TiB"],
  [2 ** 52, "4096.0 TiB"],
])("%d bytes are %s", (bytes, text) => {
  expect(sizeText(bytes)).toBe(text);
});
