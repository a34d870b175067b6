import { signedChars } from '../shared/protocol/messages.ts';
import type { RoundReport } from '../shared/protocol/report.ts';
import { isSignable } from '../shared/protocol/signed.ts';
import type { RunContext } from './state.ts';

/**
 * Send a committed round's report to the sites. One that is too long to be signed goes without its list of groups, and one
 * that is too long even so does not go; the operator hears of it, and the whole report stays in the run directory.
 */
export function announceReport(
  report: RoundReport,
  { desk, observer }: Pick<RunContext, 'desk' | 'observer'>,
): void {
  if (isSignable(report)) {
    desk.announce('report', report);
    return;
  }
  const { audit, round } = report;
  const shorter: RoundReport = { ...report, audit: { ...audit, groups: [] } };
  const fits = isSignable(shorter);
  const sent = fits ? `the sites get it without its ${audit.groups.length} groups` : 'the sites get none';
  observer.note(
    `round ${round}: the report is too long to be signed, which at most ${signedChars} characters can be: ${sent}; rounds.jsonl has ` +
      'the whole. Declare fewer subpopulation columns or values, or fewer audit.fprs, in the next run',
  );
  if (fits) desk.announce('report', shorter);
}
