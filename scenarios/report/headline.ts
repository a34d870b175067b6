import { siloStamp } from '../../shared/model/silo/silo-defence.ts';
import type { ReportedEpsilon, RoundReport } from '../../shared/protocol/report.ts';
import { html, type Markup, unbroken } from './markup.ts';
import {
  bestRound,
  declaredUsers,
  isSiloLevel,
  isSimulation,
  type ReportedRun,
  totalSeconds,
} from './run.ts';
import { verdict } from './verdict.ts';
import {
  counted,
  deltaText,
  epsilonText,
  figure,
  groupName,
  interval,
  measuredTpr,
  percent,
  pText,
  roundNumber,
  secondsText,
  siloText,
  simulationStamp,
  tprText,
  utilityName,
} from './words.ts';

/** Name, description and facts of a run, and the stamp where nothing is private. */
export function pageHeader(run: ReportedRun): Markup {
  const { manifest, reports } = run;
  const planned = reports.at(-1)?.rounds ?? 0;
  const facts = [
    `run ${manifest.run}`,
    `${reports.length} of ${counted(planned, 'round')}`,
    counted(manifest.sites.length, 'site'),
    counted(declaredUsers(manifest), 'declared user'),
    ...(manifest.seed === null ? [] : [`seed ${manifest.seed}`]),
    secondsText(totalSeconds(reports)),
    manifest.createdAt.slice(0, 10),
  ];
  return html`<header><h1>${manifest.name}</h1><p>${manifest.description}</p><p class="facts">${facts.join(' · ')}</p>
${isSimulation(run) ? stamp() : null}${isSiloLevel(run) ? siloLevelStamp() : null}</header>`;
}

/** The stamp of a run whose sites train on all of their users together. */
export function siloLevelStamp(): Markup {
  return html`<p class="stamp"><b>${siloStamp}</b>: each site trained on all of its users together, so nothing bounds what a single user adds to the model.</p>`;
}

/** The stamp of a seeded run. */
export function stamp(): Markup {
  return html`<p class="stamp"><b>${simulationStamp}</b>: this run protects nobody, since its noise came from a seed or was not added by the sites. The epsilons are those of the same mechanism with secure noise.</p>`;
}

/** Worth, promise and leakage of the last model side by side, then the verdict. */
export function headlineSection(reports: readonly RoundReport[], last: RoundReport): Markup {
  return html`<div class="headline" id="headline">${worth(reports, last)}${promise(last)}${leakage(last)}</div>
${verdictBox(reports)}`;
}

/** The verdict on the last model. */
export function verdictBox(reports: readonly RoundReport[]): Markup {
  const { kind, title, sentences } = verdict(reports);
  return html`<div class="verdict ${kind}" id="verdict" role="note"><h2>${title}</h2>${sentences.map((sentence) => html`<p>${keepIntervals(sentence)}</p>`)}</div>`;
}

function keepIntervals(sentence: string): string {
  return sentence.replaceAll(/, (?=[\d.]+\])/g, ',\u00A0');
}

function worth(reports: readonly RoundReport[], last: RoundReport): Markup {
  const { value, accuracy, loss, heldOutRecords } = last.utility;
  const best = bestRound(reports) ?? last;
  return html`<div><h2>What the model is worth</h2><p class="value">${figure(value)} <small>${utilityName(last)}</small></p>
<p>Accuracy ${figure(accuracy)}, loss ${figure(loss)} on ${counted(heldOutRecords, 'held-out record')}.</p>
<p class="soft">Best, chosen afterwards: ${figure(best.utility.value)} in round ${roundNumber(best)}.</p></div>`;
}

function promise({ epsilon: { coordinator, recipients, delta, limit }, silo }: RoundReport): Markup {
  const bound = limit === null ? 'No limit was set.' : `Limit ${limit.toFixed(2)} against the coordinator.`;
  const nothing = coordinator === 'infinite' && recipients === 'infinite';
  return html`<div><h2>What was promised to each user</h2><p class="value">ε ${epsilonSign(coordinator)} <small>coordinator</small></p>
<p><b>ε ${epsilonSign(recipients)}</b> against model recipients; ${unbroken(`δ = ${deltaText(delta)}`)}.</p>
<p class="soft">${nothing ? 'Nothing is promised.' : bound}</p>${silo ? html`<p>${siloText(silo)}</p>` : null}</div>`;
}

function epsilonSign(epsilon: ReportedEpsilon): string {
  return epsilon === 'infinite' ? '∞' : epsilonText(epsilon);
}

function leakage({ audit }: RoundReport): Markup {
  const { user, worstGroup, negativeControl: control, positiveControl } = audit;
  const tpr = measuredTpr(user, 0.01);
  const range = tpr === undefined ? '' : ` [${percent(tpr.low)}, ${percent(tpr.high)}]`;
  const worst =
    worstGroup === null
      ? 'Worst group: none could be tested.'
      : `Worst group: ${groupName(worstGroup)}, AUC ${figure(worstGroup.auc)} ${interval(worstGroup)}, ${pText(worstGroup.pValue)}.`;
  const planted =
    positiveControl?.passed === false ? html` <span class="bad">The positive control failed.</span>` : null;
  const outcome = control.passed
    ? html`<span class="good">passed</span>`
    : html`<span class="bad">failed</span>`;
  return html`<div><h2>What leaks</h2><p class="value">${figure(user.auc)} <small>attack AUC</small></p>
<p><b>95 % interval ${interval(user)}</b>, chance 0.5.</p>
<p>${unbroken(`TPR@1% ${tprText(user, 0.01)}${range}`)}.</p>
<p>${keepIntervals(worst)}</p>
<p class="soft">Negative control ${outcome}: ${unbroken(`${figure(control.auc)} ${interval(control)}`)}.${planted}</p></div>`;
}
