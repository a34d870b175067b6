import { Notice } from '../../shared/protocol/messages.ts';
import { Plan } from '../../shared/protocol/plan.ts';
import type { RoundReport } from '../../shared/protocol/report.ts';
import type { Connect } from '../../shared/protocol/transport.ts';

/** Stands between a site and its connection, and sees what it hears. */
type Listening = (site: unknown, connect: Connect) => Connect;

/** Notes every plan that a site hears, by round. */
export function withPlans(plans: Map<number, Plan>): Listening {
  return listening((plan) => plans.set(plan.round, plan));
}

/** Notes the model of every plan that a site hears. */
export function planned(models: Map<number, string>): Listening {
  return listening((plan) => models.set(plan.round, plan.model.sha256));
}

function listening(hear: (plan: Plan) => void): Listening {
  return (_, connect) => (port) =>
    connect({
      ...port,
      notice: (message) => {
        const notice = Notice.parse(message);
        if (notice.type === 'plan') hear(Plan.parse(JSON.parse(notice.signed.body)));
        port.notice(message);
      },
    });
}

/** Reports without the time that rounds took: what repeats. */
export const figures = (reports: readonly RoundReport[]): unknown[] =>
  reports.map((own) => ({ ...own, seconds: 0 }));
