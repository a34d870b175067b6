/**
 * Lines of a plain-text table: `rows` of cells under `headers`, every row as long as `headers`. The first column is
 * left-aligned and so is every column headed in `texts`; the others are right-aligned, two blanks between columns.
 */
export function textTable(
  headers: readonly string[],
  rows: readonly (readonly string[])[],
  texts: readonly string[] = [],
): string[] {
  const lines = [headers, ...rows];
  const widths = headers.map((_, column) => Math.max(...lines.map((cells) => cells[column]?.length ?? 0)));
  return lines.map((cells) =>
    cells
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return column === 0 || texts.includes(headers[column] ?? '')
          ? cell.padEnd(width)
          : cell.padStart(width);
      })
      .join('  ')
      .trimEnd(),
  );
}
