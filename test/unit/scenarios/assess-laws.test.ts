import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Assessment, assess, findingsOf, gapsOf } from '../../../scenarios/assess/assess.ts';
import { assessHtml } from '../../../scenarios/assess/assess-page.ts';
import { assessText } from '../../../scenarios/assess/assess-text.ts';
import { figuresOf } from '../../../scenarios/assess/finding.ts';
import { questionIds, questions, sectionIds } from '../../../scenarios/assess/questions.ts';
import { aSubject, type SubjectOptions } from '../../support/a-subject.ts';
import { commandParser, wordsOf } from '../../support/command-line.ts';

const relaxloss = { type: 'relaxloss', class: 'per-user' } as const;
const maybe = fc.boolean();
/** Every kind of run and model that an assessment may meet. */
const anySubject: fc.Arbitrary<SubjectOptions> = fc.record({
  kind: fc.constantFrom('simulation', 'real', 'model', 'bare model'),
  leaks: maybe,
  control: fc.constantFrom('passed', 'passed', 'negative failed', 'positive failed'),
  defences: fc.constantFrom(
    undefined,
    [relaxloss],
    [relaxloss, { type: 'averaging', class: 'server-side' } as const],
  ),
  isPromised: maybe,
  isBroken: fc.constantFrom(false, false, true),
  directions: maybe,
  mislabelled: maybe,
  later: fc.constantFrom('none', 'shadows', 'red team', 'both'),
  groups: maybe,
  signals: maybe,
  allMade: maybe,
  isMeagre: maybe,
  against: fc.constantFrom([], ['model'], ['local.defence'], ['model', 'rounds']),
});

function everyAssessment(check: (assessment: Assessment, options: SubjectOptions) => void): void {
  fc.assert(
    fc.property(anySubject, (options) => {
      check(assess(aSubject(options)), options);
    }),
    { numRuns: 100 },
  );
}

describe('every assessment', () => {
  test('answers every question once, in its part and in order', () => {
    everyAssessment((assessment) => {
      expect(findingsOf(assessment).map(({ question }) => question)).toEqual(questionIds);
      expect(assessment.sections.map(({ id }) => id)).toEqual(sectionIds);
      for (const { id, findings } of assessment.sections)
        for (const { question } of findings) expect(questions[question].section).toBe(id);
      const page = assessHtml(assessment);
      const text = assessText(assessment);
      for (const question of questionIds) {
        expect(page.split(`class="finding" id="${question}"`)).toHaveLength(2);
        expect(text.split(`\n${questions[question].words} [`)).toHaveLength(2);
      }
    });
  });

  test('gives no figure to what was not measured, or is void, and no score', () => {
    everyAssessment((assessment) => {
      for (const finding of findingsOf(assessment)) {
        if (finding.status === 'measured' || finding.status === 'known') continue;
        expect(finding).not.toHaveProperty('figures');
        expect(finding.answer).not.toMatch(/\d\.\d{2}|\d%/);
      }
      expect(JSON.stringify(assessment)).not.toMatch(/"(score|grade|rating)"/);
    });
  });

  test('says where every figure comes from, and shows it within its interval', () => {
    everyAssessment((assessment) => {
      for (const finding of findingsOf(assessment))
        for (const { source, text, value, low, high } of figuresOf(finding)) {
          expect(source).not.toBe('');
          expect(text).not.toMatch(/NaN|undefined|Infinity/);
          if (value === 'infinite') continue;
          expect(low === null || low <= value + 1e-12).toBe(true);
          expect(high === null || value <= high + 1e-12).toBe(true);
        }
    });
  });

  test('says what to do next everywhere, by commands and documents that exist', async () => {
    const [commands, documents] = [new Set<string>(), new Set<string>()];
    everyAssessment((assessment) => {
      for (const { next } of findingsOf(assessment)) {
        expect(next.length).toBeGreaterThan(0);
        for (const { command, read } of next) {
          expect(command ?? read).toBeDefined();
          if (command !== undefined) commands.add(command);
          if (read !== undefined) documents.add(read);
        }
      }
    });
    const parse = await commandParser();
    for (const command of commands) {
      await expect(parse(command), command).resolves.toBe(undefined);
      const files = wordsOf(command).filter((word) => word.startsWith('scenarios/'));
      expect(files.filter((file) => !existsSync(file))).toEqual([]);
    }
    expect(commands.size).toBeGreaterThan(20);
    for (const document of documents) {
      const [file = '', heading] = document.split('#');
      const titles = [...readFileSync(file, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
        title
          .toLowerCase()
          .replaceAll(/[^\w -]/g, '')
          .replaceAll(' ', '-'),
      );
      if (heading !== undefined) expect(titles, document).toContain(heading);
    }
    // The parser itself refuses what is no command.
    for (const wrong of [
      'parley asses x',
      'parley audit x --shadow 4',
      'parley budget --rounds many',
      'rm x',
    ])
      await expect(parse(wrong), wrong).rejects.toThrow();
  });

  test('is void where a control failed, in everything that rests on attacks', () => {
    everyAssessment((assessment, { control, kind }) => {
      const voided = findingsOf(assessment).filter(({ status }) => status === 'void');
      if (control === 'passed' || kind === 'bare model') {
        expect(voided).toEqual([]);
        return;
      }
      const asked = voided.map(({ question }) => question);
      expect(asked).toEqual(
        expect.arrayContaining(['declared-attack', 'strongest-attack', 'vulnerable-users']),
      );
      expect(assessment.sections[1]!.conclusion).toMatch(/^Void: /);
      expect(gapsOf(assessment)).toEqual(expect.arrayContaining(voided));
    });
  });

  test('of a simulation says loudly that it is not private; of a real run never', () => {
    everyAssessment((assessment, { kind, isPromised, isBroken }) => {
      const text = assessText(assessment);
      const promise = findingsOf(assessment).find(({ question }) => question === 'promise-of-this-run')!;
      expect(text.includes('SIMULATION: NOT PRIVATE')).toBe(kind === 'simulation');
      if (kind === 'model' || kind === 'bare model') expect(promise.status).toBe('not-measured');
      else if (isBroken === true) expect(promise.answer).toMatch(/^NO: canaries prove more/);
      else if (isPromised !== true) expect(promise.answer).toContain('no promise to keep');
      else expect(promise.answer).toMatch(kind === 'real' ? /^Yes, as far as is known/ : /^NO\. SIMULATION/);
    });
  });
});

test('a target with blanks and quotes is one word of the command', () => {
  const target = "it's a run; rm x";
  const subject = { ...aSubject(), target };
  const commands = findingsOf(assess(subject)).flatMap(({ next }) =>
    next.map(({ command }) => command ?? ''),
  );
  const own = commands.filter((command) => command.startsWith('parley audit'));
  expect(own.length).toBeGreaterThan(0);
  for (const command of own) expect(wordsOf(command)[2]).toBe(target);
});
