import type { X509Certificate } from "node:crypto";
import { caProblems, certificateOf, daysLeft, isDue } from "../../anthropic/certificate.ts";
import { composeProblems, isOwnCompose } from "../../anthropic/compose.ts";
import {
  DOMAIN,
  IMAGES,
  isPinned,
  isPlaceholder,
  TOKEN,
  tokenState,
  valueIn,
} from "../../anthropic/env-file.ts";
import { domainProblem, USUAL_DOMAIN } from "../../anthropic/names.ts";
import { readProxyFile, upstreamFor, type ProxyFile } from "../../anthropic/proxy-file.ts";
import { rehearse } from "../../anthropic/rehearsal.ts";
import { nextForPerson, TunnelError } from "../../errors/tunnel-error.ts";
import type { Finding, Probes } from "../doctor/checks.ts";
import type { Environment } from "../io/environment.ts";
import { FILES, type Folder, MODES } from "./folder.ts";
import { leafProblems } from "./init.ts";
import { type RunProgram, usableOpenssl } from "./programs.ts";

type Network = Pick<Probes, "dohEnabled" | "systemLookup" | "dohLookup" | "tcpConnect" | "quicProbe">;

export interface CheckOptions {
  readonly folder: Folder;
  readonly run: RunProgram;
  readonly now: number;
  readonly env: Environment;
  /** Undefined: nothing is asked of the network. */
  readonly network: Network | undefined;
}

interface Checked {
  readonly title: string;
  readonly finding: Finding;
}

export interface CheckResult {
  readonly findings: readonly Checked[];
  /** Undefined where it cannot be read. */
  readonly proxy: ProxyFile | undefined;
}

const ok = (text: string): Finding => ({ level: "ok", text });
const fail = (text: string, fix: string): Finding => ({ level: "fail", text, fix });
const warn = (text: string, fix: string): Finding => ({ level: "warn", text, fix });

const INIT = "run anthropic-tunnel init with this folder";
const LIMIT_MS = 6_000;

/** Looks at the machine, the folder and the certificates. Nothing is changed. */
export async function check(options: CheckOptions): Promise<CheckResult> {
  const { folder, network, env } = options;
  if ((await folder.read(FILES.env)) === undefined)
    throw new TunnelError("anthropic-not-made", { detail: `${FILES.env} is missing in ${folder.root}` });
  const text = (await folder.read(FILES.env)) ?? "";
  const domain = valueIn(text, DOMAIN);
  const { finding: proxyFinding, file } = await proxyFile(folder, domain);
  const named = async (title: string, finding: Finding | Promise<Finding>): Promise<Checked> => ({
    title,
    finding: await finding,
  });
  const findings = [
    ...(await Promise.all([
      named("openssl", opensslFinding(options)),
      named("Docker", dockerFinding(options)),
      named("Docker Compose", composeVersion(options)),
      ...(network === undefined ? [] : [named("Network", networkFinding(network))]),
    ])),
    await named("Folder", permissions(folder)),
    await named("Domain", domainFinding(domain)),
    await named("Token", tokenFinding(text, env)),
    await named("Images", imagesFinding(text, file)),
    await named("Proxy file", proxyFinding),
    await named("Compose file", composeFinding(folder)),
    ...(await certificateFindings(options, domain, file)),
  ];
  return { findings, proxy: isPlaceholder(domain) ? undefined : file };
}

async function opensslFinding({ run, folder }: CheckOptions): Promise<Finding> {
  try {
    return ok(await usableOpenssl(run, folder.root));
  } catch (error) {
    if (!(error instanceof TunnelError)) throw error;
    return warn(error.message, error.nextForPerson);
  }
}

async function dockerFinding({ run, folder }: CheckOptions): Promise<Finding> {
  const result = await run("docker", ["version", "--format", "{{.Server.Version}}"], folder.root);
  if (result.kind === "missing") return fail("not found", "install Docker, with Compose");
  if (result.kind === "failed")
    return fail("the engine does not answer", "start Docker, and let your user reach it (docker version)");
  return ok(`engine ${versionIn(result.output)}`);
}

async function composeVersion({ run, folder }: CheckOptions): Promise<Finding> {
  const second = await run("docker", ["compose", "version", "--short"], folder.root);
  if (second.kind === "done") return ok(versionIn(second.output));
  const first = await run("docker-compose", ["version", "--short"], folder.root);
  if (first.kind === "done")
    return ok(`${versionIn(first.output)}, as docker-compose: type that in place of docker compose`);
  return fail("not found", "install the Compose plugin of Docker (docker compose version)");
}

/** Other programs may print anything. */
function versionIn(output: string): string {
  return /\d+(?:\.\d+)+[\w.+-]{0,20}/.exec(output)?.[0] ?? "of an unknown version";
}

const EDGE = "region1.v2.argotunnel.com";
const API = "api.anthropic.com";

async function networkFinding(network: Network): Promise<Finding> {
  const signal = AbortSignal.timeout(LIMIT_MS);
  const address = async (name: string): Promise<string> => {
    const asked = [network.systemLookup(name, signal)];
    if (network.dohEnabled) asked.push(network.dohLookup(name, signal));
    const [first] = await Promise.any(asked);
    if (first === undefined) throw new Error("no address");
    return first;
  };
  const works = (work: Promise<unknown>): Promise<boolean> =>
    work.then(
      () => true,
      () => false,
    );
  const edge = address(EDGE);
  const [api, tcp, udp] = await Promise.all([
    works(address(API).then((ip) => network.tcpConnect(ip, 443, signal))),
    works(edge.then((ip) => network.tcpConnect(ip, 7844, signal))),
    works(edge.then((ip) => network.quicProbe(ip, 7844, signal))),
  ]);
  if (!tcp && !udp)
    return fail(
      "port 7844 of Cloudflare's edge is not reached, neither by TCP nor by UDP",
      "allow outgoing 7844 to 198.41.192.0/19; an HTTP proxy does not help",
    );
  if (!api) return warn(`${API}, port 443, is not reached`, "allow it: images and the Console need HTTPS");
  return ok(`port 443, and 7844 by ${[tcp ? "TCP" : "", udp ? "UDP" : ""].filter(Boolean).join(" and ")}`);
}

const SECRET_FILES = [FILES.env, FILES.caKey, FILES.nextCaKey];
const SHARED_FILES = [FILES.ca, FILES.cert, FILES.key, FILES.proxy, FILES.compose, FILES.sample];

async function permissions(folder: Folder): Promise<Finding> {
  const places: readonly (readonly [string, "file" | "folder", number])[] = [
    [".", "folder", MODES.privateFolder],
    ["ca", "folder", MODES.privateFolder],
    ...["config", "data", "sample"].map((name) => [name, "folder", MODES.sharedFolder] as const),
    ...SECRET_FILES.map((name) => [name, "file", MODES.secret] as const),
    ...SHARED_FILES.map((name) => [name, "file", MODES.shared] as const),
  ];
  const problems: string[] = [];
  for (const [name, kind, mode] of places) {
    const problem = await folder.problemOf(name, kind, mode);
    if (problem !== undefined) problems.push(`${name === "." ? "the folder" : name}: ${problem}`);
  }
  if (problems.length === 0) return ok("yours alone, without links");
  return fail(problems.join("; "), "put that right with chmod, chown or a plain file in place of a link");
}

function domainFinding(domain: string): Finding {
  if (isPlaceholder(domain))
    return fail("not filled in", `copy it from the Console to ${DOMAIN} in ${FILES.env}; then ${INIT}`);
  const problem = domainProblem(domain);
  if (problem !== undefined) return fail(problem, `correct ${DOMAIN} in ${FILES.env}; then ${INIT}`);
  if (!domain.endsWith(USUAL_DOMAIN))
    return warn(`${domain} does not end in ${USUAL_DOMAIN}`, "compare it with the Console");
  return ok(domain);
}

function tokenFinding(text: string, env: Environment): Finding {
  const paste = `paste it from the Console to ${TOKEN} in ${FILES.env}, with an editor: not into a chat, nor on a command line`;
  switch (tokenState(text)) {
    case "absent":
    case "placeholder":
      return fail("not filled in", paste);
    case "malformed":
      return fail("this is no token: one begins with eyJ and has no spaces", paste);
    case "present":
      return (env[TOKEN] ?? "") === ""
        ? ok("filled in (not shown)")
        : warn(
            `filled in, but this terminal has a ${TOKEN} of its own, which Docker Compose takes instead`,
            `unset ${TOKEN} before docker compose up`,
          );
  }
}

function imagesFinding(text: string, file: ProxyFile | undefined): Finding {
  const names = [IMAGES.proxy, IMAGES.cloudflared];
  const [open, unpinned] = [
    names.filter((name) => isPlaceholder(valueIn(text, name))),
    names.filter((name) => !isPinned(valueIn(text, name))),
  ];
  const digest = "write NAME@sha256:DIGEST; Anthropic's page on Docker Compose has them";
  if (open.length > 0) return fail(`${open.join(" and ")}: not filled in, in ${FILES.env}`, digest);
  if (unpinned.length > 0) return fail(`${unpinned.join(" and ")}: without a digest`, digest);
  const hasSample = file?.routes.some(({ upstream }) => upstream.includes("//sample:")) === true;
  if (hasSample && !isPinned(valueIn(text, IMAGES.sample)))
    return ok("pinned by digest, but for the one of the sample server");
  return ok("pinned by digest");
}

async function proxyFile(
  folder: Folder,
  domain: string,
): Promise<{ finding: Finding; file: ProxyFile | undefined }> {
  const text = await folder.read(FILES.proxy);
  if (text === undefined) return { finding: fail(`${FILES.proxy} is missing`, INIT), file: undefined };
  const { file, problems } = readProxyFile(text);
  const isOther = file !== undefined && file.domain !== domain && !isPlaceholder(domain);
  const all = isOther ? [`tunnel_domain is not the one in ${FILES.env}`, ...problems] : problems;
  if (file === undefined || all.length > 0)
    return { finding: fail(all.join("; "), `correct ${FILES.proxy}, or ${INIT}`), file };
  const names = file.routes.map(({ label, upstream }) => `${label} to ${upstream}`);
  return { finding: ok(names.join(", ")), file };
}

async function composeFinding(folder: Folder): Promise<Finding> {
  const text = await folder.read(FILES.compose);
  if (text === undefined) return fail(`${FILES.compose} is missing`, INIT);
  if (isOwnCompose(text)) return ok("as it was made");
  const problems = composeProblems(text);
  if (problems.length > 0)
    return fail(problems.join("; "), `correct ${FILES.compose}, or ${INIT} and --force`);
  return ok("changed by you; what the tunnel needs is there");
}

const RENEW = "run anthropic-tunnel renew with this folder";

async function certificateFindings(
  options: CheckOptions,
  domain: string,
  file: ProxyFile | undefined,
): Promise<readonly Checked[]> {
  const { folder, now } = options;
  const pem = await folder.read(FILES.ca);
  const ca = pem === undefined ? undefined : certificateOf(pem);
  const wrong = pem === undefined ? [`${FILES.ca} is missing`] : caProblems(pem, now);
  const fix = `move ${FILES.ca} away and ${INIT}; then register the new one in the Console`;
  const first: Checked = {
    title: "CA",
    finding: ca === undefined || wrong.length > 0 ? fail(wrong.join("; "), fix) : lifeFinding(ca, now),
  };
  const isNamed = !isPlaceholder(domain) && domainProblem(domain) === undefined;
  if (pem === undefined || ca === undefined || file === undefined || !isNamed) return [first];
  return [first, ...(await proxyFindings(options, { pem, ca, domain, file }))];
}

function lifeFinding(certificate: X509Certificate, now: number): Finding {
  const text = `good for ${daysLeft(certificate, now)} days, until ${certificate.validTo}`;
  return isDue(certificate, now) ? warn(text, RENEW) : ok(text);
}

interface Named {
  readonly pem: string;
  readonly ca: X509Certificate;
  readonly domain: string;
  readonly file: ProxyFile;
}

async function proxyFindings(
  { folder, now }: CheckOptions,
  { pem, ca, domain, file }: Named,
): Promise<readonly Checked[]> {
  const hosts = file.routes.map(({ label }) => `${label}.${domain}`);
  const [leaf, leafKey] = [await folder.read(FILES.cert), await folder.read(FILES.key)];
  const wrong = leafProblems({ leaf, leafKey, ca, hosts, now });
  const certificate = leaf === undefined ? undefined : certificateOf(leaf);
  if (wrong.length > 0 || certificate === undefined || leaf === undefined || leafKey === undefined)
    return [{ title: "Certificate", finding: fail(wrong.join("; "), INIT) }];
  const found: Checked[] = [{ title: "Certificate", finding: lifeFinding(certificate, now) }];
  for (const host of hosts) {
    const problem = await rehearse({ ca: pem, cert: leaf, key: leafKey, host });
    const upstream = upstreamFor(host, file) ?? "no route";
    const finding =
      problem === undefined
        ? ok(`${host}: TLS 1.3 in a rehearsal, then to ${upstream}`)
        : fail(`${host}: ${problem}`, nextForPerson("anthropic-openssl-failed"));
    found.push({ title: "Handshake", finding });
  }
  return found;
}
