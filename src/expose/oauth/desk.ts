import { Emitter, type Observable } from "../../runtime/emitter.ts";
import type { SignInNotice } from "./notices.ts";
import { AuthorizationServer, type AuthorizationServerOptions } from "./server.ts";

/** Something that this user is told of one exposure. */
export interface SignInNews {
  readonly exposureId: string;
  readonly notice: SignInNotice;
}

/** Makes the authorization servers of a process, one for each exposure that has one, and hears what they have to tell. */
export class SignInDesk implements Observable<SignInNews> {
  readonly #options: Omit<AuthorizationServerOptions, "name" | "announce" | "ended">;
  readonly #servers = new Map<string, AuthorizationServer>();
  readonly #news = new Emitter<SignInNews>();

  constructor(options: Omit<AuthorizationServerOptions, "name" | "announce" | "ended">) {
    this.#options = options;
  }

  /** To be mounted in front of the token of one exposure. It is forgotten with its end. */
  authorize({
    exposureId,
    name,
  }: {
    readonly exposureId: string;
    readonly name: string;
  }): AuthorizationServer {
    const server = new AuthorizationServer({
      ...this.#options,
      name,
      announce: (notice) => this.#news.emit({ exposureId, notice }),
      ended: () => void this.#servers.delete(exposureId),
    });
    this.#servers.set(exposureId, server);
    return server;
  }

  /** Clients that wait to be let in, with their codes. */
  waitingAt(exposureId: string): readonly SignInNotice[] {
    return this.#servers.get(exposureId)?.waiting ?? [];
  }

  subscribe(listener: (news: SignInNews) => void): () => void {
    return this.#news.subscribe(listener);
  }
}
