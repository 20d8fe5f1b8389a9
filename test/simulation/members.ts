import assert from "node:assert/strict";
import { TunnelError } from "../../src/errors/tunnel-error.ts";
import type { MemberId } from "../../src/protocol/base/ids.ts";
import { LINK } from "../../src/protocol/base/limits.ts";
import type { OutgoingMessage } from "../../src/protocol/room/participant.ts";
import type { Participant } from "./participant.ts";
import { SECOND } from "./plan.ts";
import { addOrigin, type Stage } from "./stage.ts";
import type { Guest } from "../support/wire.ts";

const LONG_CHARS = 60_000;
/** With these a window of 1 MiB is full; what is left is less than what goes out ahead of a last word (G5), or, seldom, more. */
const ABRUPT_MESSAGES = [18, 22, 28, 28, 45];
/** Three times that is more than an outbox holds. */
const FLOOD_MESSAGES = 50;

/** What members and host do on purpose. */
export class Members {
  readonly #stage: Stage;
  #hasFlooded = false;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  join(): void {
    const { world, chance, checks, origins } = this.#stage;
    if (world.room.ended !== undefined || world.isHostAsleep) return;
    try {
      const link = world.link(chance.pick(origins));
      const names = chance.happens(0.05) ? ["ben", "eva"] : [chance.pick(["ben", "Ben", "eva"])];
      for (const name of names) {
        const guest = world.join(link, name);
        guest.source = `198.51.100.${checks.all.length}`;
        checks.add(guest, names.length > 1);
      }
    } catch (error) {
      if (!(error instanceof TunnelError)) throw error;
      assert.equal(error.code, "invite-limit");
    }
  }

  // --- words ---

  speak(signer: Participant): void {
    const { plan, chance } = this.#stage;
    if (!signer.isAwake) return;
    const times = chance.pick([1, 1, 1, 2, 6]);
    const lengths = plan.isHeavy ? [0, LONG_CHARS] : [0, 0, 3, 40, 700];
    for (let time = 0; time < times; time += 1) this.#say(signer, lengths);
  }

  /** So much is said, to those who hear it, that the outbox of one who is away gets full. */
  flood(): void {
    const { world, chance, checks } = this.#stage;
    const [host, ...guests] = checks.all;
    const away = guests.length === 0 ? undefined : chance.pick(guests);
    // Twice would be more than a log keeps.
    if (this.#hasFlooded || host === undefined || away === undefined || world.isHostAsleep) return;
    this.#hasFlooded = true;
    this.#keepAway(away);
    for (let round = 0; round < 3; round += 1) {
      for (let time = 0; time < FLOOD_MESSAGES; time += 1) this.#say(host, [LONG_CHARS]);
      world.advance(5 * SECOND);
    }
  }

  /** It hears nothing until it is allowed back. */
  #keepAway(away: Participant): void {
    away.excuse();
    if (away.guest === undefined) return;
    away.guest.offline = true;
    this.#stage.world.cut(away.guest);
  }

  #say(signer: Participant, lengths: readonly number[]): void {
    const { world, chance, plan } = this.#stage;
    const { index, guest, said } = signer;
    const text = `${index}:${said.length} ${"x".repeat(chance.pick(lengths))}`.trim();
    const to = plan.hasAddressed && chance.happens(0.35) ? this.#some(signer) : undefined;
    const lastSeq = guest === undefined ? world.room.lastSeq : guest.member.lastSeq;
    const replyTo = lastSeq > 0 && chance.happens(0.1) ? 1 + chance.below(lastSeq) : undefined;
    const refusal = this.#utter(guest, {
      text,
      ...(to === undefined ? {} : { to }),
      ...(replyTo === undefined ? {} : { replyTo }),
    });
    if (refusal === undefined) said.push({ text, to, place: undefined });
    else {
      const isReason = ["tunnel-closed", "nobody-joined", "outbox-full"].includes(refusal);
      assert.ok(isReason, `${index} could not speak: ${refusal}`);
    }
  }

  #utter(guest: Guest | undefined, outgoing: OutgoingMessage): string | undefined {
    const { world } = this.#stage;
    try {
      if (guest === undefined) world.room.say(outgoing, world.hostNow);
      else guest.member.say(outgoing, world.nowOf(guest));
      return undefined;
    } catch (error) {
      if (!(error instanceof TunnelError)) throw error;
      return error.code;
    }
  }

  /** Some of those whom the speaker knows, in any order. */
  #some({ id, guest }: Participant): readonly MemberId[] | undefined {
    const { world, chance } = this.#stage;
    const known =
      guest === undefined
        ? world.room.presence(world.hostNow)
        : (guest.member.membership?.order.members ?? []);
    const others = known.map((one) => one.id).filter((one) => one !== id);
    if (others.length === 0) return undefined;
    const wanted = Math.min(others.length, chance.pick([1, 1, 1, 2, 3, others.length]));
    const some: MemberId[] = [];
    for (let one = 0; one < wanted; one += 1) some.push(...others.splice(chance.below(others.length), 1));
    return some;
  }

  read(participant: Participant): void {
    const { world, chance } = this.#stage;
    const { reader, guest, isAwake } = participant;
    if (reader === undefined || !isAwake) return;
    const roll = chance.next();
    if (roll < 0.5) reader.listen(chance.pick([1, 2, 5, 50]));
    else if (roll < 0.7) reader.cancel(chance.below(4));
    else if (roll < 0.8) reader.reread(chance.below(world.room.lastSeq + 1));
    else reader.act();
    const { read } = reader.inbox;
    if (guest === undefined) world.room.touch(read, world.hostNow);
    else guest.member.touch(read, world.nowOf(guest));
  }

  // --- coming and going ---

  comeOrGo(participant: Participant): void {
    const { world, chance, plan } = this.#stage;
    const { guest } = participant;
    if (chance.happens(0.6)) return this.join();
    if (guest !== undefined) return this.#leave(participant, guest);
    if (plan.isEnded && world.room.lastSeq > 12) this.#end();
  }

  /** Somebody speaks until windows are full, and what comes next ends a stay, or all. */
  stopAbruptly(): void {
    const { world, chance, checks } = this.#stage;
    const [host, ...guests] = checks.all;
    const signer = chance.happens(0.5) || guests.length === 0 ? host : chance.pick(guests);
    if (signer === undefined || this.#hasFlooded || !signer.isAwake) return;
    this.#hasFlooded = true;
    world.settle();
    const messages = chance.pick(ABRUPT_MESSAGES);
    for (let time = 0; time < messages; time += 1) this.#say(signer, [LONG_CHARS]);
    const { guest } = signer;
    if (guest !== undefined) return this.#leave(signer, guest);
    if (chance.happens(0.5)) return this.#end();
    this.remove(chance.pick(guests.length === 0 ? checks.all : guests));
  }

  #end(): void {
    const { world, chance } = this.#stage;
    if (!world.isHostAsleep) world.room.end(chance.pick(["closed", "host-stopped"]), world.hostNow);
  }

  #leave(participant: Participant, guest: Guest): void {
    const { world, checks, chance, plan } = this.#stage;
    if (!participant.isAwake) return;
    checks.leaves(participant, guest);
    guest.member.leave(world.nowOf(guest));
    if (chance.happens(0.5)) return;
    // At once means: as soon as the word has come (G2). A heavy talker may not be listened to yet (E1).
    world.advance(2 * (plan.latencyMs + plan.jitterMs) + 1);
    if (!participant.mustBeSeenLeaving || plan.isHeavy || !world.isRead(guest)) return;
    assert.equal(checks.lostSeat(participant), "left", `guest ${participant.index} still has a seat`);
  }

  /** The host sends somebody away; or tries to, who is not here. */
  remove(participant: Participant): void {
    const { world, checks, chance } = this.#stage;
    const { room } = world;
    if (world.isHostAsleep || room.ended !== undefined) return;
    const { guest, id } = participant;
    if (guest === undefined || !checks.order.isPresent(id)) return this.#removeNobody(id);
    if (chance.happens(0.3)) this.#exile(participant);
    if (!checks.order.isPresent(id)) return;
    checks.isRemoved(participant, guest);
    room.remove(id, world.hostNow);
    if (chance.happens(0.5)) guest.offline = false;
    if (chance.happens(0.5)) world.settle();
  }

  /** It is away when it happens, knowing more than one way back. */
  #exile(participant: Participant): void {
    const { world, plan } = this.#stage;
    if (plan.moves) {
      while (this.#stage.origins.length < LINK.maxAddresses) addOrigin(this.#stage);
      world.room.setAddresses(this.#stage.origins, world.hostNow);
      world.advance(plan.latencyMs + plan.jitterMs);
    }
    this.#keepAway(participant);
  }

  #removeNobody(id: MemberId): void {
    const { world } = this.#stage;
    const { lastSeq } = world.room;
    assert.throws(() => world.room.remove(id, world.hostNow), { code: "member-unknown" });
    assert.equal(world.room.lastSeq, lastSeq, "nobody was removed, and something happened");
  }
}
