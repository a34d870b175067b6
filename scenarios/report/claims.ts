import type { RoundReport } from '../../shared/protocol/report.ts';
import { html, type Markup } from './markup.ts';
import { deltaText, epsilonText, figure, simulationStamp } from './words.ts';

/** What the figures of a run claim and what they do not, in short exact sentences. */
export function claimsSection(last: RoundReport | undefined, simulation: boolean): Markup {
  return html`<section id="claims"><h2>What is and is not claimed</h2><div class="claims">
<div><h3>Claimed</h3>${list(claimed(last))}</div><div><h3>Not claimed</h3>${list(notClaimed(last, simulation))}</div></div></section>`;
}

function list(sentences: readonly string[]): Markup {
  return html`<ul>${sentences.map((sentence) => html`<li>${sentence}</li>`)}</ul>`;
}

function claimed(last: RoundReport | undefined): string[] {
  const delta = last === undefined ? '' : ` at δ = ${deltaText(last.epsilon.delta)}`;
  return [
    'The unit of privacy is a user: all records of one person at one site. Neighbouring data sets differ by adding or removing one user.',
    `Epsilon is an upper bound in nats${delta} on everything released in all rounds so far together.`,
    'Against the coordinator: an adversary who sees what reaches the coordinator, which is each site’s release. Against model recipients: one who sees only the global models, and is a site itself unless the configuration says otherwise.',
    'Attack figures compare members with held-out audit users, chosen by independent fair coins, so that 0.5 is chance. Labels serve to evaluate an attack, never to make it.',
    ...defenceSentences(last?.defences ?? []),
    ...recordSentence(last?.silo),
    'Intervals are 95 % intervals, each for its own round and attack; those of the subpopulations hold together at 95 %, and their p-values are corrected for multiple testing.',
  ];
}

/** What each class of defences works on, and what that does to the promise. */
export const worksOn = {
  'per-user': 'each user’s update is still that user’s alone, so the promise to users is unchanged',
  'silo-level': 'users of a site are mixed, so nothing is promised to a single user',
  'server-side': 'it works on what was released, which costs no epsilon',
  'release-time': 'it changes the answers of the finished model, not the model',
} as const;

function recordSentence(silo: RoundReport['silo']): string[] {
  if (silo?.recordLevel === undefined) return [];
  const { epsilon, delta } = silo.recordLevel;
  return [
    `DP-SGD on records bounds what one record, added or removed, changes: ε ${epsilonText(epsilon)} at δ = ${deltaText(delta)} against coordinator and recipients. It is a record’s epsilon; a user with several records has no such bound.`,
  ];
}

function defenceSentences(defences: NonNullable<RoundReport['defences']>): string[] {
  return defences.map(
    (defence) =>
      `The empirical defence ${defence.type} is in use (${defence.class}): ${worksOn[defence.class]}.`,
  );
}

function notClaimed(last: RoundReport | undefined, simulation: boolean): string[] {
  const limit =
    last === undefined
      ? ''
      : ` An AUC below ${figure(last.audit.minimumDetectableAuc)} would escape this one more than once in five times.`;
  return [
    ...(simulation ? [`Privacy of this run: it is stamped “${simulationStamp}”.`] : []),
    `That an attack which finds nothing proves privacy. A stronger attack may find more, and a few users may be exposed while the average looks like chance.${limit}`,
    'One promise for a person known to several sites: each site counts that person by itself.',
    'Privacy of audit users: they take part outside the promise, by consent or as canaries.',
    'That RelaxLoss or another empirical defence lowers epsilon. It never does.',
    'That the best round’s utility will hold elsewhere: it was chosen with the test data.',
    'A positive control: a round’s report holds the negative one only.',
  ];
}
