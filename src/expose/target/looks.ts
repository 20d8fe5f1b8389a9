import { valuesOf, type RawFields } from "../message.ts";

/** An answer to a GET, as far as it is looked at. */
export interface Page {
  readonly status: number;
  readonly fields: RawFields;
  /** Its beginning; each character is one byte. */
  readonly body: string;
}

/** Answers to the paths that are asked. Those that gave none are missing. */
export type Pages = Readonly<Partial<Record<AskedPath, Page>>>;

/** Asked by GET, which none of these services takes for more than a question. */
export const ASKED_PATHS = ["/", "/version", "/json/version"] as const;
type AskedPath = (typeof ASKED_PATHS)[number];

interface Look {
  /** To follow "it looks like". */
  readonly name: string;
  readonly is: (pages: Pages) => boolean;
}

/** Each of these hands over the machine, or all its data, to whoever may send requests. */
const REFUSED: readonly Look[] = [
  {
    name: "the Docker API",
    is: (pages) =>
      hasField(pages["/"], "api-version", /^\d/, "docker-experimental") ||
      hasField(pages["/"], "server", /^docker\//i) ||
      hasField(pages["/"], "libpod-api-version") ||
      bodyHas(pages["/version"], /"ApiVersion"\s*:/, /"MinAPIVersion"\s*:/),
  },
  { name: "etcd", is: (pages) => bodyHas(pages["/version"], /"etcdserver"\s*:/) },
  {
    name: "the Kubernetes API",
    is: (pages) =>
      bodyHas(pages["/version"], /"gitVersion"\s*:\s*"v/, /"platform"\s*:/) ||
      bodyHas(pages["/"], /"kind"\s*:\s*"Status"/, /"apiVersion"\s*:\s*"v1"/) ||
      bodyHas(pages["/"], /"paths"\s*:\s*\[/, /"\/apis?"/),
  },
  {
    name: "Elasticsearch",
    is: (pages) =>
      hasField(pages["/"], "x-elastic-product") ||
      bodyHas(pages["/"], /"tagline"\s*:\s*"(?:You Know, for Search|The OpenSearch Project)/),
  },
  {
    name: "the inspector of Node or Chrome",
    is: (pages) =>
      bodyHas(pages["/json/version"], /"Protocol-Version"\s*:/, /"Browser"\s*:/) ||
      bodyHas(pages["/"], /^WebSockets request was expected/),
  },
  { name: "CouchDB", is: (pages) => bodyHas(pages["/"], /"couchdb"\s*:\s*"Welcome"/) },
  {
    name: "MongoDB",
    is: (pages) => bodyHas(pages["/"], /trying to access MongoDB over HTTP on the native driver port/),
  },
  { name: "InfluxDB", is: (pages) => hasField(pages["/"], "x-influxdb-version") },
  { name: "ClickHouse", is: (pages) => hasField(pages["/"], "x-clickhouse-summary") },
  {
    name: "a Jupyter server that asks for no token",
    is: (pages) =>
      hasField(pages["/"], "server", /^Tornado/i) &&
      hasField(pages["/"], "location", /\/(?:lab|tree|notebooks)(?:[/?]|$)/) &&
      !hasField(pages["/"], "location", /login/),
  },
];

/** By the titles of Python, nginx, Apache, Jetty, Tomcat, Deno and the usual packages of npm, and by the bare page of Go. */
const LISTING =
  /<(?:title|h1)>\s*(?:Index of|Directory listing for|listing directory|Directory:|Files within|Deno File Server)\b|^(?:<!doctype html>\s*<meta name="viewport"[^>]*>\s*)?<pre>\s*<a href="/i;

/** Exposed all the same, since it may be meant; said, since it often is not. */
const WARNED: readonly Look[] = [
  {
    name: "a listing of a directory: every file below it can be fetched",
    is: (pages) => bodyHas(pages["/"], LISTING),
  },
  {
    name: "a Vite dev server: it hands out the source of the project, and versions with known holes hand out any file, so keep Vite up to date and access closed",
    is: (pages) => bodyHas(pages["/"], /\/@vite\/client["']/),
  },
  {
    name: "Flask's dev server: if its debugger is on, it runs code for whoever reaches it",
    is: (pages) => hasField(pages["/"], "server", /\bWerkzeug\//),
  },
  {
    name: "Prometheus: its metrics tell much of the machine",
    is: (pages) =>
      bodyHas(pages["/"], /^<a href="\/(?:graph|query)">Found<\/a>|<title>Prometheus\b|^# HELP \S+ /),
  },
  {
    name: "a Jupyter server: whoever has its token or password runs code on this machine",
    is: (pages) =>
      hasField(pages["/"], "server", /^Tornado/i) &&
      hasField(pages["/"], "location", /\/(?:hub|lab|tree|login)/),
  },
];

/** The dangerous service that these answers look like; undefined for any other. */
export function dangerousLook(pages: Pages): string | undefined {
  return REFUSED.find(({ is }) => is(pages))?.name;
}

/** Things to say of a service before others see it. */
export function noteworthyLooks(pages: Pages): string[] {
  return WARNED.filter(({ is }) => is(pages)).map(({ name }) => `It looks like ${name}.`);
}

function hasField(
  page: Page | undefined,
  name: string,
  pattern = /^/,
  ...others: readonly string[]
): boolean {
  const fields = page?.fields ?? [];
  return (
    valuesOf(fields, name).some((value) => pattern.test(value)) &&
    others.every((other) => valuesOf(fields, other).length > 0)
  );
}

function bodyHas(page: Page | undefined, ...patterns: readonly RegExp[]): boolean {
  return page !== undefined && patterns.every((pattern) => pattern.test(page.body));
}
