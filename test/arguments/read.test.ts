import { describe, expect, it } from "vitest";
import { parseJsonCommand } from "../../src/cli/chat/json/input.ts";
import { nearest } from "../../src/errors/nearest.ts";
import { TOOLS } from "../../src/mcp/tools/index.ts";
import { thrownBy } from "../support/thrown.ts";

/** The arguments as a tool gets them. */
function read(tool: string, given: unknown): unknown {
  return TOOLS.find(({ name }) => name === tool)?.prepare(given).input;
}

const refusal = (tool: string, given: unknown) => thrownBy(() => read(tool, given));

describe("an argument is read as what it plainly means", () => {
  it.each<[string, string, unknown, unknown]>([
    ["digits for a number", "tunnel_listen", { timeoutMs: "0" }, { timeoutMs: 0 }],
    ["digits with space around them", "tunnel_listen", { timeoutMs: " 500 " }, { timeoutMs: 500 }],
    ["digits in quotation marks", "tunnel_listen", { timeoutMs: '"5"' }, { timeoutMs: 5 }],
    ["a decimal point", "tunnel_listen", { timeoutMs: "5.5" }, { timeoutMs: 5.5 }],
    ["a whole number with a decimal point", "tunnel_listen", { limit: "5.0" }, { limit: 5 }],
    ["a sign", "tunnel_listen", { limit: "+5" }, { limit: 5 }],
    ["zero with a sign", "tunnel_listen", { timeoutMs: "-0", sinceSeq: -0 }, { timeoutMs: 0, sinceSeq: 0 }],
    ["leading zeros", "tunnel_listen", { limit: "007" }, { limit: 7 }],
    ["a number in a list", "tunnel_listen", { limit: [3] }, { limit: 3 }],
    ["true as a word", "tunnel_share", { patch: "true" }, { patch: true }],
    [
      "false as a word of Python",
      "tunnel_receive",
      { fileId: "f", name: "n", from: "b", savePath: "x", overwrite: "False" },
      { fileId: "f", name: "n", from: "b", savePath: "x", overwrite: false },
    ],
    ["true in capitals with space", "tunnel_share", { patch: " TRUE " }, { patch: true }],
    [
      "null for an optional argument",
      "tunnel_say",
      { text: "x", intent: null, replyTo: null, to: null, waitMs: null, tunnelId: null },
      { text: "x" },
    ],
    [
      "an empty text for an optional argument",
      "tunnel_say",
      { text: "x", intent: "", replyTo: "", to: "", waitMs: "", tunnelId: "" },
      { text: "x" },
    ],
    ["an empty text for optional words", "tunnel_close", { summary: "" }, {}],
    [
      "null where there is a default",
      "tunnel_open",
      { goal: "x", invites: null, history: "" },
      { goal: "x", invites: 1, history: false },
    ],
    [
      "words for nothing",
      "tunnel_say",
      { text: "x", replyTo: "null", tunnelId: "undefined", intent: "None" },
      { text: "x" },
    ],
    ["one text for a list", "tunnel_say", { text: "x", to: "Bob" }, { text: "x", to: ["Bob"] }],
    ["a list as JSON", "tunnel_say", { text: "x", to: '["Ann", "Bob"]' }, { text: "x", to: ["Ann", "Bob"] }],
    [
      "a choice in other letter case",
      "tunnel_say",
      { text: "x", intent: " Request " },
      { text: "x", intent: "request" },
    ],
    [
      "a choice in quotation marks",
      "tunnel_open",
      { goal: "x", transport: '"DIRECT"' },
      { goal: "x", transport: "direct", invites: 1, history: false },
    ],
    ["an id in backticks", "tunnel_status", { tunnelId: "`0a1b2c3d4e5f`" }, { tunnelId: "0a1b2c3d4e5f" }],
    [
      "an id of digits as a number",
      "tunnel_status",
      { tunnelId: 123456789012 },
      { tunnelId: "123456789012" },
    ],
    ["words in a list of one", "tunnel_say", { text: ["hello"] }, { text: "hello" }],
    ["no arguments", "tunnel_status", undefined, {}],
    ["null for all arguments", "tunnel_status", null, {}],
    ["an empty text for all arguments", "tunnel_status", "", {}],
    ["an empty list for all arguments", "tunnel_status", [], {}],
    ["all arguments as JSON", "tunnel_say", '{"text":"hi","waitMs":"5"}', { text: "hi", waitMs: 5 }],
    ["all arguments in a list of one", "tunnel_say", [{ text: "hi" }], { text: "hi" }],
    ["wrapped arguments", "tunnel_say", { arguments: { text: "hi" } }, { text: "hi" }],
    ["arguments wrapped under another name", "tunnel_say", { input: { text: "hi" } }, { text: "hi" }],
    ["arguments wrapped as JSON", "tunnel_say", { params: '{"text":"hi"}' }, { text: "hi" }],
    ["arguments wrapped twice", "tunnel_say", { input: { arguments: { text: "hi" } } }, { text: "hi" }],
    ["nothing, wrapped", "tunnel_status", { arguments: null }, {}],
    ["a whole call", "tunnel_say", { name: "tunnel_say", arguments: { text: "hi" } }, { text: "hi" }],
  ])("%s", (_what, tool, given, understood) => {
    expect(read(tool, given)).toEqual(understood);
  });

  it.each(["null", "true", "5", '["a"]', '{"text":"x"}', " `x` ", '"quoted"', "None", "undefined"])(
    "but words are never changed: %s",
    (text) => {
      expect(read("tunnel_say", { text })).toEqual({ text });
      expect(read("tunnel_close", { summary: text })).toEqual({ summary: text });
      expect(read("tunnel_say", { text: "x", to: [text] })).toEqual({ text: "x", to: [text] });
      expect(parseJsonCommand(JSON.stringify({ say: text }))).toEqual({ say: text });
    },
  );
});

describe("what cannot be one thing alone is refused with name and form", () => {
  it.each<[string, string, Record<string, unknown>, string]>([
    [
      "letters for a number",
      "tunnel_listen",
      { timeoutMs: "abc" },
      "timeoutMs: must be a number, at least 0",
    ],
    [
      "a number with letters",
      "tunnel_listen",
      { timeoutMs: "5x" },
      "timeoutMs: must be a number, at least 0",
    ],
    ["an exponent", "tunnel_listen", { limit: "1e3" }, "limit: must be a whole number, at least 1"],
    ["hexadecimal digits", "tunnel_listen", { limit: "0x10" }, "limit: must be a whole number, at least 1"],
    ["digits in groups", "tunnel_listen", { timeoutMs: "1,000" }, "timeoutMs: must be a number"],
    ["a unit", "tunnel_listen", { timeoutMs: "5 s" }, "timeoutMs: must be a number"],
    ["half of a whole number", "tunnel_listen", { limit: "2.5" }, "limit: must be a whole number"],
    [
      "digits below the least",
      "tunnel_listen",
      { timeoutMs: "-1" },
      "timeoutMs: must be a number, at least 0",
    ],
    [
      "more than the most",
      "tunnel_open",
      { goal: "x", invites: "64" },
      "invites: must be a whole number from 1 to 63",
    ],
    [
      "more digits than a number keeps",
      "tunnel_say",
      { text: "x", replyTo: "99999999999999999999" },
      "replyTo: must be a whole number",
    ],
    ["true for a number", "tunnel_listen", { limit: true }, "limit: must be a whole number"],
    ["a list of two for a number", "tunnel_listen", { limit: [1, 2] }, "limit: must be a whole number"],
    [
      "yes",
      "tunnel_receive",
      { fileId: "f", savePath: "x", overwrite: "yes" },
      "overwrite: must be true or false",
    ],
    ["one for true", "tunnel_share", { patch: 1 }, "patch: must be true or false"],
    [
      "another choice",
      "tunnel_say",
      { text: "x", intent: "order" },
      "intent: must be one of request, inform, ack",
    ],
    ["a number for words", "tunnel_say", { text: 5 }, "text: must be a text"],
    ["an object for words", "tunnel_say", { text: { a: 1 } }, "text: must be a text"],
    ["null for required words", "tunnel_say", { text: null }, "text: must be a text"],
    ["null in a list", "tunnel_say", { text: "x", to: ["Bob", null] }, "to.1: must be a text"],
    ["an empty list", "tunnel_say", { text: "x", to: [] }, "to: must be a list of texts"],
    ["an object for a list", "tunnel_say", { text: "x", to: { name: "Bob" } }, "to: must be a list of texts"],
    ["a missing argument", "tunnel_say", {}, "text: is missing, and must be a text"],
    [
      "arguments that are no object",
      "tunnel_status",
      { arguments: 5 },
      "arguments: must be an object with tunnelId",
    ],
    [
      "arguments wrapped beside others",
      "tunnel_say",
      { text: "x", arguments: {} },
      "arguments: there is no such argument",
    ],
    ["another call", "tunnel_say", { name: "tunnel_open", arguments: {} }, "there is no such argument"],
  ])("%s", (_what, tool, given, said) => {
    expect(refusal(tool, given)).toMatchObject({
      code: "input-invalid",
      message: expect.stringContaining(said),
    });
  });

  it.each<[string, Record<string, unknown>, string, string]>([
    ["tunnel_open", { goal: "" }, "goal-invalid", "goal: must be a text"],
    ["tunnel_say", { text: "" }, "text-invalid", "text: must be a text"],
    [
      "tunnel_receive",
      { fileId: "", name: "n", from: "b", savePath: "x" },
      "file-unknown",
      "fileId: must be an id",
    ],
    [
      "tunnel_receive",
      { fileId: "f", name: "n", from: "b", savePath: "" },
      "path-invalid",
      "savePath: must be a text",
    ],
  ])("an empty required text of %s keeps the code that it has", (tool, given, code, said) => {
    expect(refusal(tool, given)).toMatchObject({ code, message: expect.stringContaining(said) });
  });

  it("every wrong argument is named at once, and no value is quoted", () => {
    const { message } = refusal("tunnel_say", {
      replyTo: "secret-1",
      waitMs: "secret-2",
      "wss://a#1.secret": 1,
    });
    for (const name of ["text: is missing", "replyTo:", "waitMs:", "an argument: there is no such"])
      expect(message).toContain(name);
    expect(message).not.toContain("secret");
  });
});

describe("an argument that does not exist", () => {
  it.each([
    ["tunnel_listen", "timeout_ms", "timeoutMs"],
    ["tunnel_listen", "timeout", "timeoutMs"],
    ["tunnel_listen", "TimeoutMS", "timeoutMs"],
    ["tunnel_listen", "since", "sinceSeq"],
    ["tunnel_say", "reply_to", "replyTo"],
    ["tunnel_say", "txt", "text"],
    ["tunnel_say", "intnet", "intent"],
    ["tunnel_join", "link", "joinLink"],
    ["tunnel_open", "gaol", "goal"],
    ["tunnel_status", "tunnel_id", "tunnelId"],
    ["tunnel_receive", "file-id", "fileId"],
  ])("%s %s: the nearest is %s, and all are listed", (tool, wrong, near) => {
    const { message } = refusal(tool, { [wrong]: "x" });
    expect(message).toContain(`${wrong}: there is no such argument, did you mean ${near}?`);
    const { shape } = TOOLS.find(({ name }) => name === tool)?.input ?? { shape: {} };
    expect(message).toContain(`Accepted are ${Object.keys(shape).join(", ")}`);
  });

  it("no name is invented where none is near", () => {
    expect(nearest("xyzzy", ["text", "intent", "to"])).toBeUndefined();
    expect(refusal("tunnel_status", { xyzzy: 1 }).message).toContain(
      "xyzzy: there is no such argument. Accepted are",
    );
  });

  it.each(["constructor", "__proto__", "toString"])("is never one of JavaScript's own: %s", (name) => {
    expect(refusal("tunnel_status", JSON.parse(`{"${name}": 1}`)).code).toBe("input-invalid");
  });
});

describe("a command of the JSON chat is read in the same way", () => {
  it.each<[unknown, unknown]>([
    [
      { say: "x", to: "Bob", replyTo: "3", intent: "ACK" },
      { say: "x", to: ["Bob"], replyTo: 3, intent: "ack" },
    ],
    [{ say: "x", to: null, replyTo: "", intent: null, ref: null }, { say: "x" }],
    [{ say: "x", invite: null, close: null, share: null }, { say: "x" }],
    [
      { say: "x", ref: "5" },
      { say: "x", ref: "5" },
    ],
    [{ invite: "2" }, { invite: 2 }],
    [{ status: "true" }, { status: true }],
    [{ close: "TRUE" }, { close: true }],
    [{ share: '{"path":"a.txt","note":null,"to":"Bob"}' }, { share: { path: "a.txt", to: ["Bob"] } }],
    [
      { receive: { fileId: "`f`", savePath: "x", overwrite: "false" } },
      { receive: { fileId: "f", savePath: "x", overwrite: false } },
    ],
    ['{"say":"x"}', { say: "x" }],
    [[{ say: "x" }], { say: "x" }],
  ])("%j", (line, command) => {
    expect(parseJsonCommand(JSON.stringify(line))).toEqual(command);
  });

  it.each<[unknown, RegExp]>([
    [{ invite: "two" }, /invite: must be a whole number from 1 to 63$/],
    [{ invite: "1e1" }, /invite: must be a whole number from 1 to 63$/],
    [{ say: "x", replyTo: "5x" }, /replyTo: must be a whole number, at least 1$/],
    [{ close: "false" }, /close: must be true$/],
    [{ receive: { fileId: "", savePath: "x" } }, /receive\.fileId: must be an id$/],
    [{ receive: { fileId: "f", savePath: "" } }, /receive\.savePath: must be a text$/],
    [
      { receive: { fileId: "f", savePath: "x", overwrit: true } },
      /receive\.overwrit: there is no such argument, did you mean overwrite\?/,
    ],
    [{ remove: "" }, /remove: must be a text/],
    [{ share: "a.txt" }, /share: must be an object with path, paths, note, to$/],
    [{ sya: "x" }, /one of say, invite, .* sya: there is no such argument, did you mean say\?/],
    [{ say: "x", invite: 1 }, /say and invite: one command a line$/],
  ])("%j is refused with name and form", (line, said) => {
    expect(thrownBy(() => parseJsonCommand(JSON.stringify(line))).message).toMatch(said);
  });
});
