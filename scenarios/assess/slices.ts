import { counted, figure, interval } from '../report/words.ts';
import type { Section } from './finding.ts';
import { groupsFound, groupsTooSmall, testedGroups } from './groups.ts';
import { mislabelledCanaries, vulnerableUsers } from './single-users.ts';
import { strongest } from './strongest.ts';
import type { Subject } from './subject.ts';
import { failedControl, wasAttacked } from './trust.ts';

/** Groups, single users, and canaries who can only be learnt by heart: whom an average hides. */
export function slices(subject: Subject): Section {
  return {
    id: 'slices',
    conclusion: conclusionOf(subject),
    findings: [
      groupsFound(subject),
      groupsTooSmall(subject),
      vulnerableUsers(subject),
      mislabelledCanaries(subject),
    ],
  };
}

function conclusionOf(subject: Subject): string {
  if (!wasAttacked(subject)) return 'Not measured: no users were given to attack it with.';
  if (failedControl(subject.audit) !== undefined) return 'Void: a control failed.';
  const { audit, canaryAttacks } = subject;
  const tested = testedGroups(subject);
  const leaking = tested.filter(({ rejected }) => rejected).length;
  const groups =
    tested.length === 0
      ? 'no group is large enough to test'
      : leaking === 0
        ? `none of ${counted(tested.length, 'tested group')} leaks`
        : `${leaking} of ${counted(tested.length, 'tested group')} ${leaking === 1 ? 'leaks' : 'leak'}`;
  const small = audit.groups.length - tested.length;
  const canaries = strongest(canaryAttacks);
  const byHeart = !canaries
    ? 'users easiest to find were not measured: there are no canaries with wrong labels'
    : canaries.low > 0.5
      ? `canaries with wrong labels are found: AUC ${figure(canaries.auc)} ${interval(canaries)}, so users easiest to find are exposed`
      : `canaries with wrong labels are not found beyond chance: AUC ${figure(canaries.auc)} ${interval(canaries)}`;
  const text = `${groups} (${counted(small, 'group')} too small); ${byHeart}.`;
  return text.charAt(0).toUpperCase() + text.slice(1);
}
