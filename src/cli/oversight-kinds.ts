import { DEFAULT_LIMITS, type Budget, type BudgetLimits } from "../oversight/bounds/budgets.ts";
import { CHOSEN_GATES } from "../oversight/gates/gates.ts";
import { someOf, type Kind } from "./setting-kinds.ts";

/** The forms of settings about what agents may cause without a person. */

export const GATE_LIST = someOf(CHOSEN_GATES);

const BUDGET_NAMES: readonly Budget[] = ["messages", "bytes", "files", "minutes"];
const MAX_BUDGET = 1e15;

/** Budgets that are not named keep their default. */
export const BUDGET_LIST: Kind<BudgetLimits | "off"> = {
  accepted: `off, or a list such as messages=500,files=20 of ${BUDGET_NAMES.join(", ")} with whole numbers from 1`,
  format: "string",
  parse(text) {
    if (text.trim() === "off") return "off";
    let limits: BudgetLimits = DEFAULT_LIMITS;
    for (const part of text.split(",")) {
      const [, name, digits] = /^\s*([a-z]+)\s*=\s*(\d{1,16})\s*$/.exec(part) ?? [];
      const budget = BUDGET_NAMES.find((one) => one === name);
      const limit = Number(digits);
      if (budget === undefined || limit < 1 || limit > MAX_BUDGET) return undefined;
      limits = { ...limits, [budget]: limit };
    }
    return limits;
  },
  write: (limits) =>
    limits === "off" ? "off" : BUDGET_NAMES.map((name) => `${name}=${limits[name]}`).join(","),
};
