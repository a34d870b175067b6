import { deltaText } from '../report/words.ts';
import type { Step } from './finding.ts';
import type { Subject } from './subject.ts';

/** A word of a command, quoted for a shell where it has to be. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/** A command on the assessed run or model. */
export function commandOn(subject: Subject, command: string, ...options: readonly string[]): string {
  return ['parley', command, quoted(subject.target), ...options].join(' ');
}

/** Options that give a model file users whose membership is known. */
const tables = ['--schema', 'schema.yaml', '--members', 'members.csv', '--held-out', 'held-out.csv'];

/** How a model file gets measured at all. */
export function giveTables(subject: Subject, ...more: readonly string[]): Step {
  return {
    do: 'Give tables of users who trained it and of users who did not, drawn from the same people',
    command: commandOn(subject, 'assess', ...tables, ...more),
  };
}

/** The simulation once more with something changed, into a directory of its own; for real sites, which pay for every run, a rehearsal. */
export function simulateWith(subject: Subject, change: string, name: string): Step {
  if (subject.run?.scenario)
    return {
      do: `Copy ${subject.target}/scenario.json to ${name}.json, ${change}, and simulate that`,
      command: `parley simulate ${name}.json --out runs/${name}`,
    };
  return {
    do: `Another run spends epsilon at every site, so rehearse it: in a scenario like yours, ${change}`,
    command: 'parley simulate scenarios/catalog/four-hospitals.yaml',
  };
}

/** Likelihood ratios. */
export function trainShadows(subject: Subject): Step {
  const { run } = subject;
  if (!run?.scenario)
    return {
      do: 'Shadow federations need everybody’s records, which only a simulation has: rehearse on made-up or public data, and audit that with --shadows',
      command: 'parley simulate scenarios/catalog/four-hospitals.yaml --out runs/rehearsal',
    };
  if (run.scenario.data.type === 'spread-table')
    return simulateWith(
      subject,
      'use data without linked sites, whose audit users change from shadow to shadow',
      'unlinked',
    );
  if (run.reports.length !== run.scenario.federation.rounds)
    return simulateWith(
      subject,
      `set federation.rounds to ${run.reports.length}, since shadows train all rounds, and audit it with --shadows`,
      'complete',
    );
  return {
    do: 'Train shadow federations; each takes about as long as the run without its audits',
    command: commandOn(subject, 'audit', '--shadows', '16'),
  };
}

/** Attacks by a site and by coordinators that see releases, which must have been kept. */
export function redTeam(subject: Subject): Step {
  const scenario = subject.run?.scenario;
  if (!scenario)
    return {
      do: 'A real site is never opened: rehearse this federation as a simulation with keepReleases: all, and audit that',
      command: 'parley simulate scenarios/catalog/leaky.yaml --out runs/rehearsal',
    };
  if (scenario.federation.protection.type === 'user-dp-banded')
    return simulateWith(
      subject,
      'set protection to user-dp, since these attacks do not follow noise that is correlated over rounds',
      'independent-noise',
    );
  if (scenario.sites.policy.keepReleases !== 'all')
    return simulateWith(
      subject,
      'set sites.policy.keepReleases to all (the models stay the same) and audit it with --red-team afterwards',
      'kept-releases',
    );
  return {
    do: 'Attack as a site and as a coordinator that sees every release',
    command: commandOn(subject, 'audit', '--red-team'),
  };
}

/** What user-level privacy would cost. */
export function priceOfPrivacy(subject: Subject): Step {
  const { rounds = 10, delta = 1e-6 } = {
    rounds: subject.run?.config.rounds,
    delta: subject.run?.last.epsilon.delta,
  };
  const options = `--epsilon 3 --delta ${deltaText(delta)} --sampling-rate 1 --rounds ${rounds}`;
  return {
    do: 'Only user-level differential privacy promises anything: see what noise it takes',
    command: `parley budget ${options}`,
    read: 'docs/privacy.md',
  };
}

/** The same assessment of the next model. */
export function assessAgain(subject: Subject, why: string): Step {
  return { do: why, command: commandOn(subject, 'assess') };
}

/** What narrows the gap between users who trained and others. */
export function trainLess(subject: Subject): Step {
  if (!subject.run) return priceOfPrivacy(subject);
  const { rounds, local } = subject.run.config;
  return simulateWith(
    subject,
    `train less (federation.rounds below ${rounds}, local.epochs below ${local.epochs}, local.l2 above ${local.l2}, or earlyStopping)`,
    'less-training',
  );
}
