import { join } from 'node:path';
import { type Federation, runFederation } from './federation.ts';
import { median } from './measure.ts';
import type { Part, Setting } from './part.ts';
import type { ModelInput } from './users.ts';

/** One way to grow: what is multiplied, and the federation at each size. */
interface Curve {
  readonly name: string;
  readonly sizes: readonly Size[];
}

interface Size {
  readonly name: string;
  /** Relative to the first one. */
  readonly times: number;
  readonly federation: Omit<Federation, 'directory' | 'rounds'>;
}

const base = { sites: 4, usersPerSite: 1000, records: 2, samplingRate: 0.1, audited: 0.1 };
/** 10,000 parameters. */
const model = hiddenUnits(90);

const waysToGrow: readonly Curve[] = [
  {
    name: 'users drawn',
    sizes: [1, 4, 16].map((times) => ({
      name: `${400 * times} users drawn`,
      times,
      federation: { ...base, model, usersPerSite: 1000 * times },
    })),
  },
  {
    name: 'parameters',
    sizes: [1, 10, 100].map((times) => ({
      name: `${111 * 90 * times + 10} parameters`,
      times,
      federation: { ...base, model: hiddenUnits(90 * times) },
    })),
  },
  {
    name: 'sites',
    sizes: [4, 40, 400].map((sites) => ({
      name: `${sites} sites`,
      times: sites / 4,
      federation: { ...base, model: hiddenUnits(9), usersPerSite: 200, sites },
    })),
  },
];

/** How the cost of a round grows: users (drawn, audited and all), parameters, sites; the other two stay. */
export const curves: Part = {
  name: 'curves',
  about:
    'how a whole round grows with users, parameters and sites, in process, audits included: processor time',
  how: 'The real coordinator and the real clients over the link in process, ledgers and stores on the disk of `--dir`; medians of five rounds after the first. Base: 4 sites of 1000 users with 2 records, q = 0.1, a tenth of them audit users. An exponent is the slope of log cost over log size between the ends.',
  run: async (setting) => {
    for (const curve of waysToGrow) await climb(curve, setting);
  },
};

async function climb({ name, sizes }: Curve, setting: Setting): Promise<void> {
  const costs: number[] = [];
  const chosen = setting.quick ? sizes.slice(0, 2).map(tiny) : sizes;
  for (const [index, size] of chosen.entries()) {
    const directory = join(setting.directory, `${name}-${index}`.replaceAll(' ', '-'));
    const cost = await roundCost({ ...size.federation, directory, rounds: setting.quick ? 1 : 5 });
    costs.push(cost);
    setting.emit({ name: `${size.name}: one round`, value: 1000 * cost, unit: 'ms' });
    if (index > 0)
      setting.emit({
        name: `${name} x${size.times / (chosen[index - 1]?.times ?? 1)}, from size ${index} to ${index + 1}`,
        value: cost / (costs[index - 1] ?? NaN),
        unit: 'times the cost',
      });
  }
  const growth = Math.log((costs.at(-1) ?? NaN) / (costs[0] ?? NaN));
  const exponent = growth / Math.log(chosen.at(-1)?.times ?? NaN);
  setting.emit({ name: `${name}: exponent`, value: exponent, unit: '', goal: { atMost: 1.1 } });
}

async function roundCost(federation: Federation): Promise<number> {
  const { rounds } = await runFederation(federation);
  return median(rounds.map(({ processor }) => processor));
}

/** 100 inputs, so many hidden units, 10 classes: 111 parameters for each hidden unit, and 10. */
function hiddenUnits(units: number): ModelInput {
  return {
    inputShape: [100],
    layers: [{ type: 'dense', units, activation: 'relu' }],
    output: { type: 'softmax', classes: 10 },
  };
}

function tiny(size: Size, index: number): Size {
  return {
    ...size,
    federation: { ...size.federation, model: hiddenUnits(2), usersPerSite: 40, sites: 2 + index },
  };
}
