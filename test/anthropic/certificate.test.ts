import { describe, expect, it } from "vitest";
import {
  caProblems,
  certificateOf,
  daysLeft,
  isDue,
  proxyProblems,
} from "../../src/anthropic/certificate.ts";
import { rehearse } from "../../src/anthropic/rehearsal.ts";
import { must } from "../../src/errors/must.ts";
import { temporaryFolders } from "../support/files/temp-folder.ts";
import { CA, certificate, HAS_OPENSSL, LEAF, type Wish } from "./openssl.ts";

const folder = temporaryFolders();
const DOMAIN = "abcd1234.tunnel.anthropic.com";
const HOSTS = [DOMAIN, `wiki.${DOMAIN}`];
const DAY = 86_400_000;
/** After certificates of this test begin, and before the shortest ends. */
const soon = (): number => Date.now() + 60_000;

describe.skipIf(!HAS_OPENSSL)("a CA (needs openssl)", () => {
  const problems = (wish: Partial<Wish>, now = soon()): string =>
    caProblems(certificate(folder(), { extensions: CA, ...wish }).cert, now).join("; ");

  it.each<[string, Partial<Wish>]>([
    ["P-256", {}],
    ["P-384", { key: ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"], hash: "sha384" }],
    ["RSA 2048", { key: ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"] }],
  ])("is good: %s", (_, wish) => expect(problems(wish)).toBe(""));

  it.each<[string, Partial<Wish>, string]>([
    [
      "not critical",
      { extensions: ["basicConstraints = CA:TRUE", ...CA.slice(1)] },
      "basicConstraints critical",
    ],
    ["no CA", { extensions: ["basicConstraints = critical, CA:FALSE", ...CA.slice(1)] }, "it is no CA"],
    ["another use", { extensions: [...CA.slice(0, 1), "keyUsage = cRLSign", ...CA.slice(2)] }, "keyCertSign"],
    ["no use", { extensions: [...CA.slice(0, 1), ...CA.slice(2)] }, "keyCertSign"],
    ["a short key", { key: ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"] }, "RSA of 2048"],
    ["another curve", { key: ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"] }, "P-256"],
    ["Ed25519", { key: ["-algorithm", "ED25519"] }, "P-256"],
    ["SHA-1", { hash: "sha1" }, "SHA-256"],
  ])("is found out: %s", (_, wish, problem) => expect(problems(wish)).toContain(problem));

  it("has to be in its time, alone in its file and short", () => {
    expect(problems({}, Date.now() - DAY)).toContain("not valid before");
    expect(problems({}, Date.now() + 31 * DAY)).toContain("it ended on");
    const { cert } = certificate(folder(), { extensions: CA });
    expect(caProblems(cert + cert, soon())).toEqual([expect.stringContaining("exactly one")]);
    expect(caProblems("nothing", soon())).toEqual([expect.stringContaining("exactly one")]);
    expect(caProblems(cert + " ".repeat(8_192), soon()).join()).toContain("8192 bytes");
  });
});

describe.skipIf(!HAS_OPENSSL)("the proxy's certificate (needs openssl)", () => {
  const ca = HAS_OPENSSL ? certificate(folder(), { extensions: CA }) : { cert: "", key: "" };
  const authority = () => must(certificateOf(ca.cert), "the CA");
  const problems = (wish: Partial<Wish>, now = soon()): string => {
    const { cert } = certificate(folder(), { extensions: LEAF(DOMAIN), ca, ...wish });
    return proxyProblems(cert, authority(), HOSTS, now).join("; ");
  };

  it("is good with what is listed, and without extendedKeyUsage", () => {
    expect(problems({})).toBe("");
    expect(problems({ extensions: LEAF(DOMAIN).filter((line) => !line.startsWith("extended")) })).toBe("");
    expect(
      problems({ extensions: [...LEAF(DOMAIN).slice(0, 1), "subjectAltName = DNS:" + HOSTS.join(", DNS:")] }),
    ).toBe("");
  });

  it.each<[string, () => Partial<Wish>, string]>([
    ["another CA", () => ({ ca: certificate(folder(), { extensions: CA }) }), "not signed by the CA"],
    [
      "no CA's key",
      () => ({ extensions: ["authorityKeyIdentifier = none", ...LEAF(DOMAIN).slice(1)] }),
      "authorityKeyIdentifier",
    ],
    [
      "another domain",
      () => ({ extensions: LEAF("x.tunnel.anthropic.com") }),
      `it does not name ${HOSTS.join(", ")}`,
    ],
    [
      "the domain alone",
      () => ({ extensions: [...LEAF(DOMAIN).slice(0, 2), `subjectAltName = DNS:${DOMAIN}`] }),
      `name wiki.${DOMAIN}`,
    ],
    [
      "another use",
      () => ({ extensions: LEAF(DOMAIN).map((line) => line.replace("serverAuth", "clientAuth")) }),
      "serverAuth",
    ],
    ["SHA-1", () => ({ hash: "sha1" }), "SHA-256"],
  ])("is found out: %s", (_, wish, problem) => expect(problems(wish())).toContain(problem));

  it("is due in its last 30 days", () => {
    const { cert } = certificate(folder(), { extensions: LEAF(DOMAIN), ca, days: 90 });
    const one = must(certificateOf(cert), "a certificate");
    const end = Date.parse(one.validTo);
    expect([isDue(one, end - 31 * DAY), isDue(one, end - 30 * DAY), isDue(one, end + DAY)]).toEqual([
      false,
      true,
      true,
    ]);
    expect([daysLeft(one, end - 30 * DAY), daysLeft(one, end + 1)]).toEqual([30, -1]);
  });

  it("completes a real handshake for each of its names, and for no other", async () => {
    const { cert, key } = certificate(folder(), { extensions: LEAF(DOMAIN), ca });
    for (const host of HOSTS) expect(await rehearse({ ca: ca.cert, cert, key, host })).toBeUndefined();
    for (const host of [`a.b.${DOMAIN}`, "x.tunnel.anthropic.com"])
      expect(await rehearse({ ca: ca.cert, cert, key, host })).toContain("does not match");
  });

  it("completes none with another CA, another key, or after its end", async () => {
    const { cert, key } = certificate(folder(), { extensions: LEAF(DOMAIN), ca });
    const other = certificate(folder(), { extensions: CA });
    const host = DOMAIN;
    expect(await rehearse({ ca: other.cert, cert, key, host })).toMatch(/unable to|self-signed/);
    expect(await rehearse({ ca: ca.cert, cert, key: other.key, host })).toMatch(/key values mismatch/);
    expect(await rehearse({ ca: ca.cert, cert: "x", key, host })).toBeTypeOf("string");
  });
});
