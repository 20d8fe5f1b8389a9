import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { SLASH_COMMANDS } from "../../src/cli/chat/slash.ts";
import { helpText } from "../../src/cli/help.ts";
import { INPUT_LIMITS, limitText } from "../../src/errors/base/limits.ts";
import { AREAS, ERRORS, type ErrorCode } from "../../src/errors/table.ts";
import { nextForPerson, stepsWhileOpen, TunnelError } from "../../src/errors/tunnel-error.ts";
import { TOOLS } from "../../src/mcp/tools/index.ts";
import { OPTION_NAMES } from "../../src/relay/config/options.ts";
import { FILE, ROOM } from "../../src/protocol/base/limits.ts";
import { PATCH } from "../../src/session/git/make-patch.ts";

const CODES = Object.keys(ERRORS) as ErrorCode[];
const areas = new URL("../../src/errors/areas/", import.meta.url);

/** All that one code can make somebody read. */
function textsOf(code: ErrorCode): readonly string[] {
  return [ERRORS[code].message, ERRORS[code].next, nextForPerson(code)];
}

const sentences = (text: string): string[] => text.split(/(?<=\.) (?=[A-Z])/);

describe("the table of errors", () => {
  it("holds each code of each area once", () => {
    expect(Object.values(AREAS).flatMap((area) => Object.keys(area))).toEqual(CODES);
  });

  it.each(CODES)("%s says what happened in one line, and a next step in sentences", (code) => {
    const { message, next } = ERRORS[code];
    expect(message).toMatch(/^(?:[a-z]|Cloudflare).*[^.]$/);
    for (const step of [next, nextForPerson(code)]) expect(step).toMatch(/^[A-Z].*\.$/);
  });

  it("has a step of their own for persons only where it differs", () => {
    expect(CODES.filter((code) => ERRORS[code].nextForPerson === ERRORS[code].next)).toEqual([]);
  });

  it("gives an error the steps of its code, and its detail after what happened", () => {
    const error = new TunnelError("save-exists", { detail: "here" });
    expect(error.message).toBe(`${ERRORS["save-exists"].message}: here`);
    expect(error.next).toBe(ERRORS["save-exists"].next);
    expect(error.nextForPerson).toBe(ERRORS["save-exists"].nextForPerson);
    expect(new TunnelError("not-the-host").nextForPerson).toBe(ERRORS["not-the-host"].next);
  });
});

describe("next steps", () => {
  it("no error tells a person to call a tool or to tell their human", () => {
    for (const code of CODES) {
      expect(ERRORS[code].message, code).not.toMatch(/tunnel_|[Hh]uman|`/);
      expect(nextForPerson(code), code).not.toMatch(/tunnel_|[Hh]umans?\b|[Cc]all\b|`members`|tunnelId/);
    }
  });

  it("no error tells an agent to set a variable or run a command of its human, but to ask for it", () => {
    const asks = CODES.filter((code) => /TUNNEL_|`tunnel-mcp/.test(ERRORS[code].next));
    expect(asks.length).toBeGreaterThan(10);
    for (const code of asks) expect(ERRORS[code].next, code).toMatch(/[Yy]our human/);
  });

  it("name tools, settings, flags and slash commands that exist", () => {
    const help = helpText("0", "x");
    const known = new Set([
      ...TOOLS.map(({ name }) => name),
      ...SLASH_COMMANDS.map(({ name }) => `/${name}`),
      ...(help.match(/\bTUNNEL_[A-Z_]+|--[a-z-]+/g) ?? []),
      // Of the relay, which has a help of its own.
      ...OPTION_NAMES.map((name) => `--${name}`),
      // In the help as part of a slash command, and the command by which setup is named.
      "--overwrite",
      // The path of an example.
      "/hooks",
    ]);
    const named = CODES.flatMap(textsOf).flatMap((text) =>
      Array.from(
        text.matchAll(/\b(?:tunnel_[a-z_]+|TUNNEL_[A-Z_]+)|(?<=[ (])(?:--[a-z-]+|\/[a-z]+)/g),
        ([name]) => name,
      ),
    );
    expect(named.length).toBeGreaterThan(50);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });

  it("no sentence for an agent has it do what only a human can: set a variable, install, restart, change a network", () => {
    const own =
      /TUNNEL_[A-Z_]+|`tunnel-mcp [a-z]+`|\b(?:install|start this server again|outgoing port|network|proxy)\b/;
    // Commands of a person, which no agent is shown.
    const notShown = new Set(Object.keys(AREAS.Settings).filter((code) => code !== "config-invalid"));
    for (const code of CODES.filter((one) => !notShown.has(one)))
      for (const sentence of sentences(ERRORS[code].next)) {
        // In brackets stands what an argument of the agent's reaches.
        const asked = sentence.replaceAll(/\([^)]*\)/g, "");
        if (own.test(asked)) expect(asked, code).toMatch(/\b[Yy]our human\b/);
      }
  });

  it("say that the server must be started again where a setting must be changed", () => {
    for (const code of CODES)
      for (const sentence of sentences(ERRORS[code].next))
        if (
          /(?:set|unset|correct|choose|match|adding|allow more|see that).*TUNNEL_|TUNNEL_[A-Z_]+ (?:match|must)/.test(
            sentence.replaceAll(/\([^)]*\)/g, ""),
          )
        )
          expect(sentence, code).toMatch(/start(?:ing)? (?:this|the) server again|TUNNEL_STANDBY=off/);
  });

  it("offer another transport wherever a tunnel could not be opened, and say how far it reaches", () => {
    const opening = [
      ...Object.keys(AREAS.Cloudflared),
      ...Object.keys(AREAS["A command of your own"]),
      "address-not-live",
    ];
    // These befall a tunnel that is open.
    const later = new Set(["cloudflared-edge-lost", "exec-moved", "exec-silent", "exec-same-url"]);
    for (const code of CODES.filter((one) => opening.includes(one) && !later.has(one))) {
      expect(ERRORS[code].next, code).toMatch(
        code.startsWith("exec-")
          ? /call tunnel_open with another transport/
          : /call tunnel_open with transport: "direct" \(it reaches this machine only, and others where .*TUNNEL_BIND to a LAN or VPN address/,
      );
      expect(nextForPerson(code), code).toMatch(/--transport/);
    }
  });

  it("where the address of an open tunnel is lost tell to wait or what to mend first, never to open it again at once", () => {
    const codes = [
      ...Object.keys(AREAS.Cloudflared),
      ...Object.keys(AREAS["A command of your own"]),
      "address-lost",
      "address-not-live",
    ];
    for (const code of CODES.filter((one) => codes.includes(one))) {
      const { next, nextForPerson: person } = stepsWhileOpen(code);
      expect(next, code).toMatch(/^(?:Wait|Do nothing|Tell your human)\b/);
      expect(person, code).toMatch(/^(?:Wait|Do nothing|Mend what is named)\b/);
      expect(person, code).not.toMatch(/tunnel_|human/);
      expect([code, next.startsWith("Tell your human")]).toEqual([
        code,
        !ERRORS[code].retryable && code !== "exec-same-url",
      ]);
    }
  });

  it("name the argument of a tool where one does what a setting does", () => {
    for (const code of CODES)
      if (/--transport direct/.test(nextForPerson(code)))
        expect(ERRORS[code].next, code).toMatch(/tunnel_open with transport: "direct" \(it reaches/);
  });
});

describe("numbers", () => {
  /** Names of others that have digits in them, and the port of an example; none of these is a limit of ours. */
  const NAMES =
    /SHA-256|\(3000\)|localhost:3000|UTF-8|port 7844|error 1015|TUNNEL_SKIP_REACHABILITY_CHECK=1/g;

  it("no text has a number written into it: each comes from a limit", () => {
    const files = readdirSync(areas, { recursive: true, encoding: "utf8" });
    for (const file of files.filter((name) => name.endsWith(".ts"))) {
      const source = readFileSync(new URL(file, areas), "utf8");
      const written = source.replaceAll(/\$\{[^}]*\}/g, "").replaceAll(NAMES, "");
      expect(written.match(/\d+/g) ?? [], file).toEqual([]);
    }
  });

  it("the limits in texts are those that are enforced", () => {
    const { textBytes, nameChars, goalChars, noteChars, fileBytes, patchBytes } = INPUT_LIMITS;
    expect([textBytes, nameChars, goalChars, noteChars, fileBytes, patchBytes]).toEqual([
      ROOM.maxTextBytes,
      ROOM.maxNameChars,
      ROOM.maxGoalChars,
      FILE.maxNoteChars,
      FILE.maxBytes,
      PATCH.maxBytes,
    ]);
    expect(ERRORS["text-too-long"].message).toContain(`${textBytes} bytes`);
    expect(ERRORS["name-invalid"].next).toContain(`${nameChars} characters`);
    expect(ERRORS["goal-invalid"].next).toContain(`${goalChars} characters`);
    for (const step of [ERRORS["note-invalid"].next, nextForPerson("note-invalid")])
      expect(step).toContain(`${noteChars} characters`);
    expect(ERRORS["share-too-large"].message).toContain(limitText(fileBytes));
    expect(ERRORS["patch-too-large"].message).toContain(limitText(patchBytes));
  });

  it.each([
    [1, "1 bytes"],
    [1023, "1023 bytes"],
    [1024, "1 KiB"],
    [1536, "1536 bytes"],
    [32 * 1024 ** 2, "32 MiB"],
    [3 * 1024 ** 3, "3 GiB"],
    [1024 ** 4, "1 TiB"],
    [2 ** 50, "1024 TiB"],
  ])("%i bytes are written as %s", (bytes, text) => {
    expect(limitText(bytes)).toBe(text);
  });
});
