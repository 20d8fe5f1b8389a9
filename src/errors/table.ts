import { ANTHROPIC } from "./areas/anthropic.ts";
import { ADDRESS } from "./areas/addresses/address.ts";
import { BRIDGE } from "./areas/bridge.ts";
import { CLOUDFLARED } from "./areas/addresses/cloudflared.ts";
import { CONNECTION } from "./areas/connection.ts";
import { EXEC } from "./areas/addresses/exec.ts";
import { EXPOSE } from "./areas/expose.ts";
import { FILES } from "./areas/files/transfers.ts";
import { GENERAL } from "./areas/general.ts";
import { INTEGRITY } from "./areas/integrity.ts";
import { INVITES } from "./areas/invites.ts";
import { LOCAL_ENDPOINT } from "./areas/local-endpoint.ts";
import { MESSAGES } from "./areas/messages.ts";
import { PATCHES } from "./areas/files/patches.ts";
import { OVERSIGHT } from "./areas/oversight.ts";
import { RELAY } from "./areas/addresses/relay.ts";
import { SAVING } from "./areas/files/saving.ts";
import { SERVICES } from "./areas/services.ts";
import { SETTINGS } from "./areas/settings.ts";
import { SHARING } from "./areas/files/sharing.ts";
import { TUNNELS } from "./areas/tunnels.ts";
import type { ErrorArea, ErrorEntry } from "./base/entry.ts";

/** The areas by title, in the order of docs/ERRORS.md. */
export const AREAS = {
  "Any call": GENERAL,
  Tunnels: TUNNELS,
  Messages: MESSAGES,
  Invites: INVITES,
  Connection: CONNECTION,
  Integrity: INTEGRITY,
  "Files on their way": FILES,
  "Sharing files": SHARING,
  "Saving files and transcripts": SAVING,
  "Git and patches": PATCHES,
  "A person's decisions": OVERSIGHT,
  Exposing: EXPOSE,
  "Services of members": SERVICES,
  "MCP servers": BRIDGE,
  "Anthropic's MCP tunnels": ANTHROPIC,
  "Tunnel address": ADDRESS,
  Cloudflared: CLOUDFLARED,
  "A command of your own": EXEC,
  "A relay of your own": RELAY,
  Settings: SETTINGS,
  "Local endpoint": LOCAL_ENDPOINT,
} as const satisfies Readonly<Record<string, ErrorArea>>;

type Areas = typeof AREAS;
type CodeIn<Title extends keyof Areas> = keyof Areas[Title];

/** Codes that more than one area has. */
type Repeated = {
  [Title in keyof Areas]: CodeIn<Title> &
    { [Other in Exclude<keyof Areas, Title>]: CodeIn<Other> }[Exclude<keyof Areas, Title>];
}[keyof Areas];

type None<Nothing extends never> = Nothing;

/** Every code. It does not compile where two areas have the same one, and the message names it. */
export type ErrorCode = Exclude<{ [Title in keyof Areas]: CodeIn<Title> }[keyof Areas], None<Repeated>>;

/** Every failure that a person or an agent can be shown. */
export const ERRORS: Readonly<Record<ErrorCode, ErrorEntry>> = {
  ...GENERAL,
  ...TUNNELS,
  ...MESSAGES,
  ...INVITES,
  ...CONNECTION,
  ...INTEGRITY,
  ...FILES,
  ...SHARING,
  ...SAVING,
  ...PATCHES,
  ...OVERSIGHT,
  ...EXPOSE,
  ...SERVICES,
  ...BRIDGE,
  ...ANTHROPIC,
  ...ADDRESS,
  ...CLOUDFLARED,
  ...EXEC,
  ...RELAY,
  ...SETTINGS,
  ...LOCAL_ENDPOINT,
};
