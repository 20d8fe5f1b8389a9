import { describe } from "vitest";
import { MemoryClaims } from "../../../src/relay/claims/memory.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { claimsContract } from "./contract.ts";

describe("the register of a single node", () => {
  claimsContract(async () => {
    const limits = { roomAwayMs: 60_000, maxIdle: 1_000 };
    const claims = await MemoryClaims.open({ node: "a", clock: systemClock, limits });
    return { ends: [{ node: "a", claims }] };
  });
});
