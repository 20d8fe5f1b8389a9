import { BRIDGE_LIMITS, type BridgeLimits } from "../../bridge/protocol/limits.ts";

/** The bounds of a bridge to which all visitors of an address come as one: its calls are those of all of them. */
export const MCP_LIMITS: BridgeLimits = { ...BRIDGE_LIMITS, callsOfVisitor: 512, calls: 512 };

/** Pages of so many origins may call at most. */
export const MAX_ORIGINS = 16;
