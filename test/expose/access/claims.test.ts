import { describe, expect, it } from "vitest";
import { valuesOf } from "../../../src/expose/message.ts";
import { codeOf } from "../../support/thrown.ts";
import { Door, field, ORIGIN, outcome } from "./visitor.ts";

const HTML = ["Accept", "text/html,application/xhtml+xml,*/*;q=0.8"];
const PAGE = { target: "/.tunnel/claim" };

describe("a claim link", () => {
  it("has its secret of 192 bits in the fragment, which no browser sends", () => {
    const [link] = new Door().access.waysIn().claim?.links ?? [];
    expect(link?.url).toMatch(/^https:\/\/quiet-river\.example\/\.tunnel\/claim#[A-Za-z0-9_-]{32}$/);
    expect(link?.id).toMatch(/^claim-[0-9a-f]{8}$/);
    expect(link?.url).not.toContain(link?.id);
  });

  it("is good once: the post answers 303 to / with a cookie, and the next one 403", () => {
    const door = new Door();
    const [secret = ""] = door.secrets;
    const first = door.claim(secret);
    expect(first).toMatchObject({ status: 303, why: "claimed" });
    expect(field(first, "location")).toBe("/");
    expect(field(first, "cache-control")).toBe("no-store");
    expect(field(first, "set-cookie")).toMatch(
      /^__Host-tunnel-access-[0-9a-f]{8}=[A-Za-z0-9_-]{32}; Path=\/; Max-Age=3600; HttpOnly; SameSite=Lax; Secure$/,
    );
    expect(field(first, "set-cookie")).not.toContain(secret);
    expect(door.claim(secret)).toMatchObject({ status: 403, why: "claim-refused" });
    expect(door.secrets).toEqual([]);
  });

  it("is good once also where two post it at the same time", () => {
    const door = new Door();
    const [secret = ""] = door.secrets;
    const fields = ["Content-Type", "application/x-www-form-urlencoded"];
    const forms = [1, 2].map(() => door.visit({ ...PAGE, method: "POST", fields }));
    const statuses = forms.map((form) => form.kind === "form" && form.submit(`claim=${secret}`).status);
    expect(statuses).toEqual([303, 403]);
  });

  it("is not used up by whoever only looks at it, with GET or HEAD, script or no script", () => {
    const door = new Door();
    const [secret = ""] = door.secrets;
    for (const method of ["GET", "HEAD", "GET", "OPTIONS", "PUT"])
      for (const target of [PAGE.target, `${PAGE.target}?claim=${secret}`])
        for (const fields of [[], HTML, ["User-Agent", "SomethingBot/1.0"]])
          door.answer({ method, target, fields });
    expect(door.access.claims()).toMatchObject([{ state: "unused" }]);
    expect(door.claim(secret).status).toBe(303);
  });

  it("is answered alike whether it is used, revoked or was never there", () => {
    const door = new Door({ claims: 2 });
    const [used = "", revoked = ""] = door.secrets;
    door.claim(used);
    const [, second] = door.access.claims();
    door.access.revoke(second?.id ?? "");
    for (const fields of [[], HTML]) {
      const answers = [used, revoked, "never", "", "a".repeat(32)].map((secret) =>
        door.claim(secret, { fields }),
      );
      expect(answers[0]).toMatchObject({ status: 403 });
      for (const answer of answers) expect(answer).toEqual(answers[0]);
    }
  });

  it.each([
    ["the public origin", ["Origin", ORIGIN], 303],
    ["no Origin, as programs do", [], 303],
    ["Origin: null of the same site", ["Origin", "null", "Sec-Fetch-Site", "same-origin"], 303],
    ["Origin: null", ["Origin", "null"], 403],
    ["another site", ["Origin", "https://evil.example"], 403],
    ["another site that says nothing but that", ["Sec-Fetch-Site", "cross-site"], 403],
    [
      "a sibling of the host",
      ["Origin", "https://other.quiet-river.example", "Sec-Fetch-Site", "same-site"],
      403,
    ],
    ["another scheme of the host", ["Origin", "http://quiet-river.example"], 403],
    ["two origins", ["Origin", ORIGIN, "Origin", "https://evil.example"], 403],
  ])("posted with %s is answered, before its body is read, with %s %d", (_, fields, status) => {
    const door = new Door();
    const [secret = ""] = door.secrets;
    expect(door.claim(secret, { fields }).status).toBe(status);
    expect(door.secrets).toHaveLength(status === 303 ? 0 : 1);
  });

  it("is a form of one field claim, of 4 KiB at most", () => {
    const door = new Door({ claims: 9 });
    const post = (type: readonly string[], body: string): number =>
      door.answer({ ...PAGE, method: "POST", fields: type }, body).status;
    const form = ["Content-Type", "application/x-www-form-urlencoded;charset=UTF-8"];
    const next = (): string => door.secrets[0] ?? "";
    expect(post(form, `claim=${next()}&more=1`)).toBe(303);
    expect(post([], `claim=${next()}`)).toBe(303);
    expect(post(form, `claim=${next()}&claim=${next()}`)).toBe(403);
    expect(post(form, next())).toBe(403);
    expect(post(form, "claim=%ff%00&%%%")).toBe(403);
    expect(post(["Content-Type", "text/plain"], `claim=${next()}`)).toBe(415);
    expect(post(["Content-Type", "multipart/form-data; boundary=x"], `claim=${next()}`)).toBe(415);
    expect(door.visit({ ...PAGE, method: "POST", fields: form })).toMatchObject({
      kind: "form",
      maxBytes: 4096,
    });
  });

  it("takes GET, HEAD and POST, and no preflight is passed on", () => {
    const preflight = ["Origin", "https://evil.example", "Access-Control-Request-Method", "POST"];
    const answer = new Door().answer({ ...PAGE, method: "OPTIONS", fields: preflight });
    expect(answer.status).toBe(405);
    expect(field(answer, "allow")).toBe("GET, HEAD, POST");
  });

  it("waits for the address to be known", () => {
    const door = new Door({ origin: undefined });
    expect(door.access.waysIn().claim?.links).toEqual([]);
    expect(door.claim("any")).toMatchObject({ status: 503 });
    door.access.publish(new URL(ORIGIN));
    expect(door.access.waysIn().claim?.links).toHaveLength(1);
  });

  it("follows the address when that changes", () => {
    const door = new Door();
    const [before = ""] = door.secrets;
    door.access.publish(new URL("https://other-river.example"));
    expect(door.access.waysIn().claim?.links[0]?.url).toBe(
      `https://other-river.example/.tunnel/claim#${before}`,
    );
  });

  it("leads nowhere where claims are no way in", () => {
    const door = new Door({ kinds: ["token"] });
    expect(door.access.waysIn().claim).toBeUndefined();
    expect(door.answer(PAGE).status).toBe(404);
    expect(door.answer({ ...PAGE, method: "POST" }).status).toBe(404);
    expect(codeOf(() => door.access.addClaims(1))).toBe("expose-access-invalid");
  });

  it("can be made later, up to 64 at once; revoked ones make room", () => {
    const door = new Door();
    const made = door.access.addClaims(63);
    expect(made).toHaveLength(63);
    expect(new Set(door.secrets).size).toBe(64);
    expect(codeOf(() => door.access.addClaims(1))).toBe("claims-too-many");
    door.access.revoke(made[0]?.id ?? "");
    const [link] = door.access.addClaims(1);
    expect(door.access.claims().map(({ id }) => id)).toContain(link?.id);
    expect(door.access.claims()).toHaveLength(64);
    expect(door.claim(new URL(link?.url ?? "").hash.slice(1)).status).toBe(303);
  });
});

describe("whoever has claimed", () => {
  it("gets in by the cookie, which the service does not see", () => {
    const door = new Door();
    const cookie = door.cookie();
    const [claim] = door.access.claims();
    const passed = door.passed({ target: "/a?b=%2f", fields: ["Cookie", `x=1; ${cookie}; y=2`, "A", "b"] });
    expect(passed).toMatchObject({ way: "claim", visitor: claim?.id, target: "/a?b=%2f" });
    expect(passed.fields).toEqual(["Cookie", "x=1; y=2", "A", "b"]);
  });

  it("is not kept out by another value under the same name", () => {
    const door = new Door({ origin: "http://192.168.1.5:8080" });
    const cookie = door.cookie();
    const [name] = cookie.split("=");
    const passed = door.passed({ fields: ["Cookie", `${name}=shadow; ${cookie}`, "Cookie", `${name}=`] });
    expect(passed.fields).toEqual([]);
  });

  it("stays out of other exposures", () => {
    const cookie = new Door().cookie();
    const other = new Door({ claims: 1, name: "other" });
    other.claim(other.secrets[0] ?? "");
    const [name] = other.cookie().split("=");
    expect(outcome(other.visit({ fields: ["Cookie", `${name}=${cookie.split("=")[1]}`] }))).not.toBe("claim");
  });

  it("is out at once when the claim is revoked, and no other is", () => {
    const door = new Door({ claims: 2 });
    const cookies = [door.cookie(), door.cookie()];
    const [first] = door.access.claims();
    expect(door.access.revoke(first?.id ?? "")).toBe(true);
    expect(door.access.revoke(first?.id ?? "")).toBe(false);
    expect(door.access.revoke("claim-00000000")).toBe(false);
    expect(cookies.map((cookie) => outcome(door.visit({ fields: ["Cookie", cookie] })))).toEqual([
      "401",
      "claim",
    ]);
    expect(door.access.claims().map(({ state }) => state)).toEqual(["revoked", "claimed"]);
  });

  it("is told apart in the list: when it came, when and where it was last seen; and no secret is in it", async () => {
    const door = new Door({ claims: 2 });
    const secrets = door.secrets;
    const at = door.clock.now();
    const cookie = door.cookie();
    await door.clock.advance(5_000);
    door.passed({ fields: ["Cookie", cookie], address: "192.0.2.9" });
    expect(door.access.claims()).toMatchObject([
      { state: "claimed", claimedAt: at, lastSeenAt: at + 5_000, address: "192.0.2.9" },
      { state: "unused", claimedAt: undefined, lastSeenAt: undefined, address: undefined },
    ]);
    const shown = JSON.stringify(door.access.claims());
    for (const secret of [...secrets, cookie.split("=")[1] ?? ""]) expect(shown).not.toContain(secret);
  });

  it("is announced once, by the id of the claim", () => {
    const door = new Door({ claims: 2 });
    const heard: unknown[] = [];
    const end = door.access.onClaimed((claimed) => heard.push(claimed));
    door.claim("never");
    const [secret = ""] = door.secrets;
    door.claim(secret, { address: "2001:db8::1" });
    door.claim(secret);
    const [claim] = door.access.claims();
    expect(heard).toEqual([{ id: claim?.id, at: door.clock.now(), address: "2001:db8::1" }]);
    end();
    door.cookie();
    expect(heard).toHaveLength(1);
  });

  it("sees at the link that it is in already, and uses up no other link", () => {
    const door = new Door({ claims: 2 });
    const answer = door.answer({ ...PAGE, fields: ["Cookie", door.cookie()] });
    expect(answer.body).toContain("You are in already");
    expect(door.secrets).toHaveLength(1);
  });

  it("gets a cookie that lives no longer than the exposure may", async () => {
    const door = new Door({ lastsMs: 600_000 });
    await door.clock.advance(590_500);
    expect(field(door.claim(door.secrets[0] ?? ""), "set-cookie")).toContain("; Max-Age=9;");
  });

  it("gets a cookie without Secure where the address is http, with a warning for the one who exposes", () => {
    const door = new Door({ origin: "http://192.168.1.5:8080" });
    const set = field(door.claim(door.secrets[0] ?? ""), "set-cookie");
    expect(set).toMatch(/^tunnel-access-/);
    expect(set).not.toContain("Secure");
    expect(door.access.waysIn().warnings.join()).toContain("plain http");
    expect(new Door().access.waysIn().warnings).toEqual([]);
  });

  it("keeps its cookie whatever the service sets", () => {
    const door = new Door();
    const cookie = door.cookie();
    const { respond } = door.passed({ fields: ["Cookie", cookie] });
    const [name] = cookie.split("=");
    const fields = ["Set-Cookie", "a=1", "Set-Cookie", `${name}=; Max-Age=0`, "Set-Cookie", "b=2"];
    const answer = respond({ status: 200, reason: "OK", fields });
    expect(valuesOf(answer.fields, "set-cookie")).toEqual(["a=1", "b=2"]);
  });
});

describe("after its end an exposure", () => {
  it("answers everybody 410, and keeps no claim", () => {
    const door = new Door({ openPaths: ["POST /hooks/*"] });
    const cookie = door.cookie();
    const form = door.visit({ ...PAGE, method: "POST" });
    door.access.end();
    for (const visit of [
      { fields: ["Cookie", cookie] },
      { fields: ["X-Tunnel-Token", door.token] },
      { method: "POST", target: "/hooks/x" },
      PAGE,
    ])
      expect(outcome(door.visit(visit))).toBe("410");
    expect(form.kind === "form" && form.submit("claim=x").status).toBe(410);
    expect(door.access.claims()).toEqual([]);
  });
});
