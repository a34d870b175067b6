import { runFederation } from './federation.ts';
import { median } from './measure.ts';
import type { Part } from './part.ts';

/** A site the size of a national register, of which a thousand users are drawn a round. */
export const population: Part = {
  name: 'population',
  about: 'one million users at one site, q = 0.001, 10,000 audit users: a round after loading',
  how: 'As `curves`, medians of seven rounds by the clock after the first.',
  run: async ({ quick, directory, emit }) => {
    const users = quick ? 1000 : 1_000_000;
    const { first, rounds } = await runFederation({
      model: {
        inputShape: [30],
        layers: [{ type: 'dense', units: 32, activation: 'relu' }],
        output: { type: 'sigmoid' },
      },
      ...{ sites: 1, usersPerSite: users, records: 2, samplingRate: quick ? 0.1 : 0.001 },
      ...{ audited: quick ? 0.1 : 0.01, rounds: quick ? 1 : 7, directory },
    });
    const [wall, processor] = [rounds.map((lap) => lap.wall), rounds.map((lap) => lap.processor)];
    const name = `${users} users, a round`;
    emit({ name, value: median(wall), unit: 's', goal: { atMost: 2 } });
    emit({ name: `${name}, the slowest`, value: Math.max(...wall), unit: 's' });
    emit({ name: `${name}, processor time`, value: median(processor), unit: 's' });
    emit({ name: 'enrolment and first round', value: first.wall, unit: 's' });
    emit({ name: 'process at most', value: process.resourceUsage().maxRSS / 1024, unit: 'MiB' });
  },
};
