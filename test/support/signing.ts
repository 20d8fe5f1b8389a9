import { must } from "../../src/errors/must.ts";
import type { Attestation } from "../../src/protocol/room/audit-log.ts";
import type { SignOff } from "../../src/protocol/sign-off/sign-offs.ts";
import { statementBytes } from "../../src/protocol/sign-off/signed-bytes.ts";
import { encodeProposal, encodeStatement, type Statement } from "../../src/protocol/sign-off/statement.ts";
import { nodePrimitives, type Guest, type World } from "./wire.ts";

/** Signing off in rooms on an in-memory wire: what persons and hostile programs would send. */

type Member = Guest | "host";

const machineOf = (world: World, who: Member) => (who === "host" ? world.room : who.member);

/** The proposal that stands for this member. */
export function standing(world: World, who: Member = "host"): SignOff {
  return must(machineOf(world, who).signOff, "a proposal that stands");
}

export function attestationOf(world: World, who: Member): Attestation {
  return must(machineOf(world, who).attestation, "a member that is in the room");
}

/** Sends a text as it is, where offers stand. */
export function post(world: World, who: Member, text: string, marks: object = {}): void {
  world.advance(1_000);
  const message = { text, what: "file", ...marks } as const;
  if (who === "host") world.room.say(message, world.now);
  else who.member.say(message, world.now);
  world.settle();
}

export function propose(world: World, who: Member, outcome = "GET /orders answers an object"): SignOff {
  post(world, who, encodeProposal(outcome));
  return standing(world);
}

/** What a person of this member would sign, with a key of their own. */
export function statementOf(
  world: World,
  who: Member,
  said: Partial<Statement> = {},
  keys = nodePrimitives.generateSigningKeyPair(),
): Statement {
  const { digest, proposed } = standing(world, who);
  const attestation = attestationOf(world, who);
  const verdict = said.verdict ?? "done";
  const made = said.made ?? "page";
  const key = keys.publicKey;
  return {
    signs: digest,
    seq: proposed.view.seq,
    verdict,
    ...(said.reason === undefined ? {} : { reason: said.reason }),
    made,
    key,
    certificate: attestation.certify(digest, { made, key }),
    signature: keys.sign(statementBytes(digest, attestation.self, { verdict, reason: said.reason })),
    ...said,
  };
}

/** Sends it as a person's words. */
export function state(world: World, who: Member, statement = statementOf(world, who)): Statement {
  post(world, who, encodeStatement(statement), { author: "human" });
  return statement;
}
