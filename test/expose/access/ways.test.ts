import { describe, expect, it } from "vitest";
import { valuesOf } from "../../../src/expose/message.ts";
import { codeOf } from "../../support/thrown.ts";
import { Door, field, ORIGIN, outcome } from "./visitor.ts";

const HTML = ["Accept", "text/html"];
const PREFLIGHT = ["Origin", "https://app.example", "Access-Control-Request-Method", "PUT"];

describe("without a credential", () => {
  it("nobody gets in by default", () => {
    const door = new Door();
    for (const method of ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
      for (const target of ["/", "/index.html", "/hooks/x", "/.tunnel", "/.tunnel/x", "/.tunnel?x"])
        expect(outcome(door.visit({ method, target }))).toMatch(/^40[14]$/);
  });

  it("a person is shown a page that says what to do", () => {
    const answer = new Door().answer({ fields: HTML });
    expect(answer).toMatchObject({ status: 401, why: "no-access" });
    expect(field(answer, "content-type")).toBe("text/html; charset=utf-8");
    expect(answer.body).toContain("open that link");
  });

  it("a program is told in plain text which field to send, and challenged in schemes of our own (RFC 9110 section 15.5.2)", () => {
    const answer = new Door().answer({ fields: ["Accept", "application/json"] });
    expect(field(answer, "content-type")).toBe("text/plain; charset=utf-8");
    expect(answer.body).toContain("X-Tunnel-Token: TOKEN");
    expect(valuesOf(answer.fields ?? [], "www-authenticate")).toEqual([
      'Tunnel-Claim realm="tunnel", page="/.tunnel/claim"',
      'Tunnel-Token realm="tunnel", field="X-Tunnel-Token"',
    ]);
  });

  it("a browser is asked for a password where basic is on, and only there", () => {
    const schemes = (door: Door): string => valuesOf(door.answer({}).fields ?? [], "www-authenticate").join();
    expect(schemes(new Door({ kinds: ["claim", "basic"] }))).toContain(
      'Basic realm="tunnel", charset="UTF-8"',
    );
    expect(schemes(new Door())).not.toContain("Basic");
    expect(schemes(new Door({ kinds: [], openPaths: ["POST /x"] }))).toBe('Tunnel realm="tunnel"');
  });

  it("what is said is kept by nobody, and repeats nothing of the visitor or of the exposure", () => {
    const door = new Door({ name: "secret-project", kinds: ["claim", "token", "basic", "prefix"] });
    const answer = door.answer({
      target: "/visitor-was-here",
      fields: [...HTML, "X-Tunnel-Token", "visitor-was-here"],
    });
    expect(field(answer, "cache-control")).toBe("no-store");
    const { token, prefix, basic } = door.access.waysIn();
    for (const text of [
      "visitor-was-here",
      "secret-project",
      token?.value,
      prefix?.url,
      basic?.user,
      basic?.password,
    ])
      expect(JSON.stringify(answer)).not.toContain(text);
  });
});

describe("a script", () => {
  it("gets in by the field, which the service does not see; Authorization stays the service's", () => {
    const door = new Door();
    const auth = ["Authorization", "Bearer of-the-service"];
    const passed = door.passed({ fields: [...auth, "x-tunnel-TOKEN", door.token, "Accept", "*/*"] });
    expect(passed).toMatchObject({ way: "token", visitor: undefined });
    expect(passed.fields).toEqual([...auth, "Accept", "*/*"]);
    expect(outcome(door.visit({ fields: ["Authorization", `Bearer ${door.token}`] }))).toBe("401");
  });

  it("does not get in by a token that is wrong, cut, longer or in another field", () => {
    const door = new Door();
    const { token } = door;
    const swapped = token.toUpperCase() === token ? token.toLowerCase() : token.toUpperCase();
    for (const wrong of ["", token.slice(1), `${token}=`, ` ${token}`, swapped, `Bearer ${token}`])
      expect(outcome(door.visit({ fields: ["X-Tunnel-Token", wrong] }))).toBe("401");
    expect(outcome(door.visit({ fields: ["X-Token", token] }))).toBe("401");
    expect(outcome(door.visit({ target: `/?X-Tunnel-Token=${token}` }))).toBe("401");
  });

  it("does not get in where tokens are no way in", () => {
    const door = new Door({ kinds: ["claim"] });
    expect(door.access.waysIn().token).toBeUndefined();
    expect(outcome(door.visit({ fields: ["X-Tunnel-Token", door.token] }))).toBe("401");
  });

  it("sends its field in vain where the path is open: it is taken out, right or wrong", () => {
    const door = new Door({ openPaths: ["POST /hooks/*"] });
    const post = { method: "POST", target: "/hooks/x" };
    for (const token of ["wrong", door.token, ""])
      expect(door.passed({ ...post, fields: ["X-Tunnel-Token", token, "A", "1"] }).fields).toEqual([
        "A",
        "1",
      ]);
  });
});

describe("an open path", () => {
  it("lets anybody in by its method, byte for byte and without our cookie", () => {
    const door = new Door({ openPaths: ["POST /hooks/*"] });
    const cookie = door.cookie().replace(/=.*/, "=stale");
    const target = "/hooks/a%2Fb//c?x=%zz";
    const fields = [
      "Cookie",
      `${cookie}; a=1`,
      "Authorization",
      "Basic c2VydmljZTp4",
      "X-Hub-Signature",
      "sha256=0",
    ];
    const passed = door.passed({ method: "POST", target, fields });
    expect(passed).toMatchObject({ way: "path", visitor: undefined, target });
    expect(passed.fields).toEqual(["Cookie", "a=1", ...fields.slice(2)]);
    expect(outcome(door.visit({ method: "GET", target }))).toBe("401");
  });

  it("is entered by the claim where there is one, so that the log names the visitor", () => {
    const door = new Door({ openPaths: ["GET /hooks/*"] });
    expect(outcome(door.visit({ target: "/hooks/x", fields: ["Cookie", door.cookie()] }))).toBe("claim");
  });

  it("is enough on its own; with nothing at all nobody would get in", () => {
    expect(
      outcome(new Door({ kinds: [], openPaths: ["POST /x"] }).visit({ method: "POST", target: "/x" })),
    ).toBe("path");
    expect(codeOf(() => new Door({ kinds: [] }))).toBe("expose-access-invalid");
  });
});

describe("a preflight", () => {
  it("reaches the service on every path, without credentials: a browser never sends them with it", () => {
    const door = new Door({ kinds: ["claim", "token", "basic"] });
    const fields = [
      ...PREFLIGHT,
      "X-Tunnel-Token",
      door.token,
      "Cookie",
      door.cookie(),
      "Authorization",
      door.basic,
    ];
    const passed = door.passed({ method: "OPTIONS", target: "/api", fields });
    expect(passed).toMatchObject({ way: "preflight", visitor: undefined, target: "/api" });
    expect(passed.fields).toEqual(PREFLIGHT);
  });

  it("is an OPTIONS with Origin and Access-Control-Request-Method, and nothing less", () => {
    const door = new Door();
    expect(outcome(door.visit({ method: "OPTIONS", fields: PREFLIGHT.slice(2) }))).toBe("401");
    expect(outcome(door.visit({ method: "OPTIONS", fields: PREFLIGHT.slice(0, 2) }))).toBe("401");
    expect(outcome(door.visit({ method: "GET", fields: PREFLIGHT }))).toBe("401");
  });
});

describe("a fetcher with the prefix", () => {
  const fetching = (openPaths: readonly string[] = []): Door =>
    new Door({ kinds: ["claim", "token", "prefix"], openPaths });

  it("reads, and the service sees the path without it", () => {
    const door = fetching();
    expect(door.access.waysIn().prefix?.url).toMatch(
      /^https:\/\/quiet-river\.example\/\.tunnel\/p\/[\w-]{32}\/$/,
    );
    const see = (rest: string, method = "GET"): string =>
      door.passed({ method, target: door.prefix + rest }).target;
    expect(see("/feed.xml?a=/..%2f")).toBe("/feed.xml?a=/..%2f");
    expect(see("/feed.xml", "HEAD")).toBe("/feed.xml");
    expect(see("//a/../b")).toBe("//a/../b");
    expect(see("")).toBe("/");
    expect(see("?x")).toBe("/?x");
    expect(door.passed({ target: `${door.prefix}/` })).toMatchObject({ way: "prefix", visitor: undefined });
  });

  it("does nothing but GET and HEAD, and opens no socket", () => {
    const door = fetching();
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "get"]) {
      const answer = door.answer({ method, target: `${door.prefix}/` });
      expect(answer.status).toBe(405);
      expect(field(answer, "allow")).toBe("GET, HEAD");
    }
    expect(outcome(door.visit({ target: `${door.prefix}/`, isUpgrade: true }))).toBe("403");
    expect(outcome(door.visit({ method: "OPTIONS", target: `${door.prefix}/a`, fields: PREFLIGHT }))).toBe(
      "preflight",
    );
  });

  it("opens the paths that are listed for GET and HEAD, which are then closed without it", () => {
    const door = fetching(["GET /images/*", "HEAD /up", "POST /hooks/*", "GET,POST /both"]);
    expect(door.access.waysIn().prefix?.paths).toEqual(["GET /images/*", "HEAD /up", "GET,POST /both"]);
    expect(door.access.waysIn().openPaths?.paths).toEqual(["POST /hooks/*", "GET,POST /both"]);
    const at = (target: string, method = "GET"): string => outcome(door.visit({ method, target }));
    expect([at(`${door.prefix}/images/a.png`), at(`${door.prefix}/both`), at("/both")]).toEqual([
      "prefix",
      "prefix",
      "path",
    ]);
    expect([at(`${door.prefix}/up`, "HEAD"), at(`${door.prefix}/up`)]).toEqual(["prefix", "403"]);
    expect([at("/images/a.png"), at(`${door.prefix}/admin`), at(`${door.prefix}/hooks/x`)]).toEqual([
      "401",
      "403",
      "403",
    ]);
    for (const way of ["/images/../admin", "/images/%2e%2e/admin", "/images/..%2fadmin", "//images/a.png"])
      expect(at(door.prefix + way)).toBe("403");
    expect(at("/hooks/x", "POST")).toBe("path");
    expect(door.access.waysIn().warnings).toEqual([]);
  });

  it("opens every path where none is listed, which is told to the one who exposes", () => {
    expect(fetching().access.waysIn().warnings.join()).toContain("The prefix opens every path");
    expect(
      outcome(fetching(["POST /hooks/*"]).visit({ target: `${fetching(["POST /hooks/*"]).prefix}/a` })),
    ).toBe("prefix");
  });

  it("is not known by a wrong secret, whatever else is shown with it", () => {
    const door = fetching();
    const cookie = door.cookie();
    for (const target of ["/.tunnel/p/", "/.tunnel/p/x/a", door.prefix.slice(0, -1), `${door.prefix}x/a`])
      expect(outcome(door.visit({ target, fields: ["Cookie", cookie] }))).toBe("401");
    expect(outcome(door.visit({ target: `/.tunnel/P/${door.prefix.slice(11)}/` }))).toBe("404");
    expect(outcome(door.visit({ target: `${door.prefix}/.tunnel/claim` }))).toBe("404");
    expect(outcome(door.visit({ target: `${door.prefix}${door.prefix}/a` }))).toBe("404");
    expect(outcome(new Door().visit({ target: `${door.prefix}/a` }))).toBe("404");
  });

  it("does not send the prefix to the service, in Referer or in any field", () => {
    const door = fetching();
    const page = ORIGIN + door.prefix;
    const fields = [
      "Referer",
      `${page}/page?x=1`,
      "HX-Current-URL",
      `${page}/page`,
      "referer",
      page,
      "A",
      "/.tunnel/p/b",
    ];
    const clean = [
      "Referer",
      `${ORIGIN}/page?x=1`,
      "HX-Current-URL",
      `${ORIGIN}/page`,
      "referer",
      ORIGIN,
      "A",
      "/.tunnel/p/b",
    ];
    expect(door.passed({ target: `${door.prefix}/style.css`, fields }).fields).toEqual(clean);
    expect(
      door.passed({ target: "/style.css", fields: [...fields, "Cookie", door.cookie()] }).fields,
    ).toEqual(clean);
  });

  it.each([
    ["/login?next=/", "PREFIX/login?next=/"],
    ["/", "PREFIX/"],
    [`${ORIGIN}/a#b`, `${ORIGIN}PREFIX/a#b`],
    [ORIGIN, `${ORIGIN}PREFIX/`],
    [`${ORIGIN}?a`, `${ORIGIN}PREFIX/?a`],
    ["//quiet-river.example/a", "//quiet-river.examplePREFIX/a"],
    ["../../../a", "PREFIX/a"],
    ["../x/..?b", "PREFIX/?b"],
    ["b.html", "b.html"],
    ["?page=2", "?page=2"],
    ["#top", "#top"],
    ["./b/c", "./b/c"],
    ["https://quiet-river.example.evil.example/", "https://quiet-river.example.evil.example/"],
    ["https://other.example/../a", "https://other.example/../a"],
    ["//other.example/a", "//other.example/a"],
    ["mailto:a@example.org", "mailto:a@example.org"],
  ])("is led to %s by way of %s", (location, shown) => {
    const door = fetching();
    const { respond } = door.passed({ target: `${door.prefix}/dir/page.html` });
    const fields = ["Location", location, "content-location", location, "Link", `<${location}>`];
    const answer = respond({ status: 302, reason: "Found", fields });
    const expected = shown.replace("PREFIX", door.prefix);
    expect(valuesOf(answer.fields, "location")).toEqual([expected]);
    expect(valuesOf(answer.fields, "content-location")).toEqual([expected]);
    expect(valuesOf(answer.fields, "link")).toEqual([`<${location}>`]);
  });

  it("tells no other site its address: Referrer-Policy is same-origin, whatever the service says", () => {
    const door = fetching();
    const { respond } = door.passed({ target: `${door.prefix}/` });
    const answer = respond({
      status: 200,
      reason: "OK",
      fields: ["referrer-policy", "unsafe-url", "A", "b"],
    });
    expect(valuesOf(answer.fields, "referrer-policy")).toEqual(["same-origin"]);
    const other = door
      .passed({ fields: ["X-Tunnel-Token", door.token] })
      .respond({ status: 200, reason: "OK", fields: [] });
    expect(valuesOf(other.fields, "referrer-policy")).toEqual([]);
  });
});

describe("by HTTP Basic", () => {
  const door = (): Door => new Door({ kinds: ["claim", "basic"], openPaths: ["POST /hooks/*"] });

  it("a client gets in, and the service does not see how", () => {
    const basic = door();
    const { user, password } = basic.access.waysIn().basic ?? {};
    expect(password).toMatch(/^[\w-]{32}$/);
    for (const scheme of ["Basic", "basic", "BASIC "]) {
      const fields = ["Authorization", basic.basic.replace("Basic", scheme), "A", "b"];
      const passed = basic.passed({ fields });
      expect(passed).toMatchObject({ way: "basic", fields: ["A", "b"] });
    }
    const wrong = (text: string): string =>
      outcome(basic.visit({ fields: ["Authorization", `Basic ${Buffer.from(text).toString("base64")}`] }));
    for (const text of [
      `${user}:`,
      `${user}:x${password}`,
      `${user}:${password} `,
      `x:${password}`,
      `${user}`,
      "",
    ])
      expect(wrong(text)).toBe("401");
  });

  it("only what is meant for us is taken: the service has credentials of its own", () => {
    const basic = door();
    const own = ["Authorization", "Basic c2VydmljZTpw", "authorization", "Bearer x"];
    const fields = [...own, "Cookie", basic.cookie()];
    expect(basic.passed({ fields }).fields).toEqual(own);
    const { user } = basic.access.waysIn().basic ?? {};
    const near = `Basic ${Buffer.from(`${user}:almost`).toString("base64")}`;
    const hook = { method: "POST", target: "/hooks/x" };
    expect(basic.passed({ ...hook, fields: [...own, "Authorization", near] }).fields).toEqual(own);
  });

  it("nobody gets in where it is not on", () => {
    const closed = new Door();
    const fields = ["Authorization", door().basic];
    expect(outcome(closed.visit({ fields }))).toBe("401");
    expect(closed.passed({ fields: [...fields, "X-Tunnel-Token", closed.token] }).fields).toEqual(fields);
  });
});

describe("open", () => {
  it("lets everybody in, and says so to the one who exposes", () => {
    const door = new Door({ kinds: ["open"] });
    expect(door.passed({ method: "DELETE", fields: ["X-Tunnel-Token", "x", "A", "b"] })).toMatchObject({
      way: "open",
      fields: ["A", "b"],
    });
    expect(door.access.waysIn()).toMatchObject({
      claim: undefined,
      token: undefined,
      basic: undefined,
      prefix: undefined,
    });
    expect(door.access.waysIn().warnings).toEqual(["Open to anybody who learns the address."]);
    expect(outcome(door.visit({ target: "/.tunnel/claim" }))).toBe("404");
  });

  it("stands alone", () => {
    for (const kind of ["claim", "token", "prefix", "basic"] as const)
      expect(codeOf(() => new Door({ kinds: ["open", kind] }))).toBe("expose-access-invalid");
  });

  it("is never there unasked", () => {
    expect(new Door({ openPaths: ["POST /x"] }).access.waysIn().open).toBeUndefined();
  });
});

describe("an edge in front", () => {
  it("is told not to keep what a credential opened (RFC 9213), and browsers are not", () => {
    const door = new Door({ kinds: ["claim", "token", "prefix"], openPaths: ["POST /x"] });
    const given = ["Cache-Control", "public, max-age=60", "CDN-Cache-Control", "max-age=60"];
    const kept = (visit: Parameters<Door["passed"]>[0]): readonly string[] =>
      door.passed(visit).respond({ status: 200, reason: "OK", fields: given }).fields;
    const closed = ["Cache-Control", "public, max-age=60", "CDN-Cache-Control", "no-store"];
    expect(kept({ fields: ["X-Tunnel-Token", door.token] })).toEqual(closed);
    expect(kept({ target: `${door.prefix}/` }).slice(0, 4)).toEqual(closed);
    expect(kept({ method: "POST", target: "/x" })).toEqual(given);
  });
});

describe("what may be kept of a request that is not let in", () => {
  it("has no credential in it, right or wrong", () => {
    const door = new Door({ kinds: ["claim", "token", "prefix", "basic"], openPaths: ["GET /images/*"] });
    const cookie = door.cookie();
    const fields = [
      "Cookie",
      cookie,
      "X-Tunnel-Token",
      door.token,
      "Authorization",
      door.basic,
      "Referer",
      ORIGIN + door.prefix,
    ];
    const visits = [
      { target: `${door.prefix}/admin?q=1`, fields },
      { target: "/", fields: [...fields, "Origin", "https://evil.example"], isUpgrade: true },
      { target: "/.tunnel/claim", method: "POST", fields },
      { target: "/.tunnel/p/wrong-secret/a", fields },
    ];
    for (const visit of visits) {
      const admission = door.visit(visit);
      const shown = admission.kind === "pass" ? undefined : admission.shown;
      expect(shown).toBeDefined();
      const text = JSON.stringify(shown);
      for (const secret of [
        cookie.split("=")[1],
        door.token,
        door.basic.slice(6),
        door.prefix.slice(11),
        "wrong-secret",
      ])
        expect(text).not.toContain(secret);
    }
    const [refused] = visits.map((visit) => door.visit(visit));
    expect(refused).toMatchObject({
      shown: { method: "GET", target: "/.tunnel/p/.../admin?q=1", fields: ["Referer", ORIGIN] },
    });
  });
});
