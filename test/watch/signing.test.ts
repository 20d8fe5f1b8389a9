import { createServer, type Server } from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { must } from "../../src/errors/must.ts";
import { noExposures } from "../../src/expose/exposures/lazy-exposures.ts";
import { noServices } from "../../src/services/tunnels/lazy-services.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { nodePrimitives } from "../../src/runtime/primitives.ts";
import type { Session, Sessions } from "../../src/session/sessions.ts";
import { parseTranscript } from "../../src/session/transcript/document.ts";
import { verifyTranscript } from "../../src/session/transcript/verify.ts";
import type { SignOffView } from "../../src/view/signing/sign-off.ts";
import { WatchClient } from "../../src/watch/client.ts";
import { Faces } from "../../src/watch/faces.ts";
import type { FaceKind, WatchEvent } from "../../src/watch/protocol.ts";
import { signCommand } from "../../src/watch/sign-by-hand.ts";
import { rejectedWith } from "../support/rejection.ts";
import { hostRequest, joinRequest, sessionsOn } from "../session/support.ts";

const TOKEN = "t".repeat(43);
const undo: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const one of undo.splice(0).toReversed()) await one();
});

/** A server of one user, with a face of its person. */
async function person(kind: FaceKind) {
  const sessions = sessionsOn(systemClock);
  undo.push(() => sessions.shutDown());
  const folder = mkdtempSync(path.join(tmpdir(), "signing-"));
  undo.push(() => rmSync(folder, { recursive: true }));
  const faces = new Faces({
    sessions,
    exposures: noExposures(),
    services: noServices(),
    clock: systemClock,
    server: { pid: 1, version: "0", folder: "/w" },
  });
  const server: Server = createServer((socket) => faces.accept(socket, (token) => token === TOKEN));
  await new Promise<void>((resolve) => server.listen(path.join(folder, "s"), resolve));
  undo.push(() => new Promise<void>((resolve) => server.close(() => resolve())));
  const look = () => {
    let shown: SignOffView | undefined;
    const event = (told: WatchEvent): void => {
      if (told.t === "hello") shown = told.tunnels[0]?.signOff;
      if (told.t === "tunnel") shown = told.tunnel.signOff;
    };
    const place = { endpoint: path.join(folder, "s"), token: TOKEN };
    const client = new WatchClient(place, "0", { event, closed: () => undefined }, kind);
    undo.push(() => client.close());
    return { client, shown: () => shown };
  };
  return { sessions, look };
}

async function two() {
  const [ana, ben] = [await person("watch"), await person("page")];
  const { hosting, invites } = await ana.sessions.host(hostRequest("Agree on the API"));
  const guest = await ben.sessions.join(joinRequest(invites[0]?.joinLink));
  return { ana, ben, hosting, guest };
}

const until = (what: string, test: () => boolean) =>
  expect.poll(test, { message: what, timeout: 5_000 }).toBe(true);

async function sign(
  tunnel: Session,
  { client, shown }: { client: WatchClient; shown: () => SignOffView | undefined },
  verdict: "done" | "not-done" = "done",
): Promise<void> {
  const view = must(shown(), "what is to be signed");
  const { tunnelId } = tunnel;
  await client.ask({ do: "sign", tunnelId, verdict, ...signCommand(nodePrimitives, view, { verdict }) });
}

const proofOf = (sessions: Sessions, tunnel: Session) =>
  verifyTranscript(
    nodePrimitives,
    parseTranscript(sessions.transcripts.json(sessions.transcripts.of(tunnel))),
  );

describe("two people at faces of theirs", () => {
  it("H28: see the same outcome and words, sign it, and each side's transcript says so", async () => {
    const { ana, ben, hosting, guest } = await two();
    const [anas, bens] = [ana.look(), ben.look()];
    await guest.signing.propose("GET /orders answers an object", undefined);
    await until(
      "both are shown it",
      () => anas.shown()?.isOpenToSelf === true && bens.shown()?.isOpenToSelf === true,
    );
    expect(anas.shown()).toMatchObject({
      outcome: "GET /orders answers an object",
      fromName: "ben",
      state: "open",
    });
    expect(anas.shown()?.words).toMatch(/^[a-z]+ [a-z]+ [a-z]+$/);
    expect([anas.shown()?.words, anas.shown()?.digest]).toEqual([bens.shown()?.words, bens.shown()?.digest]);
    await sign(hosting, anas);
    await until(
      "ben sees that ana has",
      () => bens.shown()?.members.some(({ name, verdict }) => name === "ana" && verdict === "done") === true,
    );
    await sign(guest, bens);
    await until("all have", () => anas.shown()?.state === "signed" && bens.shown()?.state === "signed");
    const made = anas.shown()?.members.map((one) => [one.name, one.made]);
    expect(made).toEqual([
      ["ana", "terminal"],
      ["ben", "page"],
    ]);
    for (const [sessions, tunnel] of [
      [ana.sessions, hosting],
      [ben.sessions, guest],
    ] as const) {
      const { ok, signedOff } = proofOf(sessions, tunnel);
      expect([ok, signedOff.proposals.at(-1)?.state]).toEqual([true, "signed"]);
    }
    // What nobody asked for twice is not signed twice.
    expect(await rejectedWith(sign(hosting, anas))).toBe("sign-off-over");
  });

  it("H12: one who comes late is shown what stands; after a refusal nobody can sign it", async () => {
    const { ana, ben, hosting, guest } = await two();
    await hosting.signing.propose("done", undefined);
    await until("it has come", () => guest.signing.isOpen);
    const bens = ben.look();
    await until("it is shown", () => bens.shown() !== undefined);
    await sign(guest, bens, "not-done");
    const anas = ana.look();
    await until("the refusal is shown", () => anas.shown()?.state === "refused");
    expect(anas.shown()?.isOpenToSelf).toBe(false);
    expect(await rejectedWith(sign(hosting, anas))).toBe("sign-off-over");
  });

  it("H9: sign what they were shown: another outcome under the same words of command is none", async () => {
    const { ana, hosting, guest } = await two();
    const anas = ana.look();
    await guest.signing.propose("one", undefined);
    await until("it is shown", () => anas.shown()?.outcome === "one");
    const shown = must(anas.shown(), "what was shown");
    await guest.signing.propose("two", undefined);
    await until("the other has come", () => hosting.signing.standing?.proposed.outcome === "two");
    expect(await rejectedWith(sign(hosting, { client: anas.client, shown: () => shown }))).toBe(
      "sign-off-unknown",
    );
    const { tunnelId } = hosting;
    const good = signCommand(nodePrimitives, shown, { verdict: "done" });
    for (const change of [
      { key: "A".repeat(43) },
      { signature: "A".repeat(86) },
      { digest: `${"A".repeat(42)}B` },
    ])
      expect(
        await rejectedWith(anas.client.ask({ do: "sign", tunnelId, verdict: "done", ...good, ...change })),
      ).toMatch(/^sign-off-un/);
    expect(hosting.signing.standing?.counted).toEqual([]);
  });
});
