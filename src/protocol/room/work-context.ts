import * as z from "zod/mini";
import { lengthPrefixed, type Bytes } from "../base/bytes.ts";
import { trim, trimEnd } from "../base/characters.ts";
import { withoutLabelFaults } from "../base/labels.ts";
import { CARD } from "../base/limits.ts";
import { isLabelUpTo } from "../base/text.ts";
import { encodeUtf8, utf8Length } from "../base/utf8.ts";

/**
 * The work context that a member tells the others once, when it joins (PROTOCOL §7): enough for two agents to see
 * whether they look at the same code, and nothing that leads anywhere. No paths, no addresses, no names of people.
 */
const label = (maxChars: number) => z.string().check(z.refine((text) => isLabelUpTo(text, maxChars)));

/** An object name of git, SHA-1 or SHA-256. */
const commit = z.string().check(z.regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/));

const repository = z.strictObject({
  name: label(CARD.maxLabelChars),
  /** Left out where HEAD is detached. */
  branch: z.optional(label(CARD.maxLabelChars)),
  /** Left out before the first commit. */
  head: z.optional(commit),
  /** Whether tracked files differ from HEAD. */
  dirty: z.boolean(),
});

const client = z.strictObject({ name: label(CARD.maxLabelChars), version: label(CARD.maxLabelChars) });

export const workContextSchema = z
  .strictObject({ repository: z.optional(repository), client: z.optional(client) })
  .check(z.refine((workContext) => utf8Length(JSON.stringify(workContext)) <= CARD.maxBytes));

export type WorkContext = z.infer<typeof workContextSchema>;

/** The bytes of a work context under the roster hash (O5). */
export function workContextBytes(workContext: WorkContext | undefined): Bytes {
  if (workContext === undefined) return new Uint8Array(0);
  const { repository: repo, client: program } = workContext;
  const fields = [
    repo?.name,
    repo?.branch,
    repo?.head,
    repo === undefined ? undefined : String(repo.dirty),
    program?.name,
    program?.version,
  ];
  return lengthPrefixed(...fields.map((field) => encodeUtf8(field ?? "")));
}

/** The program in which an agent works, as it names itself. */
export interface ClientProgram {
  readonly name: string;
  readonly version: string;
}

/** Facts as they were found, not checked yet. */
export interface CardFacts {
  readonly repository?: {
    name: string;
    branch?: string | undefined;
    head?: string | undefined;
    dirty: boolean;
  };
  readonly client?: ClientProgram;
}

/** A work context of this side's own: labels shortened, and without the branch where it does not fit; `undefined` where nothing is left. */
export function makeWorkContext({ repository: found, client: program }: CardFacts): WorkContext | undefined {
  const client = program && { name: shortened(program.name), version: shortened(program.version) };
  const repo = found && { name: shortened(found.name), head: found.head, dirty: found.dirty };
  const branch = found?.branch && shortened(found.branch);
  const candidates = [
    { repository: repo && { ...repo, branch }, client },
    { repository: repo, client },
    { repository: repo && { ...repo, branch } },
    { repository: repo },
    { client },
  ];
  for (const candidate of candidates) {
    // Through JSON, so that what is undefined is absent.
    const workContext = workContextSchema.safeParse(JSON.parse(JSON.stringify(candidate)));
    if (workContext.success && Object.keys(workContext.data).length > 0) return workContext.data;
  }
  return undefined;
}

function shortened(text: string): string {
  const letters = Array.from(trim(text));
  if (letters.length <= CARD.maxLabelChars) return letters.join("");
  const front = withoutLabelFaults(letters.slice(0, CARD.maxLabelChars - 1).join(""));
  return `${trimEnd(front)}…`;
}
