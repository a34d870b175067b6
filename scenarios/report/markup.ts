/** A piece of HTML or SVG that is safe to put into a page. Only `html` and `trusted` make one. */
export interface Markup {
  readonly markup: string;
}

/** What may stand in a template: text and numbers are escaped, markup is kept, lists are joined, null is nothing. */
export type Part = Markup | string | number | null | readonly Markup[];

/**
 * HTML from a template in which everything that is not markup already is escaped, for element content and for
 * double-quoted attributes. Parts must not stand in unquoted attributes, in style or script elements, or in URLs.
 */
export function html(template: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  const tail = parts.map((part, index) => write(part) + (template[index + 1] ?? ''));
  return { markup: (template[0] ?? '') + tail.join('') };
}

/** Constant text of this program as markup. Never for anything that comes from data. */
export function trusted(constant: string): Markup {
  return { markup: constant };
}

/** Text that stays on one line, such as a figure with its sign or interval. */
export function unbroken(text: string): Markup {
  return html`<span class="unbroken">${text}</span>`;
}

function write(part: Part): string {
  if (part === null) return '';
  if (typeof part === 'number') return String(part);
  if (typeof part === 'string') return escape(part);
  return 'markup' in part ? part.markup : part.map(({ markup }) => markup).join('');
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

// Control characters and lone surrogates are errors in a document; directional marks could reverse what stands around them.
function escape(text: string): string {
  return text
    .replaceAll(/[&<>"']/g, (character) => entities[character] ?? '')
    .replaceAll(/(?![\n\t])[\p{Cc}\p{Cs}\p{Bidi_Control}]/gu, '\uFFFD');
}
