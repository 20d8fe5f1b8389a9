import { isIP } from "node:net";
import type { Admission, Source } from "../gate.ts";
import type { OwnAnswer, RawFields, RequestHead } from "../message.ts";
import { valuesOf, without } from "../message.ts";
import { PROBE_PREFIX, type Probes, RESERVED_PREFIX, type ServiceReport } from "../probes.ts";
import type { RecordedRequest, Recording } from "../recorder.ts";
import type { ServiceQuestion, Upstream } from "../upstream.ts";
import { readForm } from "./form.ts";
import { Forward, type ForwardContext, type Visit } from "./forward.ts";
import type { GatewayLimits } from "./limits.ts";
import { lingerOver } from "./lingering.ts";
import type { PassageStats } from "../passage.ts";
import type { GatewayOptions } from "./options.ts";
import { Origins } from "./rules/origins.ts";
import { Client } from "./outgoing/client.ts";
import { Failure, type FailureKind } from "./outgoing/failure.ts";
import { OWN, ownFields, sendOwnAnswer } from "./rules/own-answers.ts";
import { answerProbe } from "./probing.ts";
import { hasPassed, requestFields } from "./rules/request-fields.ts";
import {
  type Checked as AnyChecked,
  checkRequest,
  type IncomingBody,
  isOurs,
} from "./rules/request-rules.ts";

/** Before there is a public address, when only probes are let in. */
const NO_ORIGIN = new URL("http://localhost");
const SET_COOKIE: ReadonlySet<string> = new Set(["set-cookie"]);

type Phase =
  | { readonly kind: "unpublished" }
  | { readonly kind: "public"; readonly origin: URL }
  | { readonly kind: "over" };

type Checked = Extract<AnyChecked, { kind: "good" }>;
type Passed = Extract<Admission, { kind: "pass" }>;

/** Decides what becomes of each request, from the first rule to the service. */
export class Reception {
  readonly #options: GatewayOptions;
  readonly #limits: GatewayLimits;
  readonly #client: Client;
  readonly #open = new Set<Forward>();
  readonly #context: ForwardContext;
  #phase: Phase = { kind: "unpublished" };
  #probes: Probes | undefined;
  #isReachable = true;
  #origins: { readonly upstream: Upstream; readonly origin: URL; readonly origins: Origins } | undefined;
  readonly #stats = { requests: 0, refused: 0, bytesIn: 0, bytesOut: 0 };
  #lastRequestMs: number | undefined;

  constructor(options: GatewayOptions, limits: GatewayLimits) {
    this.#options = options;
    this.#limits = limits;
    this.#probes = options.probes;
    const { clock } = options;
    this.#client = new Client(clock, { ...limits, keptMs: limits.serviceKeptMs });
    this.#context = {
      client: this.#client,
      clock,
      limits,
      onBytes: (direction, count) => {
        if (direction === "in") this.#stats.bytesIn += count;
        else this.#stats.bytesOut += count;
      },
      onService: (state) => this.#service(state),
      onEnd: () => undefined,
    };
  }

  get stats(): PassageStats {
    return { ...this.#stats, open: this.#open.size, lastRequestMs: this.#lastRequestMs };
  }

  publish(origin: URL): void {
    if (this.#phase.kind !== "over") this.#phase = { kind: "public", origin };
  }

  endProbes(): void {
    this.#probes = undefined;
  }

  /** Ends what is under way for one visitor, whose way in has been taken back. */
  cut(visitor: string): void {
    for (const forward of this.#open) if (forward.visitor === visitor) forward.stop();
  }

  expire(): void {
    this.#phase = { kind: "over" };
    this.endProbes();
    for (const forward of this.#open) forward.stop();
    this.#client.close();
  }

  close(): void {
    this.expire();
  }

  visit(visit: Visit, expectsContinue: boolean): void {
    const { request, response } = visit;
    const { proof } = this.#options;
    if (
      proof !== undefined &&
      request.url === proof.path &&
      (request.method === "GET" || request.method === "HEAD")
    ) {
      const body = Buffer.from(proof.answer);
      const fields = ["Content-Type", "text/plain", "Content-Length", String(body.length)];
      response.writeHead(404, [...fields, "Cache-Control", "no-store", "X-Content-Type-Options", "nosniff"]);
      response.end(body);
      return;
    }
    const checked = checkRequest(request);
    if (checked.kind === "refused") {
      this.#refuse(visit, checked.answer, checked.closes || expectsContinue);
      return;
    }
    const { target, body } = checked;
    const refusal = this.#refusalOf(visit, checked);
    if (refusal !== undefined) {
      this.#refuse(visit, refusal, expectsContinue);
      return;
    }
    if (target.startsWith(PROBE_PREFIX)) {
      answerProbe(visit, target, this.#probes, {
        clock: this.#options.clock,
        lingerMs: this.#limits.lingerMs,
        askService: (then) => this.#askService(then),
      });
      return;
    }
    this.#judge(visit, target, body, expectsContinue);
  }

  /** Why a well-formed request is not even shown to the gate. */
  #refusalOf(visit: Visit, { authority, isAbsolute, target, body }: Checked): OwnAnswer | undefined {
    if (this.#open.size >= this.#limits.inFlight) return OWN.busy;
    const isProbe = target.startsWith(PROBE_PREFIX) && this.#probes !== undefined;
    if (this.#phase.kind === "over") return OWN.over;
    if (this.#phase.kind === "unpublished") return isProbe ? undefined : OWN.notReady;
    if (!isOurs(authority, this.#phase.origin) && !this.#isLoopbackHost(authority, visit))
      return isAbsolute ? OWN.badTarget : OWN.otherHost;
    if (hasPassed(visit.request.rawHeaders, this.#options.pseudonym)) return OWN.loop;
    const most = this.#limits.requestBodyBytes;
    if (most !== undefined && body.kind === "length" && body.bytes > most) return OWN.bodyTooLong;
    // A handshake has no body (RFC 6455 §4.1): what follows would be read in two ways.
    if (visit.upgrade !== undefined && hasBody(body)) return OWN.badFraming;
    return undefined;
  }

  /** A tunnel program may put our own port into `Host`. */
  #isLoopbackHost(authority: string, { request }: Visit): boolean {
    const { takesLoopbackHost } = this.#options;
    const { localPort } = request.socket;
    return takesLoopbackHost === true && LOOPBACK_HOSTS.some((name) => authority === `${name}:${localPort}`);
  }

  #judge(visit: Visit, target: string, body: IncomingBody, expectsContinue: boolean): void {
    const { request, response } = visit;
    const { clock, gate } = this.#options;
    const head: RequestHead = { method: request.method ?? "", target, fields: request.rawHeaders };
    const admission = gate.judge(head, this.#sourceOf(visit), { isUpgrade: visit.upgrade !== undefined });
    if (admission.kind === "answer") {
      this.#refuse(visit, admission.answer, expectsContinue, admission.shown);
    } else if (admission.kind === "form" || admission.kind === "inquiry") {
      if (expectsContinue) response.writeContinue();
      readForm(request, admission.maxBytes, clock, this.#limits.formMs, (form) => {
        const say = (answer: OwnAnswer): void => this.#refuse(visit, answer, false, admission.shown);
        if (form === "too-long") say(OWN.bodyTooLong);
        else if (form === "too-late") say(OWN.bodyTimeout);
        else if (admission.kind === "form") say(admission.submit(form.text));
        else void admission.inquire(form.text).then(say);
      });
    } else if (admission.target.startsWith(RESERVED_PREFIX)) {
      this.#refuse(visit, OWN.reserved, expectsContinue);
    } else {
      this.#forward(visit, admission, body, expectsContinue);
    }
  }

  #forward(visit: Visit, admission: Passed, body: IncomingBody, expectsContinue: boolean): void {
    if (this.#phase.kind !== "public") return;
    const { request } = visit;
    const { recorder, pseudonym, onNews, clock } = this.#options;
    const upstream = this.#options.upstream();
    const source = this.#sourceOf(visit);
    const { way, visitor, target, fields } = admission;
    const method = request.method ?? "";
    const recording = recorder?.begin({ method, target, fields, source, decided: { way, visitor } });
    this.#stats.requests += 1;
    this.#lastRequestMs = clock.now();
    const forward: Forward = new Forward(
      visit,
      admission,
      {
        upstream,
        origins: this.#originsOf(upstream, this.#phase.origin),
        source: source.address,
        pseudonym,
        httpVersion: request.httpVersion,
        // A body of no bytes needs no framing where no method expects one; where one does, its length is told.
        body,
        upgrades: visit.upgrade !== undefined,
        expectsContinue: expectsContinue && hasBody(body),
      },
      {
        ...this.#context,
        onEnd: (status) => {
          this.#open.delete(forward);
          onNews?.({ kind: "request", way, visitor, method, target, status });
        },
      },
      recording,
    );
    this.#open.add(forward);
  }

  /** @param shown what may be kept of the request */
  #refuse(visit: Visit, answer: OwnAnswer, closes: boolean, shown?: RequestHead): void {
    const { request, response } = visit;
    this.#stats.refused += 1;
    const recording = this.#record(visit, { refused: answer.why }, shown);
    // A cookie of the gate is a credential.
    const fields = without(ownFields(answer), SET_COOKIE);
    const isPrivate = answer.isPrivate === true;
    recording?.responseHead({ status: answer.status, reason: "", fields: isPrivate ? [] : fields });
    if (!isPrivate) recording?.responseChunk(Buffer.from(answer.body));
    recording?.end("own-answer", answer.why);
    lingerOver(request, this.#options.clock, this.#limits.lingerMs);
    sendOwnAnswer(response, answer, closes || visit.upgrade !== undefined);
  }

  #record(
    { request }: Visit,
    decided: RecordedRequest["decided"],
    shown: RequestHead | undefined,
  ): Recording | undefined {
    const { recorder } = this.#options;
    if (recorder === undefined) return undefined;
    const { method = "", url: target = "", rawHeaders: fields } = request;
    const head = shown ?? { method, target, fields };
    return recorder.begin({ ...head, source: this.#sourceOf({ request }), decided });
  }

  /** The visitor as the edge names it; nobody else is believed. */
  #sourceOf({ request }: Pick<Visit, "request">): Source {
    const { sourceHeader } = this.#options;
    const named = sourceHeader === undefined ? [] : valuesOf(request.rawHeaders, sourceHeader);
    const [only = ""] = named;
    if (named.length === 1 && isIP(only) !== 0) return { address: only };
    const direct = request.socket.remoteAddress ?? "";
    return { address: /^::ffff:([0-9.]+)$/i.exec(direct)?.[1] ?? direct };
  }

  /** Made once for as long as both ends stay the same. */
  #originsOf(upstream: Upstream, origin: URL): Origins {
    const known = this.#origins;
    if (known !== undefined && known.upstream === upstream && known.origin === origin) return known.origins;
    const origins = new Origins(origin, upstream, this.#options.hostHeader);
    this.#origins = { upstream, origin, origins };
    return origins;
  }

  #service(state: "answers" | FailureKind): void {
    if (state === "answers") {
      if (!this.#isReachable) this.#options.onNews?.({ kind: "back" });
      this.#isReachable = true;
    } else if (UNREACHABLE.has(state)) {
      if (this.#isReachable) this.#options.onNews?.({ kind: "unreachable", why: state });
      this.#isReachable = false;
    }
  }

  fieldsFor(fields: RawFields, source: string, body: IncomingBody = { kind: "none" }): RawFields {
    const { pseudonym } = this.#options;
    const upstream = this.#options.upstream();
    const origin = this.#phase.kind === "public" ? this.#phase.origin : NO_ORIGIN;
    return requestFields(fields, {
      upstream,
      origins: this.#originsOf(upstream, origin),
      source,
      pseudonym,
      httpVersion: "1.1",
      body,
      upgrades: false,
      expectsContinue: false,
    });
  }

  /** Only the head of the answer counts. */
  #askService(then: (report: ServiceReport) => void): void {
    const upstream = this.#options.upstream();
    const { clock, question = GET_ROOT } = this.#options;
    const { method, target } = question;
    let isOver = false;
    const end = (report: ServiceReport): void => {
      if (isOver) return;
      isOver = true;
      stop();
      exchange.abort();
      then(report);
    };
    const failed = ({ kind }: Failure): void => end({ error: kind });
    const bytes = Buffer.from(question.body);
    const body: IncomingBody =
      bytes.length === 0 ? { kind: "none" } : { kind: "length", bytes: bytes.length };
    const fields = this.fieldsFor(question.fields, "127.0.0.1", body);
    const exchange = this.#client.request(
      upstream,
      { method, target, fields, body: body.kind, upgrades: false },
      {
        onInterim: () => undefined,
        onHead: ({ status, fields }) => end({ status, server: valuesOf(fields, "server")[0] }),
        onChunk: () => undefined,
        onTurn: () => undefined,
        onEnd: () => undefined,
        onUpgrade: (_head, socket) => socket.destroy(),
        onFailure: failed,
        onDrain: () => undefined,
      },
    );
    if (bytes.length > 0) {
      exchange.write(bytes);
      exchange.endBody([]);
    }
    const stop = clock.after(this.#limits.connectMs, () =>
      failed(new Failure("http_response_timeout", "no head in time")),
    );
  }
}

const GET_ROOT: ServiceQuestion = { method: "GET", target: "/", fields: ["Accept", "*/*"], body: "" };
const LOOPBACK_HOSTS = ["127.0.0.1", "localhost", "[::1]"] as const;

/** The service, not one response of it, is at fault. */
const UNREACHABLE: ReadonlySet<FailureKind> = new Set([
  "connection_refused",
  "connection_timeout",
  "destination_ip_unroutable",
  "tls_protocol_error",
]);

const hasBody = (body: IncomingBody): boolean =>
  body.kind === "chunked" || (body.kind === "length" && body.bytes > 0);
