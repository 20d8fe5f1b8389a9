import { certificateOf, daysLeft, isDue, keyOf } from "../../anthropic/certificate.ts";
import { DOMAIN, isPlaceholder, valueIn } from "../../anthropic/env-file.ts";
import { labelOf } from "../../anthropic/names.ts";
import { readProxyFile } from "../../anthropic/proxy-file.ts";
import { TunnelError } from "../../errors/tunnel-error.ts";
import { FILES, type Folder, MODES } from "./folder.ts";
import { issueCa, issueForProxy } from "./issue.ts";
import { type RunProgram, usableOpenssl } from "./programs.ts";

export interface RenewOptions {
  readonly folder: Folder;
  readonly run: RunProgram;
  readonly now: number;
  readonly force: boolean;
  /** Goes over to the CA that waits as `data/ca-next.crt`. */
  readonly switchCa: boolean;
}

/** The steps that were done, one sentence each. */
export type Renewal = readonly string[];

/**
 * Renews the proxy's certificate within its last 30 days, with the same key: the proxy watches the certificate's file alone, and
 * two files cannot be exchanged in one step. A CA within its last 30 days gets a successor, which a person has to register first.
 */
export async function renew(options: RenewOptions): Promise<Renewal> {
  const { folder, now, force, switchCa } = options;
  const said: string[] = [];
  if (switchCa) said.push(await goOver(folder));
  const { ca, caKey, leaf, key, domain, labels } = await readAll(folder);
  const authority = certificateIn(FILES.ca, ca);
  const isCaDue = isDue(authority, now);
  if (isCaDue) said.push(await successor(options));
  const certificate = certificateOf(leaf);
  const isNeeded = certificate === undefined || isDue(certificate, now);
  if (!isNeeded && !force && !switchCa)
    return [
      ...said,
      `Not renewed: ${FILES.cert} is good for ${daysLeft(certificate, now)} more days, until ${certificate.validTo}. It is renewed within its last 30 days, or with --force.`,
    ];
  await usableOpenssl(options.run, folder.root);
  const issued = await issueForProxy({ ...options, ca: { cert: ca, key: caKey }, domain, labels, key });
  await folder.write(FILES.cert, issued, MODES.shared);
  const { validTo } = certificateIn(FILES.cert, issued);
  return [
    ...said,
    `Renewed ${FILES.cert}, until ${validTo}. The proxy takes it by itself within a while; nothing has to be restarted.`,
  ];
}

async function readAll(folder: Folder) {
  const [ca, caKey, leaf, key, env, proxy] = await Promise.all([
    needed(folder, FILES.ca),
    needed(folder, FILES.caKey),
    needed(folder, FILES.cert),
    needed(folder, FILES.key),
    needed(folder, FILES.env),
    needed(folder, FILES.proxy),
  ]);
  if (keyOf(key) === undefined)
    throw new TunnelError("anthropic-not-made", { detail: `${FILES.key} holds no key` });
  const domain = valueIn(env, DOMAIN);
  if (isPlaceholder(domain))
    throw new TunnelError("anthropic-not-made", { detail: `${DOMAIN} is not filled in, in ${FILES.env}` });
  const routes = readProxyFile(proxy).file?.routes ?? [];
  return { ca, caKey, leaf, key, domain, labels: routes.map(({ label }) => labelOf(label, domain)) };
}

async function needed(folder: Folder, name: string): Promise<string> {
  const text = await folder.read(name);
  if (text !== undefined) return text;
  const why = name === FILES.caKey ? " (where a CA of your own signs, renew with its tools)" : "";
  throw new TunnelError("anthropic-not-made", { detail: `${name} is missing in ${folder.root}${why}` });
}

function certificateIn(name: string, pem: string) {
  const certificate = certificateOf(pem);
  if (certificate !== undefined) return certificate;
  throw new TunnelError("anthropic-file-invalid", { detail: `${name}: no certificate in PEM form` });
}

const STEPS = `register ${FILES.nextCa} in the Console (Certificates > Add certificate; a tunnel can have two), wait until it is Active, then run renew --switch-ca`;

async function successor(options: RenewOptions): Promise<string> {
  const { folder, run } = options;
  if ((await folder.read(FILES.nextCa)) !== undefined)
    return `The CA ends soon, and its successor waits: ${STEPS}.`;
  await usableOpenssl(run, folder.root);
  const { cert, key } = await issueCa(options);
  await folder.write(FILES.nextCaKey, key, MODES.secret);
  await folder.write(FILES.nextCa, cert, MODES.shared);
  return `The CA ends soon, so it has a successor now: ${STEPS}.`;
}

/** Each step may have been done by a run that was cut off, so each is done where it is left. */
async function goOver(folder: Folder): Promise<string> {
  const [next, nextKey] = [await folder.read(FILES.nextCa), await folder.read(FILES.nextCaKey)];
  if (next === undefined && nextKey === undefined)
    throw new TunnelError("anthropic-not-made", { detail: `there is no ${FILES.nextCa} to go over to` });
  if (next !== undefined) {
    await folder.move(FILES.ca, `${FILES.ca}.old`);
    await folder.move(FILES.nextCa, FILES.ca);
  }
  if (nextKey !== undefined) {
    await folder.move(FILES.caKey, `${FILES.caKey}.old`);
    await folder.move(FILES.nextCaKey, FILES.caKey);
  }
  return `Gone over to the new CA; the one before is ${FILES.ca}.old. Once the tunnel works, revoke that one in the Console.`;
}
