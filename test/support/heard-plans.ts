import { Notice } from '../../shared/protocol/messages.ts';
import { Plan } from '../../shared/protocol/plan.ts';
import type { RoundReport } from '../../shared/protocol/report.ts';
import type { Connect } from '../../shared/protocol/transport.ts';

/** Notes the model of every plan that a site hears. */
export function planned(models: Map<number, string>): (_: unknown, connect: Connect) => Connect {
  return (_, connect) => (port) =>
    connect({
      ...port,
      notice: (message) => {
        const notice = Notice.parse(message);
        if (notice.type === 'plan') {
          const plan = Plan.parse(JSON.parse(notice.signed.body));
          models.set(plan.round, plan.model.sha256);
        }
        port.notice(message);
      },
    });
}

/** Reports without the time that rounds took: what repeats. */
export const figures = (reports: readonly RoundReport[]): unknown[] =>
  reports.map((own) => ({ ...own, seconds: 0 }));
