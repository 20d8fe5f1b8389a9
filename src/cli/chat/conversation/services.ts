import { asTunnelError, TunnelError } from "../../../errors/tunnel-error.ts";
import { foldedName } from "../../../protocol/base/names.ts";
import { peerRegistration } from "../../../view/setup/peer-registration.ts";
import { GATES } from "../../../oversight/gates/gates.ts";
import type { Clock } from "../../../runtime/clock.ts";
import type { LazyServices } from "../../../services/tunnels/lazy-services.ts";
import type { Connected, Taken } from "../../../services/taker/taker.ts";
import type { OfferRequest, TunnelServices } from "../../../services/tunnels/tunnel-services.ts";
import type { ServiceId } from "../../../session/service-offers.ts";
import type { Session } from "../../../session/sessions.ts";
import { listenerView, ownServiceView, servicesView, type ServicesView } from "../../../view/services.ts";
import type { ChatEvent, Ref, Show } from "./events.ts";

interface ChatServicesOptions {
  readonly tunnel: Session;
  readonly services: LazyServices;
  readonly clock: Clock;
  /** `human` where a person types (G11). */
  readonly author: "human" | undefined;
  readonly show: Show;
}

interface ConnectWish {
  readonly serviceId: ServiceId;
  readonly port?: number | undefined;
  readonly ref?: Ref | undefined;
}

/** Services that are remembered by a number: whoever offers without end makes nothing grow. */
const MAX_NUMBERED = 1_000;
/** An owner's program answers at once where nobody has to be asked. */
const FIRST_ANSWER_MS = 2_000;
/** Longer than an owner lets a question wait before it says so: a new one then joins the same ask. */
const NEXT_ANSWER_MS = 90_000;
/** An owner's person is asked for so long. */
const ASKED_MS = GATES["visit-service"].minutes * 60_000;

/** The services of one conversation, with the numbers by which a person calls them. */
export class ChatServices {
  readonly #options: ChatServicesOptions;
  /** From 1; a number is never that of another service. */
  readonly #numbers = new Map<ServiceId, number>();
  #lastNumber = 0;
  /** Services whose owner's person is being asked. */
  readonly #asking = new Map<ServiceId, AbortController>();
  readonly #abort = new AbortController();

  constructor(options: ChatServicesOptions) {
    this.#options = options;
  }

  /** Undefined where nothing is offered or used. */
  get view(): ServicesView | undefined {
    const { tunnel, services, clock } = this.#options;
    return servicesView(tunnel, services.loaded?.known(tunnel.tunnelId), clock.now());
  }

  /** The number of a service, which it gets when it is first shown. */
  numberOf(serviceId: ServiceId): number {
    const known = this.#numbers.get(serviceId);
    if (known !== undefined) return known;
    this.#lastNumber += 1;
    this.#numbers.set(serviceId, this.#lastNumber);
    const [oldest] = this.#numbers.keys();
    if (oldest !== undefined && this.#numbers.size > MAX_NUMBERED) this.#numbers.delete(oldest);
    return this.#lastNumber;
  }

  /** The name that its owner has given it; undefined for one that is not known here. */
  nameOf(serviceId: ServiceId): string | undefined {
    const { tunnel, services } = this.#options;
    const own = services.loaded?.known(tunnel.tunnelId)?.owner.find(serviceId);
    return own?.offer.name ?? tunnel.serviceOffers.find(serviceId)?.entry.offer.name;
  }

  /**
   * The service that a person means by its number, its id or its name.
   * @throws {TunnelError} service-unknown; input-invalid where several have this name
   */
  find(word: string): ServiceId {
    if (this.#numbers.has(word)) return word;
    for (const [serviceId, number] of this.#numbers) if (word === String(number)) return serviceId;
    const { offered = [], listeners = [], toYou = [] } = this.view ?? {};
    const running = [...offered.filter(({ status }) => status !== "over"), ...listeners, ...toYou];
    const named = running.filter(({ name }) => foldedName(name) === foldedName(word));
    const [only, ...more] = named;
    if (more.length > 0) {
      const numbers = named.map(({ serviceId }) => this.numberOf(serviceId)).join(", ");
      throw new TunnelError("input-invalid", { detail: `several services have this name: ${numbers}` });
    }
    if (word === "" || only === undefined) throw new TunnelError("service-unknown");
    return only.serviceId;
  }

  /** @throws {TunnelError} as {@link TunnelServices.offer} */
  async offer(request: Omit<OfferRequest, "author">, ref?: Ref): Promise<void> {
    const { clock, author, show } = this.#options;
    const services = await this.#services();
    const { own, sent } = await services.offer({ ...request, author }, this.#abort.signal);
    const { warnings } = own.handler;
    const service = ownServiceView(own, services, clock.now());
    show({ type: "offered", ref, number: this.numberOf(own.serviceId), service, sent, warnings });
  }

  /**
   * Resolves when the outcome has been shown. Where the owner's person is asked first, that is shown, and it goes on by itself.
   * @throws {TunnelError} service-*, and cancelled where it was stopped meanwhile
   */
  async connect({ serviceId, port, ref }: ConnectWish): Promise<void> {
    const { clock, show } = this.#options;
    const services = await this.#services();
    this.#asking.get(serviceId)?.abort();
    const stopped = new AbortController();
    this.#asking.set(serviceId, stopped);
    try {
      const signal = AbortSignal.any([this.#abort.signal, stopped.signal]);
      const connected = await this.#connected(services, { serviceId, port, ref }, signal);
      const { listening } = connected.taken;
      const url = listening.newUrl();
      const mcp = await mcpOf(services, connected.taken, url, signal);
      show({
        type: "connected",
        ref,
        number: this.numberOf(serviceId),
        listener: listenerView(connected.taken, services, clock.now()),
        url,
        token: listening.token,
        mcp,
      });
    } finally {
      if (this.#asking.get(serviceId) === stopped) this.#asking.delete(serviceId);
    }
  }

  /** Ends a listener, a question to an owner, or an offer of this side. @throws {TunnelError} service-unknown */
  async stop(serviceId: ServiceId, ref?: Ref): Promise<void> {
    const { show } = this.#options;
    const asking = this.#asking.get(serviceId);
    asking?.abort();
    const services = await this.#services();
    const name = this.nameOf(serviceId);
    const what = await services.stop(serviceId).catch((error: unknown) => {
      if (asking === undefined) throw error;
      return "listener" as const;
    });
    show({ type: "stopped", ref, serviceId, name: name ?? serviceId, what });
  }

  /** Nothing is asked for any more. What is offered or used ends with the tunnel. */
  close(): void {
    this.#abort.abort();
  }

  async #services(): Promise<TunnelServices> {
    const { tunnel, services } = this.#options;
    tunnel.touch();
    return (await services.get()).of(tunnel);
  }

  async #connected(
    services: TunnelServices,
    { serviceId, port, ref }: ConnectWish,
    signal: AbortSignal,
  ): Promise<Exclude<Connected, "asked">> {
    const { clock, show, tunnel } = this.#options;
    const until = clock.now() + ASKED_MS;
    let timeoutMs = FIRST_ANSWER_MS;
    for (;;) {
      const connected = await services.connect(serviceId, { port, timeoutMs, signal });
      if (signal.aborted) throw new TunnelError("cancelled");
      if (connected !== "asked") return connected;
      if (clock.now() >= until) throw new TunnelError("service-undecided");
      if (timeoutMs === FIRST_ANSWER_MS) {
        const fromName = tunnel.serviceOffers.find(serviceId)?.entry.fromName ?? "";
        const name = this.nameOf(serviceId) ?? serviceId;
        show({ type: "asked", ref, serviceId, name, fromName });
      }
      timeoutMs = NEXT_ANSWER_MS;
    }
  }
}

type ConnectedEvent = Extract<ChatEvent, { type: "connected" }>;

/** @throws {TunnelError} cancelled */
async function mcpOf(
  services: TunnelServices,
  taken: Taken,
  url: string,
  signal: AbortSignal,
): Promise<ConnectedEvent["mcp"]> {
  const { offer } = taken.heard.entry;
  const { token } = taken.listening;
  if (offer.service !== "mcp" || token === undefined) return undefined;
  const register = peerRegistration(undefined, { name: offer.name, url, header: token }, process.platform);
  try {
    const { tools } = await services.survey(taken, signal);
    return { register, tools: tools.map(({ name }) => name) };
  } catch (thrown) {
    if (asTunnelError(thrown).code !== "mcp-server-unfit") throw thrown;
    return { register, tools: undefined };
  }
}
