import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { AuditUsers } from '../../../client/audit-roles.ts';
import { type ClientOptions, runClient } from '../../../client/client.ts';
import { inProcessConnect } from '../../../shared/protocol/in-process.ts';
import type { Notice, Request } from '../../../shared/protocol/messages.ts';
import { sealed } from '../../../shared/protocol/signed.ts';
import type { CoordinatorPort } from '../../../shared/protocol/transport.ts';
import { secureRng } from '../../../shared/random/rng.ts';
import { RunId } from '../../../shared/units.ts';
import { aLedger, aPolicy, aShard } from '../../support/a-site.ts';
import { refusalOf } from '../../support/temporary.ts';
import {
  aCoordinator,
  aRequest,
  coordinator,
  identity,
  open,
  run,
  site,
  welcomeBy,
} from './session-parties.ts';

/** A site that waits for orders of the coordinator, and whether its audit coins were flipped. */
async function aClient(answered: Request[], order: Notice) {
  const ledger = await aLedger();
  const port = aCoordinator((request, peer) => {
    answered.push(request);
    if (request.type === 'hello')
      void setImmediate().then(() => {
        peer.notify(order);
      });
    return welcomeBy(coordinator)(request);
  });
  const options: ClientOptions = {
    ...{ name: site, identity, coordinatorKey: coordinator.publicKey, declaredUsers: 20 },
    connect: inProcessConnect(port),
    site: { shard: aShard(20), policy: aPolicy(), ledger, rng: secureRng() },
    audit: AuditUsers.parse({}),
    trainer: { provider: 'auto', backend: 'auto' },
    observer: { note: () => undefined, report: () => undefined },
    signal: new AbortController().signal,
  };
  return { options, ledger };
}

test.each(['another', run])(
  'an order for run %s is carried out only where it is the greeted one',
  async (of) => {
    const answered: Request[] = [];
    const order = sealed(coordinator, 'enrol', { run: of, numFeatures: 2, numClasses: 3 });
    const { options } = await aClient(answered, { type: 'enrol', signed: order });
    // The run's own order goes on to what else is wrong with it: this site's data have two classes.
    const refused = await refusalOf(runClient(options));
    expect(refused).toMatchObject({ code: of === run ? 'WRONG_SHAPE' : 'RUN_MISMATCH' });
    expect(answered.map(({ type }) => type)).toEqual(['hello']);
  },
);

test('a coordinator that comes back with another run is left', async () => {
  let hellos = 0;
  const first = aCoordinator((request, peer) => {
    if (request.type === 'hello') hellos += 1;
    else peer.disconnect();
    return welcomeBy(coordinator)(request);
  });
  const port: CoordinatorPort = {
    connect: (peer) =>
      first.connect({
        ...peer,
        notify: (notice) => {
          const isLater = notice.type === 'challenge' && hellos > 0;
          peer.notify(isLater ? { ...notice, run: RunId.parse('another') } : notice);
        },
      }),
  };
  const { session, fatal } = open(inProcessConnect(port));
  await refusalOf(session.request(aRequest));
  expect(await fatal).toMatchObject({ code: 'RUN_MISMATCH' });
  expect(hellos).toBe(1);
  await session.close();
});
