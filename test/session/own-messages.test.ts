import { describe, expect, it } from "vitest";
import { encodeOffer } from "../../src/protocol/files/offer.ts";
import type { OutgoingMessage } from "../../src/protocol/room/participant.ts";
import { OwnMessages } from "../../src/session/saying/own-messages.ts";
import { memberIdFromText } from "./support.ts";

const [ben, cleo] = [memberIdFromText("ben"), memberIdFromText("cleo")];
const START = 1_700_000_000_000;

function said(own: OwnMessages, key: number, message: OutgoingMessage, call?: number): void {
  own.add(message, { key, seq: undefined, ownNo: key, saidAt: START, call });
}

describe("the last own messages", () => {
  it("are five, the newest last, each with its first words", () => {
    const own = new OwnMessages();
    for (let key = 1; key <= 7; key += 1)
      said(own, key, { text: `\n message  ${key}\n${"x".repeat(70_000)}` });
    expect(own.last.map(({ ownNo }) => ownNo)).toEqual([3, 4, 5, 6, 7]);
    for (const { firstWords, ownNo } of own.last)
      expect(firstWords).toMatch(new RegExp(`^message ${ownNo} x{45,50}…$`));
  });

  it("of a file show its name", () => {
    const own = new OwnMessages();
    const offer = {
      id: new Uint8Array(16),
      key: new Uint8Array(32),
      name: "a.txt",
      size: 1,
      hash: new Uint8Array(32),
    };
    said(own, 1, { what: "file", text: encodeOffer(offer) });
    expect(own.last).toMatchObject([{ firstWords: "a.txt", kind: "file" }]);
  });

  it("are queued, then sent with their place, or unconfirmed when nobody is left or the tunnel ends", () => {
    const own = new OwnMessages();
    for (let key = 1; key <= 3; key += 1) said(own, key, { text: `${key}` });
    own.confirmed(1, 11);
    own.givenUp(2);
    // What is confirmed stays so.
    own.givenUp(1);
    const states = () => own.last.map(({ state, seq }) => [state, seq]);
    expect(states()).toEqual([
      ["sent", 11],
      ["unconfirmed", undefined],
      ["queued", undefined],
    ]);
    own.end();
    expect(states()[2]).toEqual(["unconfirmed", undefined]);
  });
});

describe("a message whose call was cut off", () => {
  const message: OutgoingMessage = { text: "ship it", intent: "request", replyTo: 3, to: [ben, cleo] };

  it("is taken up by the same one, once", () => {
    const own = new OwnMessages();
    said(own, 1, message, 7);
    expect(own.takeUp(message, 8, START)).toBeUndefined();
    own.cancelled(7);
    own.confirmed(1, 12);
    expect(own.takeUp({ ...message, to: [cleo, ben] }, 8, START + 60_000)).toMatchObject({
      call: 7,
      seq: 12,
    });
    expect(own.takeUp(message, 9, START + 60_000)).toBeUndefined();
    // The call that took it up can be cut off as well.
    own.cancelled(8);
    expect(own.takeUp(message, 9, START + 60_000)).toMatchObject({ call: 8 });
  });

  it.each<[string, Partial<OutgoingMessage>]>([
    ["text", { text: "ship it!" }],
    ["intent", { intent: "inform" }],
    ["replyTo", { replyTo: 4 }],
    ["to", { to: [ben] }],
  ])("is not the one that differs in %s", (_what, other) => {
    const own = new OwnMessages();
    said(own, 1, message, 7);
    own.cancelled(7);
    expect(own.takeUp({ ...message, ...other }, 8, START)).toBeUndefined();
  });

  it("is said anew where nobody will confirm it, and after ten minutes", () => {
    const own = new OwnMessages();
    said(own, 1, message, 7);
    own.cancelled(7);
    expect(own.takeUp(message, 8, START + 600_000)).toBeUndefined();
    own.givenUp(1);
    expect(own.takeUp(message, 8, START)).toBeUndefined();
  });
});
