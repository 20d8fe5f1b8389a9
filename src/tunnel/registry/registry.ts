import { cloudflared } from "../cloudflared/declaration.ts";
import { direct } from "../direct.ts";
import { exec } from "../exec/declaration.ts";
import { relay } from "../relay/declaration.ts";
import type { Provider, ProviderDeclaration, TunnelOpener } from "../provider.ts";

/** Every provider under the value of TUNNEL_TRANSPORT that chooses it. Another one is its own file and a line here. */
export const PROVIDERS = { cloudflared, direct, exec, relay };

export type ProviderName = keyof typeof PROVIDERS;

function isProviderName(text: string): text is ProviderName {
  return Object.hasOwn(PROVIDERS, text);
}

export const PROVIDER_NAMES: readonly ProviderName[] = Object.keys(PROVIDERS).filter(isProviderName);

/** The names in a sentence: `a, b or c`. */
export const PROVIDER_CHOICE = PROVIDER_NAMES.join(", ").replace(/, ([^,]+)$/, " or $1");

type OptionsOf<Declared> = Declared extends ProviderDeclaration<infer Options> ? Options : never;
type All<Union> = (Union extends unknown ? (one: Union) => void : never) extends (all: infer Each) => void
  ? Each
  : never;
/** The options of all providers together: what the settings and the machine must give. */
export type ProviderOptions = All<OptionsOf<(typeof PROVIDERS)[ProviderName]>>;

/** The providers with their options. The code of each is loaded when its first tunnel is opened. */
export function providersFor(options: ProviderOptions): (name: ProviderName) => Provider {
  const openers = new Map<ProviderName, Promise<TunnelOpener>>();
  return (name) => {
    const { load, ...traits } = PROVIDERS[name];
    const open: TunnelOpener = async (request) => {
      const opener = openers.get(name) ?? load(options);
      openers.set(name, opener);
      return (await opener)(request);
    };
    return { ...traits, open };
  };
}
