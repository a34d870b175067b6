import { html, type Markup, trusted } from './markup.ts';
import { style } from './style.ts';

// The policy forbids every resource and script, so that even a fault in the escaping could not act.
const policy = `default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'`;

/** A whole page: one file, no script, nothing from elsewhere; everything from data is escaped. */
export function page(title: string, body: readonly Markup[]): string {
  return html`${trusted('<!doctype html>')}
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<title>${title} – Parley report</title>
<style>${trusted(style)}</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`.markup;
}
