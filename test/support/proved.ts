import type { Bytes } from "../../src/protocol/base/bytes.ts";
import type { RoomId } from "../../src/protocol/base/ids.ts";
import type { Primitives, SigningKeyPair } from "../../src/protocol/base/primitives.ts";
import type { MemberRecord } from "../../src/protocol/room/frames.ts";
import { SigningChain } from "../../src/protocol/room/order.ts";
import { nodePrimitives } from "../../src/runtime/primitives.ts";

/** A member's record with everything that its owner proves (H13); `hash` is zeros for a host. */
export function provedRecord(
  room: RoomId,
  keys: SigningKeyPair,
  told: Pick<MemberRecord, "name" | "workContext" | "role"> & { hash: Bytes; box?: Bytes },
  primitives: Primitives = nodePrimitives,
): MemberRecord {
  const { name, workContext, role, hash, box = primitives.generateDhKeyPair().publicKey } = told;
  const chain = new SigningChain(primitives, keys, room);
  return {
    id: chain.id,
    name,
    key: chain.publicKey,
    box,
    hash,
    proof: chain.prove(hash, box, role),
    ...(workContext === undefined ? {} : { workContext }),
    ...(role === undefined ? {} : { role }),
  };
}
