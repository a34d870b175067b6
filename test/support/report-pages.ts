import { assess } from '../../scenarios/assess/assess.ts';
import { assessHtml } from '../../scenarios/assess/assess-page.ts';
import { questionIds, sectionIds } from '../../scenarios/assess/questions.ts';
import { auditHtml } from '../../scenarios/audit/audit-page.ts';
import type { Audited } from '../../scenarios/audit/audited.ts';
import { reportHtml, seedsHtml } from '../../scenarios/report/html.ts';
import { Manifest } from '../../shared/protocol/manifest.ts';
import { RoundReport } from '../../shared/protocol/report.ts';
import { aManifest, aReport, someReports } from './a-report.ts';
import { aSubject } from './a-subject.ts';

/** A text that tries to run a script wherever it is put. */
export const attack = `"'><img src=x onerror="globalThis.struck=1"><script>globalThis.struck=1</script></title></style>&<svg/onload=globalThis.struck=1>`;

/** A page whose every free text tries to run a script. */
function hostilePage(): string {
  const report = aReport();
  const [group] = report.audit.groups;
  const hostile = RoundReport.parse({
    ...report,
    sites: {
      ...report.sites,
      answered: ['north'],
      declined: [{ site: 'south', code: attack, detail: attack }],
      missing: ['east', 'west'],
    },
    audit: {
      ...report.audit,
      user: { ...report.audit.user, attack },
      worstGroup: { ...report.audit.worstGroup!, column: attack, value: attack },
      groups: [
        { ...group!, column: attack, value: attack, rejected: true },
        { status: 'not-testable', column: attack, value: attack, members: 1, heldOut: 1, reason: attack },
      ],
    },
    policy: { action: 'stop', reasons: [attack] },
    refused: { [attack]: 3 },
  });
  const manifest = Manifest.parse({
    ...aManifest(),
    name: attack,
    description: attack,
    versions: { [attack]: attack },
    config: { [attack]: { nested: [attack] } },
    published: [{ source: attack, metric: 'auc', value: 0.7, note: attack }],
  });
  return reportHtml({ manifest, reports: [hostile] });
}

/** What `parley audit` found, with rows of every attacker. */
export function anAudit(words: string): Audited {
  const { audit } = aReport();
  const found = audit.user;
  return {
    ...{ title: words, privacy: 'simulation: not private', caveats: [words], numShadows: 8 },
    audit: {
      ...audit,
      attacks: [...audit.attacks, { ...found, attack: words }],
      worstGroup: { ...audit.worstGroup!, value: words },
      notMeasured: [{ attack: 'rmia', reason: words }],
    },
    likelihoodRatios: [{ ...found, attack: 'lira-online' }],
    mislabelled: [{ ...found, attack: 'lira-offline' }],
    redTeam: [{ ...found, attack: words, role: 'coordinator, every update', members: 9, heldOut: 7 }],
  };
}

const runs = [1, 2, 3].map((seed) => ({
  seed,
  manifest: aManifest(seed),
  reports: someReports({ seed, rounds: 12 }),
}));
/** Every kind of page by name, with the ids of sections that it must have. */
export const pages: Readonly<Record<string, { html: string; sections: readonly string[] }>> = {
  run: {
    html: reportHtml({ manifest: aManifest(), reports: someReports() }),
    sections:
      'headline verdict rounds utility epsilon leakage tpr attacks roc subpopulations sites published claims configuration'.split(
        ' ',
      ),
  },
  'first-round': {
    html: reportHtml({ manifest: aManifest(), reports: someReports({}, 1) }),
    sections: ['headline', 'utility', 'epsilon', 'leakage', 'roc', 'claims'],
  },
  'no-round': {
    html: reportHtml({ manifest: aManifest(), reports: [] }),
    sections: ['verdict', 'sites', 'published', 'claims', 'configuration'],
  },
  hostile: {
    html: hostilePage(),
    sections: ['headline', 'subpopulations', 'sites', 'published', 'configuration'],
  },
  audit: { html: auditHtml(anAudit('small, run small-1, model of round 3')), sections: ['attacks', 'text'] },
  'hostile-audit': { html: auditHtml(anAudit(attack)), sections: ['attacks', 'text'] },
  assessment: {
    html: assessHtml(assess(aSubject({ against: ['model'] }))),
    sections: ['in-words', 'gaps', ...sectionIds, ...questionIds],
  },
  'hostile-assessment': {
    html: assessHtml(assess(aSubject({ words: attack, against: [attack, 'model'] }))),
    sections: ['in-words', ...sectionIds, ...questionIds],
  },
  seeds: { html: seedsHtml(runs), sections: ['means', 'rounds', 'utility', 'leakage', 'seeds', 'claims'] },
};
