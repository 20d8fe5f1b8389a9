import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { certificateOf, keyOf, proxyProblems } from "../../anthropic/certificate.ts";
import { composeProblems, isOwnCompose, renderCompose, SAMPLE_ROUTE } from "../../anthropic/compose.ts";
import {
  DOMAIN,
  imageOf,
  IMAGES,
  isPlaceholder,
  newEnvFile,
  PLACEHOLDER,
  valueIn,
  withValue,
} from "../../anthropic/env-file.ts";
import { domainProblem } from "../../anthropic/names.ts";
import { problemsOf, readProxyFile, renderProxyFile, type ProxyFile } from "../../anthropic/proxy-file.ts";
import { parseRoute, rangeProblem, type Route } from "../../anthropic/routes.ts";
import { SAMPLE_SERVER } from "../../anthropic/sample-server.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import type { InitAction } from "./command.ts";
import { FILES, type Folder, MODES } from "./folder.ts";
import { hostsOf, issueCa, issueForProxy, newKey } from "./issue.ts";
import { type RunProgram, usableOpenssl } from "./programs.ts";

/** The outcome for one file. `kept`: somebody has changed it. */
export interface Step {
  readonly what: "created" | "updated" | "same" | "kept";
  readonly file: string;
  readonly why?: string;
}

/** The request, checked. */
interface Wishes extends Pick<InitAction, "domain" | "allowedIps" | "upstreamCa" | "images" | "force"> {
  readonly routes: readonly Route[] | undefined;
}

const NO_IMAGE = "an image is sha256:DIGEST or NAME@sha256:DIGEST, with 64 hexadecimal digits";

/** @throws {TunnelError} input-invalid */
export function wishesOf(action: InitAction): Wishes {
  const domain = action.domain?.toLowerCase();
  const routes = action.routes?.map(parseRoute);
  const { proxy, cloudflared } = action.images;
  const images = {
    proxy: proxy === undefined ? undefined : (imageOf(proxy, "proxy") ?? NO_IMAGE),
    cloudflared: cloudflared === undefined ? undefined : (imageOf(cloudflared, "cloudflared") ?? NO_IMAGE),
  };
  const problem = [
    domain === undefined ? undefined : domainProblem(domain),
    ...(routes ?? []).filter((route) => typeof route === "string"),
    ...(action.allowedIps ?? []).map(rangeProblem),
    Object.values(images).find((one) => one === NO_IMAGE),
  ].find((one) => one !== undefined);
  if (problem !== undefined) throw new TunnelError("input-invalid", { detail: problem });
  return {
    ...action,
    domain,
    routes: routes?.filter((route) => typeof route !== "string"),
    images,
  };
}

export interface InitOptions {
  readonly action: Wishes;
  readonly folder: Folder;
  readonly run: RunProgram;
  readonly now: number;
  /** Relative paths of options begin here. */
  readonly cwd: string;
}

export interface Made {
  readonly steps: readonly Step[];
  /** Whether a wish of the command was left undone, since somebody has changed the file. */
  readonly isUndone: boolean;
}

/** Makes what is missing, brings up to date what nobody has changed, and says of the rest that it was kept. */
export async function makeTunnel(options: InitOptions): Promise<Made> {
  const { action, folder, run, cwd } = options;
  await folder.prepare();
  const { env, step } = await envFile(options);
  const domain = domainOf(env);
  await folder.folder("ca", MODES.privateFolder);
  for (const name of ["config", "data", "sample"]) await folder.folder(name, MODES.sharedFolder);
  const proxy = await proxyPlan(options, domain);
  const steps = [step, await gitignore(folder)];
  if (action.upstreamCa !== undefined && action.upstreamCa !== "system")
    steps.push(await upstreamCa(folder, path.resolve(cwd, action.upstreamCa)));
  steps.push(await ownText(options, FILES.proxy, proxy), ...(await composeSteps(options, proxy.after)));
  const openssl = usableOpenssl(run, folder.root);
  steps.push(...(await certificates(options, { domain, wanted: proxy.wanted, openssl })));
  const isWish = [action.routes, action.allowedIps, action.upstreamCa].some((one) => one !== undefined);
  const isUndone = isWish && steps.some(({ what, file }) => what === "kept" && file === FILES.proxy);
  return { steps, isUndone };
}

/** Undefined: not filled in yet. */
function domainOf(env: string): string | undefined {
  const domain = valueIn(env, DOMAIN);
  if (isPlaceholder(domain)) return undefined;
  const problem = domainProblem(domain);
  if (problem === undefined) return domain;
  throw new TunnelError("anthropic-file-invalid", { detail: `${FILES.env}: ${DOMAIN}: ${problem}` });
}

/** The wanted content of a file, and whether the one that is there may be replaced. */
interface TextPlan {
  readonly text: string;
  /** There is none, or one that nobody has changed. */
  readonly isOwn: boolean;
  /** Said where it is left as somebody has changed it. */
  readonly kept: string;
}

interface ProxyPlan extends TextPlan {
  readonly wanted: ProxyFile;
  /** The text of the file afterwards; undefined where it cannot be read and stays. */
  readonly after: ProxyFile | undefined;
}

async function proxyPlan({ action, folder }: InitOptions, domain: string | undefined): Promise<ProxyPlan> {
  const before = await folder.read(FILES.proxy);
  const { file, problems } = before === undefined ? NOTHING_READ : readProxyFile(before);
  const isOwn = before === undefined || (file !== undefined && renderProxyFile(file) === before);
  const wanted = wantedFile(action, domain ?? PLACEHOLDER, file);
  const wrong = problemsOf(domain === undefined ? { ...wanted, domain: ANY_DOMAIN } : wanted);
  if (wrong.length > 0 && (isOwn || action.force))
    throw new TunnelError("input-invalid", { detail: wrong.join("; ") });
  const after = isOwn || action.force ? wanted : file;
  return { text: renderProxyFile(wanted), isOwn, kept: keptProxy(wanted, file, problems), wanted, after };
}

const NOTHING_READ: ReturnType<typeof readProxyFile> = { file: undefined, problems: [] };
/** Stands for one that is not known yet, so that the rest can be judged. */
const ANY_DOMAIN = "a.example.com";

async function composeSteps(options: InitOptions, proxy: ProxyFile | undefined): Promise<Step[]> {
  const { folder } = options;
  const compose = await folder.read(FILES.compose);
  const withSample =
    proxy === undefined
      ? compose === renderCompose(true)
      : proxy.routes.some(({ upstream }) => upstream === SAMPLE_ROUTE.upstream);
  const lacks = compose === undefined ? [] : composeProblems(compose);
  const first = await ownText(options, FILES.compose, {
    text: renderCompose(withSample),
    isOwn: compose === undefined || isOwnCompose(compose),
    kept: ["you have changed it", ...lacks].join("; "),
  });
  if (!withSample) return [first];
  const isOwn = (await folder.read(FILES.sample)) === undefined;
  const plan = { text: SAMPLE_SERVER, isOwn, kept: "you have changed it" };
  return [first, await ownText(options, FILES.sample, plan)];
}

function wantedFile(action: Wishes, domain: string, is: ProxyFile | undefined): ProxyFile {
  const { routes, allowedIps, upstreamCa: given } = action;
  return {
    domain,
    routes: routes ?? is?.routes ?? [SAMPLE_ROUTE],
    allowedIps: allowedIps ?? is?.allowedIps ?? [],
    upstreamCas: given === undefined ? (is?.upstreamCas ?? "none") : given === "system" ? "system" : "file",
  };
}

function keptProxy(wanted: ProxyFile, is: ProxyFile | undefined, problems: readonly string[]): string {
  const isSame = is !== undefined && renderProxyFile(is) === renderProxyFile(wanted);
  const differs = isSame ? [] : ["it does not say what is asked for here"];
  return ["you have changed it", ...differs, ...problems].join("; ");
}

async function envFile({ action, folder }: InitOptions): Promise<{ env: string; step: Step }> {
  const before = await folder.read(FILES.env);
  const wishes: readonly (readonly [string, string | undefined])[] = [
    [DOMAIN, action.domain],
    [IMAGES.proxy, action.images.proxy],
    [IMAGES.cloudflared, action.images.cloudflared],
  ];
  let env = before ?? newEnvFile();
  const changed: string[] = [];
  for (const [name, value] of wishes) {
    const is = valueIn(env, name);
    if (value === undefined || value === is) continue;
    env = withValue(env, name, value);
    if (before !== undefined) changed.push(isPlaceholder(is) ? name : `${name}, which was another one`);
  }
  if (env !== before) await folder.write(FILES.env, env, MODES.secret);
  const file = FILES.env;
  if (before === undefined) return { env, step: { what: "created", file } };
  if (changed.length === 0) return { env, step: { what: "same", file } };
  return { env, step: { what: "updated", file, why: changed.join("; ") } };
}

const IGNORED = [".env", "data/", "ca/"];

async function gitignore(folder: Folder): Promise<Step> {
  const file = FILES.gitignore;
  const before = await folder.read(file);
  const lines = before?.split(/\r?\n/).map((line) => line.trim()) ?? [];
  const missing = IGNORED.filter((line) => !lines.includes(line));
  if (missing.length === 0) return { what: "same", file };
  const gap = before === undefined || before === "" || before.endsWith("\n") ? "" : "\n";
  await folder.write(file, `${before ?? ""}${gap}${missing.join("\n")}\n`, MODES.shared);
  return before === undefined
    ? { what: "created", file }
    : { what: "updated", file, why: `${missing.join(", ")} added` };
}

/** Writes a text where there is none or one of this program's. What a person has changed stays, unless forced. */
async function ownText(
  { action, folder }: InitOptions,
  file: string,
  { text, isOwn, kept }: TextPlan,
): Promise<Step> {
  const before = await folder.read(file);
  if (before === text) return { what: "same", file };
  if (!isOwn && !action.force) return { what: "kept", file, why: kept };
  if (!isOwn) await folder.move(file, `${file}.old`);
  await folder.write(file, text, MODES.shared);
  if (before === undefined) return { what: "created", file };
  return isOwn ? { what: "updated", file } : { what: "updated", file, why: `yours is now ${file}.old` };
}

async function upstreamCa(folder: Folder, from: string): Promise<Step> {
  const file = FILES.upstreamCa;
  const pem = await readFile(from, "utf8").catch(() => "");
  const [first] = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/.exec(pem) ?? [];
  if (first === undefined || certificateOf(first) === undefined || pem.includes("PRIVATE KEY"))
    throw new TunnelError("input-invalid", {
      detail: "--upstream-ca is system, or a file of certificates in PEM form without a key",
    });
  const before = await folder.read(file);
  if (before === pem) return { what: "same", file };
  if (before !== undefined) await folder.move(file, `${file}.old`);
  await folder.write(file, pem, MODES.shared);
  return before === undefined
    ? { what: "created", file }
    : { what: "updated", file, why: `the one before is now ${file}.old` };
}

interface CertificateWish {
  /** Undefined: not known yet. */
  readonly domain: string | undefined;
  readonly wanted: ProxyFile;
  /** Its version; rejects where it cannot be used. Asked only where a certificate is to be made. */
  readonly openssl: Promise<string>;
}

async function certificates(
  options: InitOptions,
  { domain, wanted, openssl }: CertificateWish,
): Promise<Step[]> {
  const { folder } = options;
  openssl.catch(() => undefined);
  let cert = await folder.read(FILES.ca);
  let key = await folder.read(FILES.caKey);
  const steps: Step[] = [];
  if (cert === undefined) {
    await openssl;
    ({ cert, key } = await issueCa(options));
    // The key first: a certificate without its key would be taken for one of somebody else's.
    await folder.write(FILES.caKey, key, MODES.secret);
    await folder.write(FILES.ca, cert, MODES.shared);
    steps.push({ what: "created", file: FILES.ca, why: "register this one in the Console" });
  } else steps.push({ what: "same", file: FILES.ca });
  if (domain === undefined) return steps;
  const ca = certificateOf(cert);
  if (ca === undefined)
    throw new TunnelError("anthropic-file-invalid", { detail: `${FILES.ca}: no certificate in PEM form` });
  const labels = wanted.routes.map(({ label }) => label);
  const [leaf, leafKey] = [await folder.read(FILES.cert), await folder.read(FILES.key)];
  const why = leafProblems({ leaf, leafKey, ca, hosts: hostsOf(domain, labels), now: options.now });
  if (why.length === 0) return [...steps, { what: "same", file: FILES.cert }];
  if (key === undefined)
    return [...steps, { what: "kept", file: FILES.cert, why: `your own CA signs it: ${why.join("; ")}` }];
  await openssl;
  const own = leafKey !== undefined && keyOf(leafKey) !== undefined ? leafKey : newKey();
  const issued = await issueForProxy({ ...options, ca: { cert, key }, domain, labels, key: own });
  if (own !== leafKey) await folder.write(FILES.key, own, MODES.shared);
  await folder.write(FILES.cert, issued, MODES.shared);
  return [
    ...steps,
    leaf === undefined
      ? { what: "created", file: FILES.cert }
      : { what: "updated", file: FILES.cert, why: `the one before would not do: ${why.join("; ")}` },
  ];
}

export interface LeafFacts {
  readonly leaf: string | undefined;
  readonly leafKey: string | undefined;
  readonly ca: X509Certificate;
  readonly hosts: readonly string[];
  readonly now: number;
}

/** The fault of the proxy's certificate and key together. */
export function leafProblems({ leaf, leafKey, ca, hosts, now }: LeafFacts): readonly string[] {
  if (leaf === undefined) return ["it is missing"];
  const certificate = certificateOf(leaf);
  const key = leafKey === undefined ? undefined : keyOf(leafKey);
  const fits = certificate !== undefined && key !== undefined && certificate.checkPrivateKey(key);
  return [...proxyProblems(leaf, ca, hosts, now), ...(fits ? [] : [`${FILES.key} is not its key`])];
}
