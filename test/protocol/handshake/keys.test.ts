import { createHmac, hkdfSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import { toHex } from "../../../src/protocol/base/bytes.ts";
import {
  controlKey,
  inviteCredential,
  nextTrafficSecret,
  resumeCredential,
  resumeSecret,
} from "../../../src/protocol/handshake/keys.ts";
import { safetyCode } from "../../../src/protocol/handshake/safety-code.ts";
import { nodePrimitives as primitives } from "../../../src/runtime/primitives.ts";
import { encodeUtf8 } from "../../../src/protocol/base/utf8.ts";

const key = Uint8Array.from({ length: 32 }, (_, at) => at);

/** The formula of PROTOCOL §13, written down a second time. */
function hkdf(label: string, length: number, input: Uint8Array = key): string {
  return Buffer.from(hkdfSync("sha256", input, "", `tunnel-mcp/1 ${label}`, length)).toString("hex");
}

describe("key schedule", () => {
  it("[K1] [K2] derives the three parts of an invite from its key", () => {
    const { id, psk, mac } = inviteCredential(primitives, key);
    expect([id, psk, mac].map(toHex)).toEqual([
      hkdf("invite-id", 16),
      hkdf("invite-psk", 32),
      hkdf("invite-mac", 32),
    ]);
  });

  it("[K1] [K3] derives a resume credential from the exporter, apart from every invite", () => {
    const secret = resumeSecret(primitives, key);
    expect(toHex(secret)).toBe(hkdf("resume", 32));
    const { id, psk, mac } = resumeCredential(primitives, secret);
    expect([id, psk, mac].map(toHex)).toEqual([
      hkdf("resume-id", 16, secret),
      hkdf("resume-psk", 32, secret),
      hkdf("resume-mac", 32, secret),
    ]);
  });

  it("[K1] [K4] [K6] derives record keys and the next epoch", () => {
    expect(toHex(controlKey(primitives, key))).toBe(hkdf("control secretbox", 32));
    expect(toHex(nextTrafficSecret(primitives, key))).toBe(hkdf("rekey", 32));
  });

  it("[K1] gives every purpose an output of its own", () => {
    const invite = inviteCredential(primitives, key);
    const resume = resumeCredential(primitives, key);
    const all = [
      invite.psk,
      invite.mac,
      resume.psk,
      resume.mac,
      resumeSecret(primitives, key),
      controlKey(primitives, key),
      nextTrafficSecret(primitives, key),
      key,
    ];
    expect(new Set(all.map(toHex)).size).toBe(all.length);
  });

  it("uses HMAC and HKDF as their RFCs define them", () => {
    const data = encodeUtf8("what do ya want for nothing?");
    expect(toHex(primitives.hmacSha256(encodeUtf8("Jefe"), data))).toBe(
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    );
    const prk = createHmac("sha256", new Uint8Array(0)).update(key).digest();
    const first = createHmac("sha256", prk).update("label").update(Uint8Array.of(1)).digest();
    const out = primitives.hkdfSha256(key, new Uint8Array(0), encodeUtf8("label"), 32);
    expect(toHex(out)).toBe(first.toString("hex"));
  });
});

describe("safety code", () => {
  it("[N1] is seven signs and four words, equal for equal input only", () => {
    const share = new Uint8Array(32);
    const code = safetyCode(primitives, key, share);
    const [signs = "", words = ""] = code.split(" / ");
    expect(signs.split(" ")).toHaveLength(7);
    expect(words.split(" ")).toHaveLength(4);
    expect(safetyCode(primitives, key.slice(), share.slice())).toBe(code);
    expect(safetyCode(primitives, key, Uint8Array.of(1, ...share.subarray(1)))).not.toBe(code);
    expect(safetyCode(primitives, share, share)).not.toBe(code);
  });

  it("[N1] takes its bits from the front, most significant first, and has 64 signs that differ", () => {
    const signs = new Map<number, string>();
    for (let index = 0; index < 400; index += 1) {
      const share = primitives.sha256(Uint8Array.of(index & 255, index >> 8));
      const entropy = Buffer.from(hkdf("sas", 12, Buffer.concat([key, share])), "hex");
      const bits = Array.from(entropy, (byte) => byte.toString(2).padStart(8, "0")).join("");
      const shown = (safetyCode(primitives, key, share).split(" / ")[0] ?? "").split(" ");
      shown.forEach((sign, at) => {
        const value = Number.parseInt(bits.slice(at * 6, at * 6 + 6), 2);
        expect(signs.get(value) ?? sign).toBe(sign);
        signs.set(value, sign);
      });
    }
    expect(signs.size).toBe(64);
    expect(new Set(signs.values()).size).toBe(64);
  });
});
