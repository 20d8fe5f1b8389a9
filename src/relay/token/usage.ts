/** How `tunnel-mcp relay token` is called. */
export const TOKEN_USAGE = `tunnel-mcp relay token create NAME | list | revoke ID
  --token-file FILE      the relay's file of tokens; or RELAY_TOKEN_FILE, or token-file in --config FILE
  --json                 the result as JSON

create NAME makes a token, and prints the two lines that its host needs. The token is shown once.
  --names PATTERN        names of HTTP services, with one * each, such as shop-*; more with commas; default *
  --kinds KIND           room, http, tcp; more with commas; default room,http
  --expires WHEN         90m, 12h, 30d, 2w, or a date such as 2030-12-31; default never
  --url URL              address of the relay as hosts reach it; default what the relay's options say
  --max-tunnels N        tunnels at once
  --max-names N          names of services in all; a name stays its owner's when the service ends
  --max-in-flight N      guests, requests and connections at once, of each tunnel
  --bytes-per-second N   through each tunnel
  --max-request-bytes N, --max-response-bytes N
                         of one body of an HTTP service; 0 is no limit

list shows every token but its secret. revoke takes one back, by its id or its name.
A running relay takes a change up on SIGHUP, and closes what has no token any more.
`;
