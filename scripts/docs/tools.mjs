/** docs/TOOLS.md: every tool, from the table of tools and the results of a real conversation. */
import { GENERATED, cell, fenced, json, table, text } from "./markdown.mjs";

/** Notes on what an example of two agents cannot show. */
const NOTES = {
  tunnel_open: [
    "With several `invites` there is no `joinLink` and no `invite` beside the list: each in it is for one person. Of very " +
      "many the texts are short, and `setUp` tells once how to set it up.",
    "An answer comes within 45 s. Where the tunnel is not open by then (a download, a slow name, a command that logs in), it has " +
      '`status: "opening"`, the `tunnelId` and the `progress`, and the opening goes on: tunnel_listen with this `tunnelId` waits for it, and ' +
      "it or tunnel_status answers once with all that tunnel_open would have, or with the error. tunnel_close ends it. Beside " +
      "other tunnels tunnel_status lists such ids in `opening`.",
  ],
  tunnel_invite: ["With `remove` the result holds the `members` that are left."],
  tunnel_join: [
    "A `workContext` is what a member told of where it works when it came: `repository` (a name), `branch`, `head` (abbreviated), " +
      "`dirty` and `client`. `sameCode`, where both this side and the host have told of a repository, says whether " +
      "`repository` and `head` are the same, and who has changes that no commit holds (`dirtyHere`, `dirtyAtHost`).",
    "`history` tells whether the past is given: it then comes first in tunnel_listen, marked `beforeYou`. In a tunnel " +
      "that is joined already and has lost its host, a fresh link of the same host restores the connection; the invite " +
      "in it stays unused.",
  ],
  tunnel_say: [
    "A `queued` result has a `reason`, and from a guest no `seq` yet but `ownNo`, which counts your messages and files in this tunnel from 1: " +
      "should the tunnel end before they have arrived, a notice names those numbers. `sent` to several means that it is in the " +
      "conversation, not that each of them has it; `readSeq` tells who has read it. With `waitMs` the fields of " +
      "tunnel_listen are there, too.",
  ],
  tunnel_listen: [
    "`exposureNews`, where there is any, is told once. Its `event` is `first-visitor`, `webhooks` (by open paths: `count`, `failed`, `firstId`, `lastId`, `paths`), `service` (it stopped to answer, or does " +
      "so again), `address`, `ends-soon`, `opened`, `failed`, `widened`, `over`. Without a tunnel, the result has the running `exposures` and these alone.",
    "A message for some has `to`, their names. Other fields that come where they apply: `replyTo`, `beforeYou` (from " +
      "the time before this side came), `redelivered`, and beside the messages `gap` (what is no longer kept), `ended` " +
      "(why the tunnel is over) and `next`.",
    "Messages of kind `system` are from `tunnel`. Their `event` is `joined`, `left` (the text tells whether by itself, lost, " +
      "removed or too far behind; `memberName` who), `idle-warning`, `ended` or `returned` (the host is back after a restart). With `local: true` it is a notice to this " +
      "agent alone:",
    table(
      ["Notice", "What it means"],
      [
        [
          "`alarm`",
          "Something went wrong on a sealed connection: `error` says what, `memberName` with whom.",
        ],
        [
          "`address-lost`",
          "Host: no public address leads here now. It comes back, or another one is tried, by itself. `error` says why, and what to do meanwhile.",
        ],
        [
          "`address-restored`",
          "Host: there is an address again. Members come back by themselves, except those in `invites`, where there are any: " +
            "each needs its link (`memberName`, `joinLink`).",
        ],
        [
          "`invites-reissued`",
          "Host: `invites` that must be passed on instead of those they replace (`replaces`).",
        ],
        [
          "`undelivered`",
          "Member, at the end: `count` own messages, `firstNo` to `lastNo`, that the host never confirmed; `messages` has the first " +
            "40 with `ownNo`, the beginning of `text` (or `file`) and `to`.",
        ],
        [
          "`member-missed`",
          "Host: a member (`memberName`) that is out never confirmed what came after `afterSeq`; `seqs` are the first 100 of " +
            "`count` own messages among it.",
        ],
        [
          "`decided`",
          "What was answered `held` with this `askId` has ended: `outcome` is `approved`, `edited` (sent in your human's words), `refused` (with " +
            "the `reason` they gave), `expired`, `withdrawn`, or `released` (it had only waited behind something, or for the end of a pause). " +
            "`status` and `ownSeq` tell how it stands that was sent, `error` why it could not be.",
        ],
        [
          "`withheld`",
          "Your human has not let you read what `memberName` said at `place`; `why` is `refused`, `expired`, `withdrawn` or `too-many`.",
        ],
        ["`budget-warning`", "Four fifths of these `budgets` are used."],
        ["`resumed`", "The pause is over."],
        [
          "`service-over`",
          "A service of a peer (`serviceId`, `name`) is no longer on this machine; `why` is `withdrawn`, `expired`, `owner-left` or `denied`.",
        ],
      ],
    ),
  ],
  tunnel_share: [
    "With `service` the result is that of an offer: `serviceId`, `service` (its kind), `target` (told to nobody else), `to`, `port`, `expiresInSec`, `maxConnections`, " +
      '`status` (`held` until your human decides), the counts (`open`, `connections`, `bytesIn`, `bytesOut`), and `warnings`, which are for your human. `target` of `kind: "mcp"` is also a URL ' +
      "with its path, or a name in the file of `TUNNEL_MCP_SERVERS`; it is never a command. `tools` goes with it. Others hear of it by a message of kind `service`, and of its end by one of kind `withdrawal`.",
    "See [SERVICES.md](SERVICES.md).",
  ],
  tunnel_connect: [
    "`url` of HTTP is for a browser, and works once; programs send `header` with each request to `host` and `port`. TCP has no `header`: `url` is `tcp://HOST:PORT`. `status` is `listening`, or `away` while the owner is " +
      'cut off; `trouble` is why the last connection was refused. Where the owner\'s human is asked first the answer is `status: "asked"`: the same call again asks again. The same call for a service that ' +
      "is there already answers with a new `url`; another `port` moves it.",
    "Of an MCP server there are `register`, what your human enters to have their client use it, and `tools`, what the peer says it has, between marks. Neither is for an agent to carry out: registering is a human's act.",
    'With `stop` the answer is `status: "stopped"`, or `"withdrawn"` for a service of your own. See [SERVICES.md](SERVICES.md).',
  ],
  expose_start: [
    "A field that does not apply is left out. `access` has an entry for each way in, with its secrets: `claim` (links, each good once), `token`, " +
      "`prefix`, `basic`, `openPaths`, `open`. `newClaims` are the links that this call has made for an exposure that ran (`wasRunning`). `local` is what the " +
      "service answered to a GET of `/`; `public` what it answered through the address, and after how many ms the address worked, or why nobody has visited it " +
      "(`unchecked`). `streaming` tells by method (`get`, `post`) whether events arrive as they are sent (`live`), only with the end (`held`), or not at all " +
      "(`blocked`); `websocket` whether those pass. `warnings` are for your human as well.",
    'Until it is open the answer has `status: "opening"` with `progress`, or `status: "held"` with `askId` and `reason` while your human has to decide. The same call ' +
      "again waits for it. With several targets there are `exposures`, one result each, in which a failure is an `error`. With `dryRun` there is a list of that " +
      "name, each with the `command` to paste into a terminal.",
    "See [EXPOSE.md](EXPOSE.md).",
  ],
  expose_list: [
    "`status` is `checking`, `held`, `opening`, `running`, or `lost` (another address is being opened; `problem` says why). `claims` has each link's `claim`, `state` (`unused`, " +
      "`claimed`, `revoked`), its `url` while nobody has used it, `claimedAt` and `lastSeenAt`. `others` are those of your human's other servers, with the `folder` of each. With `history` there is `ended`: `startedAt`, " +
      "`lastedSec`, `requests`, and `why` (`stopped`, `stopped-by-person`, `expired`, `address-lost`, `server-ended`, `failed` with its `code`).",
  ],
  expose_requests: [
    "Without `replay` or `id` there are `requests`, the newest first, and `more`. `way` is how one got in (`claim`, `token`, `path`, `prefix`, `basic`, `open`, `preflight`), `refused` why " +
      "it did not, `end` how it ended. With `id`: `from`, `visitor` (the claim), `headMs`, and `request` and `response` with `headers` as pairs, and `body` as `text` or `base64`, with true sizes; `part` where it is long. With " +
      "`replay`, as here, there are both responses and their `difference`.",
  ],
  tunnel_status: [
    "With several members a host has `safetyCodes`, one for each by name, instead of `safetyCode`. A member has `connection`, " +
      "`lastHeardSec` and `queued` (own messages the host has not confirmed) instead of the fields about transport and " +
      "invites, and while it is cut off `attempts`, `retryInSec`, `reason` and `givesUpInSec`. `alarms` lists what went " +
      "wrong, `transportProblem` what is wrong with the address now, and a host's `cutOff` the members that cannot come " +
      "now: by themselves once an address that they know works again, or with a link (`needsLink`).",
    "`oversight` is how this side's human bounds you: whether they have `paused` the tunnel; the `gates` they have chosen; how many of your " +
      "messages (`heldOut`) and of the others' (`heldIn`) wait for them; why you were `stopped` (`reason` is `loop` or `budget`), if you were; and what " +
      "is used of the `budgets`, unless they are off. A member's `oversight` is what its program says of its own. See [OVERSIGHT.md](OVERSIGHT.md).",
    "`files`, where there are any: what is `offered` to this side, what it has `shared` and who is being sent it, and what " +
      "it is `receiving`.",
    "`services`, where there are any: what this side has `offered`, its `listeners` for services of others, with connections and bytes, and what is offered `toYou` and not used yet.",
    "With `saveTranscript` there is `saved`: `path` and `markdown`, the two files; `entries`, how many are in them; and " +
      "`redacted`, how many of them had links taken out.",
    "`clockSkewSec` of a member, where it is more than a minute: how far its clock is ahead of this machine's, negative where it is behind. `ts` is " +
      "the host's time; `ageSec` is measured here and does not depend on it.\n\n" +
      "`problems`, where there are any, also while no tunnel is open: what is wrong with the settings and the folders of this server and stops " +
      "nothing, at most twelve, each with `code`, `text` and `next`. A call that one of them touches fails with the same code.",
    "`ownMessages` are the last five messages of this side, the newest last, also those of calls that were cut off: `firstWords` (of " +
      "a file its name), `state` (`queued`: not acknowledged yet, and delivered by itself; `sent`; `unconfirmed`: nobody is left to " +
      "acknowledge it) and `seq`, or `ownNo` while there is none.",
    "`wake` tells what wakes an agent that has ended its turn, by its client: `by` is `monitor` (a program watches, and its " +
      "client shows what it prints), `command` (the agent runs `command` in the background, which ends when something is " +
      "unread), or `human` (nothing does). `next` says what to do then. Beside it: `commandProblem`, why there is no command; " +
      "`commandNote`, in a client that nobody has tried; and whether a `channel` of the client is used.",
  ],
};

export function toolsPage({ TOOLS, INSTRUCTIONS, jsonSchema }, examples) {
  const parts = [
    "# Tools",
    GENERATED,
    "Every result comes twice: as `structuredContent`, and as the same JSON in a text block, since clients differ in " +
      "which of the two they show the model. A failure has `isError` set and looks like this; the codes are in " +
      "[ERRORS.md](ERRORS.md):",
    fenced(
      "json",
      json({ error: { code: "no-tunnel", message: "…", next: "…", retryable: false }, unread: 0 }),
    ),
    "An argument is read as what it plainly means: digits for a number, `true` and `false` as words in any letter case, a list or an " +
      "object as JSON, one name for a list of names, a choice in other letter case, `null` or an empty text for an optional argument. " +
      "Words are never changed. All else is refused with the name and the form of each argument that is wrong. An argument that is not " +
      "listed is refused with the nearest one and those that there are. A wait or a count over its maximum is cut, and " +
      "`waitedAtMostMs` or `limitedTo` says to what.",
    "The same call again (the same tool, all arguments the same) while the first one goes on or within a second of its answer is not a " +
      "second one: it has the same answer, and `repeatOf` is the JSON-RPC id of the first. Calls of `tunnel_listen` share what they wait " +
      "for, and only while they wait. A run is cancelled when all of its calls are. A failed call is tried anew. So is one whose tunnel " +
      "has ended since. A `tunnel_say` that was cut off and is made again within ten minutes is not said twice, either.",
    "`unread` counts what is unread in the tunnel that a result is about (in a failure, in all), and `unreadElsewhere` " +
      "names the others in which something is.",
    "No result is longer than 40,000 characters of JSON; those of `tunnel_listen` and `tunnel_say` have up to 200,000 where the client " +
      "is known to take more of a tool that says so (`anthropic/maxResultSizeChars`: Claude Code since 2.1.91, not inside of Claude " +
      "Desktop). `TUNNEL_RESULT_LIMIT` sets it for all. Of a list that does not fit as much is shown as does, and its name with " +
      "`NotShown` counts the rest; of members `otherMembers` holds the names. A message that does not fit comes in parts, " +
      "`part: {n, of}`, one in each call of `tunnel_listen`: each between marks of its own, and it counts as read with the last. " +
      "`sinceSeq` has it again from its first part, and with `part` from another one.",
    'A call that needs a human\'s decision answers at once with `status: "held"`, `askId`, `reason`, `gates` and `next`. That is no failure. What was ' +
      "asked for keeps its place, and the notice `decided` of `tunnel_listen` tells how it ended ([OVERSIGHT.md](OVERSIGHT.md)). In a pause " +
      "`tunnel_listen` and `tunnel_say` have `paused: true`, and nothing is delivered.",
    "A call that takes longer than 50 s answers, and what it has begun goes on (`TUNNEL_ANSWER_SECONDS`): the same call again waits for it.",
    "Texts and labels of peers are theirs to choose. A text stands between `<<peer-text …>>` marks. A label (`name`, `fromName`, " +
      "`memberName`, `to`, `goal`, `repository`, `branch`, `client` and their lists) stands in its field as it is, or in “quotation " +
      "marks” where it could be read as a sentence, a heading or a speaker; `to` and `remove` take it in either form. Characters " +
      "that people do not see are taken out of all of it: `hidden` says how many and of which kinds (`removed`, `note`), and " +
      "`hiddenRemoved` how many of them a message has lost. What was signed stays as it was said: a saved transcript proves it, and " +
      "shows such characters as `⟨U+E0041⟩`.",
    "The examples are from a real conversation; addresses, keys and ids in it are replaced.",
    TOOLS.map(({ name, title }) => `- [\`${name}\`](#${name}): ${title}`).join("\n"),
  ];
  for (const tool of TOOLS) {
    parts.push(
      `## ${tool.name}`,
      `**${tool.title}.** ${text(tool.description)}`,
      argumentTable(jsonSchema(tool.input)),
      `Hints: ${hints(tool.annotations)}.`,
      "Example result:",
      fenced("json", json(exampleOf(tool, examples))),
      ...(NOTES[tool.name] ?? []),
    );
  }
  parts.push(
    "## Instructions of the server",
    "Sent to the client once, for the model to read before it uses any tool. The sentence about what wakes depends on the " +
      "client; this is the text for one that is not known:",
    fenced("text", INSTRUCTIONS),
  );
  return parts.join("\n\n");
}

/** @throws {Error} when the conversation in example-results.mjs does not call this tool */
function exampleOf({ name }, examples) {
  if (examples[name] === undefined) throw new Error(`the example conversation has no result of ${name}`);
  return examples[name];
}

function argumentTable({ properties, required = [] }) {
  const rows = Object.entries(properties).map(([name, schema]) => [
    `\`${name}\``,
    typeOf(schema),
    required.includes(name) ? "yes" : "",
    cell(schema.description ?? ""),
  ]);
  return table(["Argument", "Type", "Required", "Meaning"], rows);
}

function typeOf({ type, items, anyOf, enum: values, minimum, maximum, default: fallback }) {
  if (anyOf !== undefined) return anyOf.map(typeOf).join(", or ");
  if (values !== undefined) return values.map((value) => `\`"${value}"\``).join(", ");
  const isBounded = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER;
  const range = [
    ...(minimum === undefined || isBounded ? [] : [`from ${minimum}`]),
    ...(isBounded ? [`${minimum} to ${maximum}`] : []),
    ...(fallback === undefined ? [] : [`default ${fallback}`]),
  ];
  return [items === undefined ? type : `${type} of ${items.type ?? typeOf(items)}`, ...range].join(", ");
}

function hints({ readOnlyHint, destructiveHint, idempotentHint, openWorldHint }) {
  return [
    readOnlyHint ? "changes nothing" : "changes something",
    destructiveHint ? "destructive" : "not destructive",
    idempotentHint ? "safe to repeat" : "each call counts",
    openWorldHint ? "deals with the outside world" : "stays in this process",
  ].join("; ");
}
