/**
 * Hostile members for `fairness`: the program's own machine on its own socket, driven as no agent would. What the host does not read
 * they cannot send, and that is the only limit they have.
 */
import { lookup } from "node:dns";
import { GuestSocket, loadDial } from "../src/transport/guest-socket.ts";
import { parseLink } from "../src/protocol/handshake/invite-link.ts";
import { Guest } from "../src/protocol/guest/guest.ts";
import { encodeFileRequest, FILES_SERVICE } from "../src/protocol/files/stream.ts";
import { nodePrimitives } from "../src/runtime/primitives.ts";
import { systemClock } from "../src/runtime/clock.ts";
import { serve, sleep } from "./side.mjs";

const PER_TURN = 50;
const MUCH = 2 ** 40;
const LONG = "x".repeat(60_000);
/** Bytes of its own that it lets wait, so that its outbox never refuses anything. */
const WAITING_BYTES = 6_000_000;

const seats = [];

class Seat {
  offer = undefined;
  strategy = undefined;
  acts = 0;

  constructor(dial, joinLink) {
    const link = parseLink(joinLink);
    const now = systemClock.now();
    this.member = new Guest(nodePrimitives, { link, name: "mallory" }, now);
    const onNotice = (notice) => this.noticed(notice);
    this.socket = new GuestSocket({
      member: this.member,
      room: link.room,
      clock: systemClock,
      dial,
      lookup,
      onNotice,
    });
  }

  noticed(notice) {
    if (notice.type === "entry" && notice.entry.kind === "file") {
      const { offer, from } = notice.entry;
      this.offer = { request: encodeFileRequest({ file: offer.id, offset: 0 }), who: from };
    }
    if (notice.type !== "stream" || notice.event.t !== "accept" || this.strategy !== "stopAtAnswer") return;
    const { stream } = notice.event;
    // Not within the machine's own turn.
    queueMicrotask(() => this.say({ t: "reset", stream, code: "cancelled" }));
  }

  say(frame) {
    this.acts += 1;
    this.socket.run((member, now) => member.stream(frame, now));
  }

  open(credit) {
    const { request, who } = this.offer;
    this.acts += 1;
    return this.socket.run((member, now) =>
      member.openStream({ service: FILES_SERVICE, who, request, credit }, now),
    );
  }

  talk(text) {
    if (this.member.unplaced * (text.length + 1_000) > WAITING_BYTES) return;
    this.acts += 1;
    this.socket.run((member, now) => member.say({ text }, now));
  }

  act() {
    if (this.member.connection.name !== "connected" || this.strategy === undefined) return;
    switch (this.strategy) {
      case "openAndStop": {
        const stream = this.open(MUCH);
        if (stream !== undefined) this.say({ t: "reset", stream, code: "cancelled" });
        return;
      }
      case "stopAtAnswer":
        return void this.open(MUCH);
      case "takes":
        return void (this.acts === 0 && this.open(MUCH));
      case "talks":
        return this.talk("x");
      case "talksAtLength":
        return this.talk(LONG);
    }
  }
}

async function run() {
  for (;;) {
    // A member's socket that is full is no reason to wait for it: it is read from as fast as the host likes.
    for (const seat of seats) for (let turn = 0; turn < PER_TURN; turn += 1) seat.act();
    await sleep(2);
  }
}
void run();

serve({
  async join({ links }) {
    const dial = await loadDial();
    for (const joinLink of links) seats.push(new Seat(dial, joinLink));
    while (seats.some(({ member }) => member.membership?.replica.hasArrived !== true)) await sleep(5);
  },
  /** Resolves when they have heard of a file. */
  async offered() {
    while (seats.some(({ offer }) => offer === undefined)) await sleep(5);
  },
  /** What each seat does from now on; nothing where it is left out. */
  begin({ strategies }) {
    for (const [at, seat] of seats.entries()) {
      seat.acts = 0;
      seat.strategy = strategies[at];
    }
  },
  /** Their socket may be full of what the host does not read: the next strategy has seats of its own. */
  async leave() {
    for (const { socket } of seats) {
      socket.run((member, now) => member.leave(now));
      await socket.stop();
    }
    seats.splice(0);
  },
  acts: () => seats.map(({ acts }) => acts),
});
