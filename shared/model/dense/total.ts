import type { SummedUpdate } from '../../privacy/update.ts';
import type { LocalResult } from '../local-trainer.ts';
import type { Group } from './groups.ts';
import type { GroupResult } from './work.ts';

/** Adds groups' results up, in the order in which they come in. */
export interface Total {
  readonly add: (group: Group, result: GroupResult) => void;
  readonly result: () => LocalResult;
}

/** Of so many drawn users; those who are in no group have a zero update. */
export function makeTotal(numUsers: number, numParams: number): Total {
  const sum = new Float64Array(numParams);
  const norms = new Float64Array(numUsers);
  let nonFinite = 0;
  return {
    add: ({ members }, part) => {
      for (let i = 0; i < numParams; i++) sum[i] = (sum[i] ?? 0) + (part.sum[i] ?? 0);
      for (const [index, member] of members.entries()) {
        const norm = part.norms[index] ?? NaN;
        norms[member] = Number.isNaN(norm) ? 0 : norm;
        if (Number.isNaN(norm)) nonFinite += 1;
      }
    },
    result: () => ({ sum: summedUpdate(sum), norms, nonFinite }),
  };
}

function summedUpdate(sum: Float64Array): SummedUpdate {
  return sum as SummedUpdate;
}
