import type { Misfit } from './category.ts';
import type { CharactersFeature } from './feature-schema.ts';

/** The code of what stands before a text's first character. */
export const paddingCode = 0;

/**
 * Codes of a text's characters (Unicode code points), shape (numCharacters,): 1 for the vocabulary's first, then on, `other`
 * after the last; or what is wrong with the text. The latest text is remembered, since each of its positions asks.
 */
export function characterCodes({
  vocabulary,
  other,
}: Pick<CharactersFeature, 'vocabulary' | 'other'>): (text: string) => Int32Array | Misfit {
  const characters = Array.from(vocabulary);
  const codes = new Map(characters.map((character, index) => [character, index + 1]));
  const otherCode = other === 'category' ? characters.length + 1 : undefined;
  const encode = (text: string): Int32Array | Misfit => {
    const found = Array.from(text, (character) => codes.get(character) ?? otherCode);
    const unknown = found.indexOf(undefined);
    return unknown < 0
      ? Int32Array.from(found, (code) => code ?? paddingCode)
      : unknownCharacter(Array.from(text), unknown);
  };
  let latest: { readonly text: string; readonly codes: Int32Array | Misfit } | undefined;
  return (text) => {
    if (latest?.text !== text) latest = { text, codes: encode(text) };
    return latest.codes;
  };
}

function unknownCharacter(text: readonly string[], at: number): Misfit {
  return {
    code: 'DATA_UNKNOWN_CATEGORY',
    expected: `characters of the vocabulary, which lacks ${JSON.stringify(text[at])} (character ${at + 1})`,
    advice: 'add the character to the vocabulary at every site, or declare `other: category`',
  };
}
