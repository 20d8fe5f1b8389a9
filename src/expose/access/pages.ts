import { hash } from "node:crypto";
import type { OwnAnswer } from "../message.ts";

/** Where people come to with their link; the secret is behind the `#`, which a browser keeps to itself. */
export const CLAIM_PATH = "/.tunnel/claim";

const STYLE = `
:root { color-scheme: light dark; --ink: #1b1f24; --dim: #57606a; --paper: #f6f7f9; --card: #fff; --line: #d8dde3; --deed: #0b5fcc; --on-deed: #fff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --dim: #9aa4af; --paper: #14171b; --card: #1d2127; --line: #343b44; --deed: #6cb0ff; --on-deed: #0a1626; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem; background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 30rem; padding: 1.75rem; background: var(--card); border: 1px solid var(--line); border-radius: 0.75rem; }
h1 { margin: 0 0 1rem; font-size: 1.375rem; line-height: 1.3; overflow-wrap: anywhere; }
p { margin: 0 0 1rem; }
p:last-child { margin: 0; }
.dim { color: var(--dim); font-size: 0.9375rem; }
.deed { display: block; width: 100%; padding: 0.8rem 1rem; border: 0; border-radius: 0.5rem; background: var(--deed); color: var(--on-deed); font: inherit; font-weight: 600; text-align: center; text-decoration: none; cursor: pointer; }
.deed.plain { margin-top: 0.75rem; border: 1px solid var(--line); background: none; color: var(--ink); }
.field { display: block; width: 100%; margin: 0.25rem 0 1rem; padding: 0.7rem 0.8rem; border: 1px solid var(--line); border-radius: 0.5rem; background: var(--paper); color: var(--ink); font: 1.25rem/1.4 ui-monospace, monospace; letter-spacing: 0.08em; text-transform: uppercase; }
form { margin: 0 0 1rem; }
dl { margin: 0 0 1rem; }
dt { color: var(--dim); font-size: 0.9375rem; }
dd { margin: 0 0 0.5rem; overflow-wrap: anywhere; }
.deed:disabled { opacity: 0.6; cursor: default; }
.deed:focus-visible { outline: 3px solid var(--ink); outline-offset: 2px; }
[hidden] { display: none; }
`;

/** Posts the secret once, when the button is pressed: programs that look at links run scripts as well, but press nothing. */
const SCRIPT = `
(() => {
  const deed = document.getElementById("deed");
  const button = deed.querySelector("button");
  const say = (id) => {
    for (const part of document.querySelectorAll("[data-says]")) part.hidden = part.dataset.says !== id;
  };
  const look = () => {
    const isWhole = location.hash.length > 1;
    say(!isWhole ? "incomplete" : navigator.cookieEnabled ? "ready" : "no-cookies");
    deed.hidden = !isWhole || !navigator.cookieEnabled;
  };
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      const answer = await fetch("${CLAIM_PATH}", {
        method: "POST",
        body: new URLSearchParams({ claim: location.hash.slice(1) }),
        credentials: "same-origin",
        redirect: "manual",
      });
      if (answer.type === "opaqueredirect") return location.replace("/");
      say(answer.status === 403 ? "used" : answer.status === 429 ? "wait" : "failed");
      deed.hidden = answer.status === 403;
    } catch {
      say("failed");
    }
    button.disabled = false;
  });
  addEventListener("hashchange", look);
  look();
})();
`;

const sourceOf = (text: string): string => `'sha256-${hash("sha256", text, "base64")}'`;

/** For pages without a script: a form of theirs is posted to us alone, and nothing else is loaded or run. */
const FORM_POLICY = [
  "default-src 'none'",
  `style-src ${sourceOf(STYLE)}`,
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

const POLICY = [
  "default-src 'none'",
  `style-src ${sourceOf(STYLE)}`,
  `script-src ${sourceOf(SCRIPT)}`,
  "connect-src 'self'",
  "form-action 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** Fields of every page of ours: nothing is loaded, framed, kept or told to anybody. */
const fieldsWith = (policy: string): readonly string[] =>
  [
    ["Content-Type", "text/html; charset=utf-8"],
    ["Content-Security-Policy", policy],
    ["X-Frame-Options", "DENY"],
    ["Referrer-Policy", "no-referrer"],
    ["X-Robots-Tag", "noindex, nofollow"],
    ["Cache-Control", "no-store"],
  ].flat();

/** A whole page, with its fields. */
export interface Page {
  readonly fields: readonly string[];
  readonly body: string;
}

/** The page behind a claim link. Looking at it changes nothing. */
export function claimPage(name: string, about: { readonly isIn: boolean }): OwnAnswer {
  const shown = `<bdi>${escapeHtml(name)}</bdi>`;
  const body = about.isIn
    ? `<p>You are in already: this browser has used a link before.</p>
<a class="deed" href="/">Go on to ${shown}</a>`
    : `<p>It runs on the computer of whoever sent you the link. It may be work in progress, and it is there for a limited time.</p>
<div id="deed" hidden>
<p class="dim">Go on if you know who sent you this link. The link works once: it lets in this browser, and no other one.</p>
<button class="deed" type="button">Open it in this browser</button>
</div>
<div role="status">
<p data-says="incomplete" hidden>This link is not complete: the part behind the # is missing. Copy the whole link from the message and open it again.</p>
<p data-says="no-cookies" hidden>This browser keeps no cookies, and would forget at once that you were let in. Allow cookies for this page and load it again, or open the link in another browser.</p>
<p data-says="used" hidden>This link does not work any more. Ask whoever sent it for a new one.</p>
<p data-says="wait" hidden>There were too many attempts. Wait a minute, then try again.</p>
<p data-says="failed" hidden>That did not work, and your link is probably still good. See whether you are online, then try again.</p>
</div>
<noscript><p>This page needs JavaScript: the secret of your link is behind the #, which a browser sends nowhere by itself. Turn JavaScript on and load this page again.</p></noscript>
<script>${SCRIPT}</script>`;
  return {
    status: 200,
    why: "claim-page",
    ...page(`${escapeHtml(name)} is shared with you`, `${shown} is shared with you`, body),
  };
}

/** A plain page of ours. @param lines sentences without markup */
export function plainPage(title: string, lines: readonly string[]): Page {
  const shown = escapeHtml(title);
  return page(shown, shown, lines.map((line) => `<p>${escapeHtml(line)}</p>`).join("\n"));
}

/** A page of ours that runs no script. @param title and heading, and all of `body`, as HTML */
export function formPage(title: string, body: string): Page {
  return page(title, title, body, FORM_POLICY);
}

function page(title: string, heading: string, body: string, policy = POLICY): Page {
  return {
    fields: fieldsWith(policy),
    body: `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex, nofollow">
<title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${heading}</h1>
${body}
</main>
</body>
</html>
`,
  };
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text as it may stand between tags and in quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? "");
}
