import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { CLOUDFLARED_VERSION, PINS } from "../../../src/tunnel/cloudflared/release.ts";
import { tarEntry } from "../../support/tunnels/fake-tar.ts";

const script = new URL("../../../scripts/pin-cloudflared.mjs", import.meta.url).href;
const { pinOf, renderRelease } = await import(/* @vite-ignore */ script);
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

it("renders the pins that are in force as the file that holds them", async () => {
  const current = readFileSync(
    new URL("../../../src/tunnel/cloudflared/release.ts", import.meta.url),
    "utf8",
  );
  expect(await renderRelease(current, CLOUDFLARED_VERSION, PINS)).toBe(current);
  expect(await renderRelease(current, "2027.1.0", PINS)).toContain('CLOUDFLARED_VERSION = "2027.1.0"');
});

it("hashes an archive and the program in it", async () => {
  const program = Buffer.from("program");
  const archive = gzipSync(Buffer.concat([tarEntry("cloudflared", program), Buffer.alloc(1024)]));
  const asset = "cloudflared-darwin-arm64.tgz";
  expect(await pinOf(asset, archive)).toEqual({
    asset,
    assetSha256: sha256(archive),
    binarySha256: sha256(program),
  });
  expect(await pinOf("x", program)).toEqual({
    asset: "x",
    assetSha256: sha256(program),
    binarySha256: sha256(program),
  });
});
