/** The value of a JSON text, or undefined where the text is not JSON: a schema refuses both alike. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
