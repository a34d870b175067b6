/** The page's style: system fonts, aligned numerals, light grid, readable in print, in the dark and on a telephone. */
export const style = `
:root {
  color-scheme: light dark;
  --page: #ffffff; --panel: #f5f6f8; --ink: #191c20; --soft: #555c66; --rule: #d5d9df; --grid: #e9ecf0;
  --first: #1a5ba0; --second: #a04c08; --good: #1c6b3d; --bad: #b0251d; --stamp-page: #fdf1dc; --stamp-ink: #6f3d00;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --page: #14171b; --panel: #1c2026; --ink: #e7eaee; --soft: #a4adb8; --rule: #3a414b; --grid: #272d35;
    --first: #82b6f2; --second: #f0a765; --good: #7ccb98; --bad: #ff9a90; --stamp-page: #38290f; --stamp-ink: #f7cf8d;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 2.5rem 1.5rem 4rem; max-width: 68rem; background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif;
  font-variant-numeric: tabular-nums lining-nums; overflow-wrap: break-word;
}
h1 { margin: 0; font-size: 1.9rem; line-height: 1.2; letter-spacing: -0.01em; }
h2 { margin: 0 0 0.75rem; font-size: 1.2rem; line-height: 1.3; }
h3 { margin: 0 0 0.4rem; font-size: 1rem; }
.finding { margin-top: 1.75rem; }
p { margin: 0.4rem 0; max-width: 46rem; }
section { margin-top: 2.75rem; padding-top: 1.25rem; border-top: 1px solid var(--rule); }
.facts, .note, .soft { color: var(--soft); }
.facts, .note { font-size: 0.9rem; }
.stamp {
  margin: 1.25rem 0 0; padding: 0.7rem 1rem; max-width: none; border: 1px solid currentColor; border-radius: 4px;
  background: var(--stamp-page); color: var(--stamp-ink);
}
.stamp b { letter-spacing: 0.02em; }
.headline { display: grid; grid-template-columns: repeat(3, 1fr); gap: 1.75rem; margin-top: 2rem; }
.headline > div { border-top: 3px solid var(--ink); padding-top: 0.6rem; min-width: 0; }
.headline h2 { font-size: 0.95rem; font-weight: 600; margin: 0; color: var(--soft); }
.headline .value { margin: 0.2rem 0; font-size: 2.3rem; line-height: 1.15; font-weight: 600; letter-spacing: -0.02em; }
.headline .value small { font-size: 1rem; font-weight: 400; letter-spacing: 0; color: var(--soft); }
.headline p { margin: 0.2rem 0; font-size: 0.9rem; }
.verdict { margin-top: 2rem; padding: 0.9rem 1.1rem; background: var(--panel); border-left: 4px solid var(--soft); }
.verdict h2 { margin: 0 0 0.25rem; }
.verdict p { max-width: 56rem; }
.verdict.leaks, .verdict.void { border-color: var(--bad); }
.verdict.leaks h2, .verdict.void h2 { color: var(--bad); }
.charts { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 2rem 2.25rem; align-items: start; }
figure { margin: 0; min-width: 0; display: flex; flex-direction: column; }
#rounds figure { height: 100%; justify-content: space-between; }
figcaption { font-size: 0.9rem; color: var(--soft); margin-bottom: 0.5rem; }
figcaption b { display: block; font-size: 1rem; color: var(--ink); }
svg { display: block; width: 100%; height: auto; }
svg text { font-size: 12.5px; fill: var(--soft); }
svg .label { font-weight: 600; paint-order: stroke; stroke: var(--page); stroke-width: 3px; stroke-linejoin: round; }
svg .label.first { fill: var(--first); }
svg .label.second { fill: var(--second); }
svg .label.reference { font-weight: 400; }
.grid { stroke: var(--grid); }
.axis { stroke: var(--soft); stroke-opacity: 0.6; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.line.first { stroke: var(--first); }
.line.second { stroke: var(--second); stroke-dasharray: 7 4; }
.line.thin { stroke: var(--soft); stroke-width: 1; stroke-opacity: 0.55; }
.line.reference { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 2 3; }
.dot.first { fill: var(--first); }
.dot.second { fill: var(--second); }
.dot.thin { fill: var(--soft); }
.whisker { stroke: var(--soft); stroke-width: 1; stroke-opacity: 0.7; }
.whisker.first { stroke: var(--first); }
.band { fill: var(--first); fill-opacity: 0.16; stroke: var(--first); stroke-opacity: 0.25; stroke-width: 1; }
.reading { fill: var(--ink); fill-opacity: 0; }
.reading:hover { fill-opacity: 0.08; }
.table { overflow-x: auto; margin: 0.75rem 0 0; }
.charts > .table { margin-top: 0; }
.charts + .table { margin-top: 2rem; }
.table:focus-visible { outline: 2px solid var(--first); outline-offset: 2px; }
table { border-collapse: collapse; width: 100%; font-size: 0.9rem; }
caption { text-align: left; color: var(--soft); padding-bottom: 0.5rem; }
caption span { display: inline-block; position: sticky; left: 0; max-width: min(100%, calc(100vw - 2rem)); }
th, td { padding: 0.36rem 0.9rem 0.36rem 0; text-align: left; vertical-align: baseline; border-bottom: 1px solid var(--grid); }
th:last-child, td:last-child { padding-right: 0; }
thead th { color: var(--soft); font-weight: 600; border-bottom-color: var(--rule); white-space: nowrap; }
tbody th { font-weight: 600; }
.unbroken { white-space: nowrap; }
.number { text-align: right; white-space: nowrap; }
.wide { min-width: 11rem; }
.bad { color: var(--bad); font-weight: 600; }
.good { color: var(--good); }
td svg.range { width: 132px; height: 14px; margin: 0 0 -2px; }
.range .chance { stroke: var(--soft); stroke-dasharray: 2 2; }
.range .reach { stroke: var(--first); stroke-width: 2; }
.range circle { fill: var(--first); }
.claims { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 2.25rem; }
.claims ul { margin: 0; padding-left: 1.1rem; font-size: 0.92rem; }
.claims li { margin: 0.35rem 0; }
code, pre { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; font-size: 0.85rem; }
code { overflow-wrap: anywhere; }
pre { margin: 0.75rem 0 0; padding: 0.9rem 1.1rem; background: var(--panel); white-space: pre-wrap; overflow-wrap: anywhere; }
summary { cursor: pointer; font-weight: 600; }
details { margin-top: 1rem; }
@media screen and (max-width: 52rem) {
  body { padding: 1.5rem 1rem 3rem; }
  .headline, .charts, .claims { grid-template-columns: minmax(0, 1fr); }
  .headline { gap: 1.25rem; }
}
@media print {
  @page { margin: 14mm; }
  html { font-size: 9pt; }
  body { max-width: none; padding: 0; }
  table { font-size: 0.82rem; }
  figure, .verdict, .stamp, .headline, tr { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  .table { overflow: visible; }
  details::details-content { content-visibility: visible; block-size: auto; }
  .reading { display: none; }
  * { print-color-adjust: exact; }
}
`;
