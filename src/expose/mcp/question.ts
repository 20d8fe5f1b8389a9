import { BRIDGE_CLIENT, paramsFor } from "../../bridge/protocol/adapt.ts";
import { LEGACY_VERSIONS, MODERN_VERSION, type Era } from "../../bridge/protocol/era.ts";
import { encodeRequest } from "../../bridge/protocol/frames.ts";
import type { ServiceQuestion } from "../upstream.ts";

/** How a client of an era begins: it shows that a server answers, and leaves nothing behind. */
export function openingQuestion(era: Era): ServiceQuestion {
  const method = era === "modern" ? "server/discover" : "initialize";
  const [protocolVersion] = LEGACY_VERSIONS;
  const params =
    era === "modern"
      ? paramsFor("modern", {}, undefined)
      : { protocolVersion, capabilities: {}, clientInfo: BRIDGE_CLIENT };
  const ofEra = era === "modern" ? ["MCP-Protocol-Version", MODERN_VERSION, "Mcp-Method", method] : [];
  const types = ["Content-Type", "application/json", "Accept", "application/json, text/event-stream"];
  return {
    method: "POST",
    target: "/mcp",
    fields: [...types, ...ofEra],
    body: encodeRequest({ id: 1, method, params }),
  };
}
