import type { JSONRPCMessage } from "@modelcontextprotocol/server";
import { fieldsOf, type Fields } from "../arguments/plain.ts";

/**
 * A request in the form that the SDK takes, where its client has written `null` for what it leaves out, or its model has given
 * arguments that are no object. The SDK would refuse it without a code and a next step; what is wrong with the arguments is for
 * their reader to say.
 */
export function readable(message: JSONRPCMessage): JSONRPCMessage {
  if (!("method" in message) || message.params === undefined) return message;
  const params = withoutNull(message.params);
  if (message.method === "tools/call") return { ...message, params: { ...params, ...toolArguments(params) } };
  if (message.method === "prompts/get")
    return { ...message, params: { ...params, ...promptArguments(params) } };
  return { ...message, params };
}

function withoutNull(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}

/** What is no object goes one level down, where the reader of the arguments says what it must be. */
function toolArguments({ arguments: given }: Fields): Fields {
  const isObject = typeof given === "object" && !Array.isArray(given);
  return given === undefined || isObject ? {} : { arguments: { arguments: given } };
}

/** The arguments of a prompt are texts that a human has typed (MCP, Prompts). */
function promptArguments({ arguments: given }: Fields): Fields {
  if (given === undefined) return {};
  const entries = Object.entries(withoutNull(fieldsOf(given) ?? {}));
  return {
    arguments: Object.fromEntries(
      entries.map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]),
    ),
  };
}
