import * as fc from "fast-check";
import { expect, it } from "vitest";
import { extractFile } from "../../../src/tunnel/cloudflared/archive.ts";
import { tarEntry } from "../../support/tunnels/fake-tar.ts";

const END = Buffer.alloc(1024);

async function* inPieces(archive: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < archive.length; at += size) yield archive.subarray(at, at + size);
}

async function extract(archive: Uint8Array, size = 700): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of extractFile(inPieces(archive, size), "cloudflared", 4096)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

it("takes the one file out, however the archive is chunked", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 2000 }),
      fc.integer({ min: 1, max: 3000 }),
      async (content, size) => {
        const archive = Buffer.concat([
          tarEntry("._cloudflared", Buffer.alloc(100)),
          tarEntry("./cloudflared", content),
          END,
        ]);
        expect(await extract(archive, size)).toEqual(Buffer.from(content));
      },
    ),
    { numRuns: 30 },
  );
});

it.each([
  [
    "a link of that name",
    Buffer.concat([tarEntry("cloudflared", Buffer.alloc(0), "2"), END]),
    "holds no file",
  ],
  ["another path", Buffer.concat([tarEntry("../cloudflared", Buffer.alloc(5)), END]), "holds no file"],
  ["too large a file", Buffer.concat([tarEntry("cloudflared", Buffer.alloc(5000)), END]), "too large"],
  ["a cut file", tarEntry("cloudflared", Buffer.alloc(2000)).subarray(0, 900), "cut short"],
  ["a cut header", Buffer.alloc(100), "cut short"],
  ["no archive", Buffer.alloc(512, "x"), "malformed"],
])("refuses %s", async (_what, archive, message) => {
  await expect(extract(archive)).rejects.toThrow(message);
});

it("gives bytes or throws an Error, whatever it is given", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 1500 }), async (bytes) => {
      await expect(extract(bytes)).rejects.toBeInstanceOf(Error);
    }),
  );
});
