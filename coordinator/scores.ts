import type { AuditReport } from '../shared/protocol/audit-report.ts';
import { auditRoles } from '../shared/protocol/roster.ts';
import { encodeTensors, type Tensor } from '../shared/protocol/safetensors.ts';
import type { AttackScores } from './audit/attacks.ts';
import type { AuditPopulation } from './audit/population.ts';

/** A round's attack scores as safetensors bytes: everything, and the declared attack alone. */
export interface SavedScores {
  readonly all: Uint8Array;
  readonly declared: Uint8Array;
}

/**
 * The raw scores of a round, so that every figure can be computed again: for each audit user her site (index into `sites` of
 * the metadata), position at the site, role (index into `roles`), and every measured attack's score in float64. Twelve bytes
 * and eight for each attack a user.
 */
export function savedScores(
  population: AuditPopulation,
  { measured }: AttackScores,
  { round, audit }: { readonly round: number; readonly audit: AuditReport },
): SavedScores {
  const { names, users } = usersOf(population);
  const declared = audit.user.attack;
  const metadata = {
    round: String(round),
    declared,
    sites: JSON.stringify(names),
    roles: JSON.stringify(auditRoles),
  };
  const columns = [...measured].map(
    ([attack, scores]): Tensor => ({ name: attack, dtype: 'F64', shape: [scores.length], data: scores }),
  );
  return {
    all: encodeTensors([...users, ...columns], metadata),
    declared: encodeTensors([...users, ...columns.filter(({ name }) => name === declared)], metadata),
  };
}

/** The merged population has the site's name as a column of its own. */
function usersOf({ roles, subpopulations }: AuditPopulation): { names: readonly string[]; users: Tensor[] } {
  const site = subpopulations.find(({ column }) => column === 'site');
  const codes = site?.codes ?? new Int32Array(roles.length);
  const seen = new Map<number, number>();
  const index = codes.map((code) => {
    const position = seen.get(code) ?? 0;
    seen.set(code, position + 1);
    return position;
  });
  const column = (name: string, data: Int32Array): Tensor => ({
    name,
    dtype: 'I32',
    shape: [data.length],
    data,
  });
  return {
    names: site?.vocabulary ?? [],
    users: [
      column('site', codes),
      column('index', index),
      column(
        'role',
        Int32Array.from(roles, (role) => auditRoles.indexOf(role)),
      ),
    ],
  };
}
