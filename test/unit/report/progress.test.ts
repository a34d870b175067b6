import { describe, expect, test } from 'vitest';
import { createProgress, type Progress } from '../../../scenarios/report/progress.ts';

/** A clock, a timer and a terminal that obey the test. */
function aTerminal(isTTY: boolean, columns = 80) {
  const written: string[] = [];
  let time = 0;
  let tick: (() => void) | undefined;
  const progress: Progress = createProgress({
    stream: { isTTY, columns, write: (text) => written.push(text) },
    now: () => time,
    every: (_, task) => {
      tick = task;
      return () => {
        tick = undefined;
      };
    },
  });
  const wait = (ms: number) => {
    for (let passed = 0; passed < ms; passed += 250) {
      time += 250;
      tick?.();
    }
  };
  return { progress, written, wait, ticking: () => tick !== undefined };
}

/** What a terminal shows after these writes: carriage returns overwrite, line feeds end a line. */
function screen(written: readonly string[]): string[] {
  return written
    .join('')
    .split('\n')
    .map((line) =>
      line
        .split('\r')
        .reduce((shown, text) => text + shown.slice(text.length), '')
        .trimEnd(),
    );
}

describe('progress on a terminal', () => {
  test('a stage shorter than a second stays silent', () => {
    const { progress, written, wait } = aTerminal(true);
    progress.stage('round 12/50  training');
    progress.update(1, 4);
    wait(1000);
    progress.end();
    expect(written).toEqual([]);
  });

  test('a longer one rewrites one line', () => {
    const { progress, written, wait } = aTerminal(true);
    progress.stage('round 12/50  training');
    wait(2000);
    expect(screen(written)).toEqual(['  round 12/50  training  2.0 s']);
    progress.update(3, 4);
    wait(250);
    expect(screen(written)).toEqual(['  round 12/50  training  3/4 sites answered  2.3 s']);
    expect(written.join('')).not.toContain('\n');
  });

  test('an answer draws as well, since a simulation starves its timers', () => {
    const written: string[] = [];
    let time = 0;
    const progress = createProgress({
      stream: { isTTY: true, write: (text) => written.push(text) },
      now: () => time,
      every: () => () => undefined,
    });
    progress.stage('round 1/5  training');
    time = 2400;
    progress.update(2, 4);
    expect(screen(written)).toEqual(['  round 1/5  training  2/4 sites answered  2.4 s']);
  });

  test('a permanent line takes its place and nothing of it is left', () => {
    const { progress, written, wait } = aTerminal(true);
    progress.stage('round 12/50  training');
    wait(3000);
    progress.line('done');
    progress.stage('round 13/50  training');
    wait(3000);
    progress.end();
    expect(screen(written)).toEqual(['done', '']);
  });

  test('a shorter text leaves no rest of a longer one', () => {
    const { progress, written, wait } = aTerminal(true);
    progress.stage('a long name of a stage');
    progress.update(100, 120);
    wait(2000);
    progress.update(1, 2);
    wait(250);
    expect(screen(written)).toEqual(['  a long name of a stage  1/2 sites answered  2.3 s']);
    progress.stage('short');
    wait(2000);
    expect(screen(written)).toEqual(['  short  2.0 s']);
  });

  test('a narrow terminal never wraps', () => {
    const { progress, written, wait } = aTerminal(true, 20);
    progress.stage('round 12/50  training');
    wait(2000);
    expect(screen(written)).toEqual(['  round 12/50  trai']);
  });

  test('the timer ends with the stage and starts with the next', () => {
    const { progress, ticking } = aTerminal(true);
    expect(ticking()).toBe(false);
    progress.stage('round 1/5  training');
    expect(ticking()).toBe(true);
    progress.end();
    expect(ticking()).toBe(false);
    progress.stage('round 2/5  training');
    expect(ticking()).toBe(true);
  });
});

describe('progress elsewhere', () => {
  test('is a plain line at most every five seconds, without control characters', () => {
    const { progress, written, wait } = aTerminal(false);
    progress.stage('round 1/5  training');
    wait(12_000);
    progress.update(4, 4);
    progress.line('round 1/5 done');
    wait(4_750);
    progress.end();
    expect(written).toEqual([
      '  round 1/5  training  5.0 s\n',
      '  round 1/5  training  10.0 s\n',
      'round 1/5 done\n',
    ]);
  });

  test('stays silent through short stages', () => {
    const { progress, written, wait } = aTerminal(false);
    for (let round = 1; round <= 20; round++) {
      progress.stage(`round ${round}/20  training`);
      wait(1000);
    }
    progress.end();
    expect(written).toEqual([]);
  });
});
