import type { NewCommand } from "../../watch/client.ts";
import { PULSE_MS, type PageAnswer, type PageLine } from "../lines.ts";

/**
 * The way to the program that serves this page. The token lives in this tab alone (no cookie, which every port of this machine would
 * get) and dies with that program.
 */

const TOKEN = "token";

/** How it stands with the program. `locked`: it lets nobody in by what this tab has. */
export type Line = "opening" | "live" | "lost" | "locked" | "moved";
export type Locked =
  "no-address" | "address-unknown" | "address-expired" | "address-used-twice" | "page-locked" | "other";

interface Hearing {
  readonly lines: (lines: readonly PageLine[]) => void;
  readonly stands: (line: Line, why?: Locked) => void;
  /** The number of the last line that was heard; undefined before the first. */
  readonly last: () => number | undefined;
}

const WHY: ReadonlySet<string> = new Set<Locked>([
  "address-unknown",
  "address-expired",
  "address-used-twice",
  "page-locked",
]);

/** Uses the code of the address, where there is one, and takes it out of sight at once. @returns why it lets nobody in */
export async function enter(): Promise<Locked | undefined> {
  const code = location.hash.slice(1);
  if (code !== "") {
    history.replaceState(null, "", "/");
    const answer = await post("/enter", { code });
    const body = await jsonOf(answer);
    if (answer.ok && typeof body["token"] === "string") {
      sessionStorage.setItem(TOKEN, body["token"]);
      return undefined;
    }
    sessionStorage.removeItem(TOKEN);
    return whyOf(body["code"]);
  }
  return sessionStorage.getItem(TOKEN) === null ? "no-address" : undefined;
}

function whyOf(code: unknown): Locked {
  return typeof code === "string" && WHY.has(code) ? (code as Locked) : "other";
}

async function jsonOf(answer: Response): Promise<Record<string, unknown>> {
  const body: unknown = await answer.json().catch(() => undefined);
  return typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {};
}

function post(path: string, body: object, signal?: AbortSignal): Promise<Response> {
  const token = sessionStorage.getItem(TOKEN);
  return fetch(path, {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      ...(token === null ? {} : { Authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
    cache: "no-store",
    credentials: "omit",
    redirect: "error",
    ...(signal === undefined ? {} : { signal }),
  });
}

/** Does something as this person. Never rejects. */
export async function send(server: string, command: NewCommand): Promise<PageAnswer> {
  try {
    // A question that changes nothing has a way of its own, which those who only read along may go as well.
    const answer = await post(command.do === "earlier" ? "/earlier" : "/do", { server, command });
    const body = await jsonOf(answer);
    if (answer.ok && typeof body["ok"] === "boolean") return body as PageAnswer;
  } catch {
    // Told below: the program does not answer.
  }
  return LOST;
}

const LOST: PageAnswer = {
  ok: false,
  code: "page-lost",
  message: "the program that serves this page does not answer",
  next: "Nothing was done. Look whether it still runs in its terminal.",
};

const AGAIN_MS = [300, 1_000, 2_000, 4_000] as const;

/** Listens for as long as the page is there, through every cut. */
export async function listen(hearing: Hearing): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    const end = await stream(hearing, () => (tries = 0)).catch(() => "lost" as const);
    if (end === "moved") return hearing.stands("moved");
    if (end === "locked") {
      sessionStorage.removeItem(TOKEN);
      return hearing.stands("locked", "page-locked");
    }
    hearing.stands("lost");
    const ms = AGAIN_MS[Math.min(tries, AGAIN_MS.length - 1)] ?? 4_000;
    await new Promise((resolve) => setTimeout(resolve, ms));
  }
}

async function stream(hearing: Hearing, alive: () => void): Promise<"lost" | "locked" | "moved"> {
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), PULSE_MS * 3);
  const after = hearing.last();
  try {
    const answer = await post("/stream", after === undefined ? {} : { after }, silence.signal);
    if (answer.status === 401) return "locked";
    if (!answer.ok || answer.body === null) return "lost";
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return "lost";
      alive();
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), PULSE_MS * 3);
      const texts = (rest + value).split("\n");
      rest = texts.pop() ?? "";
      const lines = texts.map((text) => JSON.parse(text) as PageLine);
      if (lines.some(({ t }) => t === "moved")) return "moved";
      if (lines.length > 0) hearing.lines(lines);
    }
  } finally {
    clearTimeout(timer);
    silence.abort();
  }
}
