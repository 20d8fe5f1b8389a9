import type { AuthorizationResponse } from "../authorization.ts";
import { escapeHtml, formPage } from "../access/pages.ts";
import { PATHS } from "./metadata.ts";
import type { ClientFace } from "./notices.ts";
import type { SignIn } from "./sign-ins.ts";

const bdi = (text: string): string => `<bdi>${escapeHtml(text)}</bdi>`;

/** Asks for the code. Nothing in it is secret but the ticket, and nothing that the client says is taken for true. */
export function signInPage(
  { ticket, triesLeft, agreed }: SignIn,
  about: { readonly name: string; readonly isWrong: boolean },
): AuthorizationResponse {
  const tries = triesLeft === 1 ? "One try is left" : `${triesLeft} tries are left`;
  const { name, publisher, returnsTo } = agreed.face;
  const wrong = about.isWrong
    ? `<p role="alert"><strong>That is not the code of this sign-in.</strong> ${tries}.</p>\n`
    : "";
  const body = `<p>A program asks to use the MCP server ${bdi(about.name)}, which runs on your computer.</p>
<dl>
<dt>It calls itself (nobody has checked that)</dt>
<dd>${name === undefined ? "nothing" : bdi(name)}</dd>
<dt>Its description</dt>
<dd>${publisher === undefined ? "by itself: anybody can claim any name" : `published by ${bdi(publisher)}`}</dd>
<dt>The answer goes to</dt>
<dd>${bdi(returnsTo)}</dd>
</dl>
${wrong}<form method="post" action="${PATHS.authorize}" autocomplete="off">
<input type="hidden" name="ticket" value="${escapeHtml(ticket)}">
<label for="code">The code from your terminal: where <code>tunnel-mcp expose</code> runs, or type <code>tunnel-mcp watch</code></label>
<input class="field" id="code" name="code" maxlength="32" required autofocus autocomplete="off" autocapitalize="characters" spellcheck="false">
<button class="deed" name="decision" value="allow">Let it in</button>
<button class="deed plain" name="decision" value="refuse" formnovalidate>Refuse</button>
</form>
<p class="dim">Let it in only if you have just asked for this yourself. It can then call the tools of this server until the server is no longer exposed.</p>`;
  return { status: about.isWrong ? 403 : 200, ...formPage("Let a program in?", body) };
}

/**
 * On to the client with the answer. A page that goes on by itself, not a redirect: Chromium holds the policy for forms against each
 * hop that follows a form, and those of a client are not known.
 */
export function onwardPage(url: string, face: ClientFace, isLetIn: boolean): AuthorizationResponse {
  const said = isLetIn ? "It is let in." : "It was refused, and is told so.";
  const page = formPage(
    isLetIn ? "Signed in" : "Refused",
    `<p>${said} This page goes on by itself to ${bdi(face.returnsTo)}.</p>
<a class="deed" rel="noreferrer" href="${escapeHtml(url)}">Go on</a>`,
  );
  return { status: 200, fields: [...page.fields, "Refresh", `0; url=${url}`], body: page.body };
}

/** The request cannot be granted. Nobody is sent anywhere without a click: a client may have registered any address (RFC 9700 §4.11.2). */
export function faultPage(description: string, url: string, face: ClientFace): AuthorizationResponse {
  const page = formPage(
    "This sign-in cannot go on",
    `<p>The program has asked in a way that is not allowed: ${escapeHtml(description)}.</p>
<a class="deed plain" rel="noreferrer" href="${escapeHtml(url)}">Back to ${bdi(face.returnsTo)}</a>`,
  );
  return { status: 400, ...page };
}
