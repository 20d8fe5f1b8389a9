/**
 * What the rules of secretlint look for, which know the tokens of many services. It is shown only the neighbourhood of such a
 * place: alone it would be the slowest part, and most texts never need it.
 */

/** Where one of its rules may find something. */
export interface Hint {
  /** Lower case. */
  readonly keywords: readonly string[];
  /** Sticky. Weaker than the rule itself, which decides. */
  readonly pattern: RegExp;
  readonly isOnOneLine?: true;
}

/** Marks of tokens; behind each comes what is random in it. */
const MARKS = [
  "dapi",
  "dckr_pat_",
  "figd_",
  "gho_",
  "ghp_",
  "ghr_",
  "ghs_",
  "ghu_",
  "github_pat_",
  "glc_",
  "glpat-",
  "glsa_",
  "gsk_",
  "hf_",
  "hvb.",
  "hvr.",
  "hvs.",
  "lin_api_",
  "npm_",
  "ntn_",
  "ops_ey",
  "sg.",
  "shpat_",
  "shpca_",
  "shppa_",
  "shpss_",
  "sk-admin-",
  "sk-ant-api",
  "sk-proj-",
  "sk-svcacct-",
  "vca_",
  "vci_",
  "vck_",
  "vcp_",
  "vcr_",
  "xapp-",
  "xoxa-",
  "xoxb-",
  "xoxo-",
  "xoxp-",
  "xoxr-",
];

export const HINTS: readonly Hint[] = [
  { keywords: MARKS, pattern: /[a-z_]+[-_.][\w+/=.-]{16}/iy },
  { keywords: ["dapi"], pattern: /dapi[0-9a-f]{32}/iy },
  { keywords: ["t3blbkfj"], pattern: /T3BlbkFJ\w{8}/y },
  { keywords: ["hooks.slack.com"], pattern: /hooks\.slack\.com\/services\/\w/iy },
  { keywords: ["x-oauth-basic@"], pattern: /x-oauth-basic@github/y, isOnOneLine: true },
  { keywords: ["-----begin"], pattern: /-----BEGIN ?(?:\w{1,10} )?PRIVATE KEY/y },
  {
    keywords: ["access_key", "accesskey"],
    pattern: /access_?key["']?\s{0,9}(?:=>|[=:])\s{0,9}["']?[a-z0-9/+=]{40}/iy,
    isOnOneLine: true,
  },
];
