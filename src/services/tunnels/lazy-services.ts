import { TunnelError } from "../../errors/tunnel-error.ts";
import { Lazy } from "../../runtime/lazy.ts";
import type { ServicesEvent } from "../news.ts";
import type { MemberServices } from "./member-services.ts";

/** The services of a server. */
export class LazyServices extends Lazy<MemberServices, ServicesEvent> {}

/** Those of a program that has none. */
export function noServices(): LazyServices {
  return new LazyServices(() => Promise.reject(new TunnelError("internal")));
}
