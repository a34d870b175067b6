import { join } from 'node:path';
import { meanUpdate } from '../coordinator/aggregate/mean.ts';
import { type Answers, collectUpdates } from '../coordinator/collect.ts';
import { chunkBytes, type Offer, type Request } from '../shared/protocol/messages.ts';
import { partsOf } from '../shared/protocol/parts.ts';
import { releaseShape } from '../shared/protocol/plan.ts';
import { sealed } from '../shared/protocol/signed.ts';
import type { Connect, CoordinatorPort } from '../shared/protocol/transport.ts';
import { position } from '../test/support/ledger-positions.ts';
import { joinSite, run, type TestSite } from '../test/wire/site.ts';
import { processorSeconds } from './measure.ts';
import { watchMemory } from './memory.ts';
import type { Part, Setting } from './part.ts';
import { type OpenRound, openRound, releaseBytes, round, type Sender, senders } from './round.ts';

/**
 * The coordinator's share of a large round: desk, inbox, store, checks on arrival, sum and mean, without any client's work.
 * What the sites send is made before.
 */
export const aggregation: Part = {
  name: 'aggregation',
  about:
    '100 updates of a million parameters taken in, verified, decoded and averaged by the coordinator alone',
  how: 'The real desk, inbox, store and checks; what the sites send is made before and handed over without a copy. From the plan to the mean update, once.',
  run: async (setting) => {
    await aggregate('one site after another', inSequence, setting);
    await aggregate('all sites at once', allAtOnce, setting);
  },
};

type Order = (uploads: readonly (() => Promise<void>)[]) => Promise<void>;

const inSequence: Order = async (uploads) => {
  for (const send of uploads) await send();
};
const allAtOnce: Order = async (uploads) => {
  await Promise.all(uploads.map((send) => send()));
};

async function aggregate(name: string, order: Order, setting: Setting): Promise<void> {
  const sites = senders(setting.quick ? 3 : 100);
  const directory = join(setting.directory, name.replaceAll(' ', '-'));
  const open = await openRound(sites, { quick: setting.quick, directory });
  const requests = uploadOf(releaseBytes(setting.quick));
  const joined = sites.map((site) => joinSite(directConnect(open.desk), site));
  await Promise.all(joined.map((site) => site.reconnected()));
  const offers = sites.map(({ identity }) => sealed(identity, 'offer', requests.offer));
  const memory = watchMemory();
  const uploads = joined.map((site, index) => async () => {
    await send(site, [{ type: 'offer', signed: offers[index]! }, ...requests.chunks]);
    memory.look();
  });
  const [start, used] = [performance.now(), processorSeconds()];
  const collected = collectUpdates(open.plan, cohort(sites), open.context);
  await order(uploads);
  const answers = await collected;
  const received = performance.now();
  averaged(answers, open);
  memory.look();
  const [seconds, processor] = [(performance.now() - start) / 1000, processorSeconds() - used];
  const { emit } = setting;
  emit({ name: `${name}: total`, value: seconds, unit: 's', goal: { atMost: 1.5 } });
  emit({ name: `${name}: processor time`, value: processor, unit: 's' });
  emit({ name: `${name}: sum and mean alone`, value: (performance.now() - received) / 1000, unit: 's' });
  const { rss, arrayBuffers } = memory.highest();
  const [unit, goal] = ['MB', { atMost: 120 }];
  emit({ name: `${name}: growth of array buffers`, value: arrayBuffers, unit, goal });
  // Later ones find the memory that the first one has left.
  if (order === inSequence) emit({ name: `${name}: growth of resident memory`, value: rss, unit, goal });
  await Promise.all(joined.map((site) => site.close()));
  await open.close();
}

/** Public constants divide the sum, as in a round. */
export function averaged({ sum }: Answers, { plan }: OpenRound): Float64Array {
  const { gridStep } = releaseShape(plan.protection, sum.length);
  return meanUpdate(sum, gridStep, 1000);
}

/** Who is asked. */
export function cohort(sites: readonly Sender[]): Sender['site'][] {
  return sites.map(({ site }) => site);
}

interface Requests {
  readonly offer: Offer;
  readonly chunks: readonly Request[];
}

function uploadOf(bytes: Uint8Array): Requests {
  const parts = partsOf(bytes);
  const about = { run, round, stage: 'update', ledger: position(5) } as const;
  const offer = { ...about, sha256: parts.sha256, sizeBytes: bytes.length };
  const chunks: Request[] = [];
  for (let offset = 0; offset < bytes.length; offset += chunkBytes)
    chunks.push({ type: 'chunk', upload: offer.sha256, offset, ...parts.from(offset) });
  return { offer, chunks };
}

/** Each after the reply to the one before, as a site sends. */
async function send(site: TestSite, requests: readonly Request[]): Promise<void> {
  for (const request of requests) {
    const reply = await site.raw(request);
    if (reply.type === 'refused') throw new Error(`the coordinator refused: ${reply.code}: ${reply.detail}`);
  }
}

/** A link that copies nothing. */
function directConnect(core: CoordinatorPort): Connect {
  return (client) => {
    const session = core.connect({
      notify: (notice) => {
        setImmediate(() => {
          client.notice(notice);
        });
      },
      disconnect: () => undefined,
    });
    return {
      request: (message) => session.request(message),
      close: () => {
        session.closed();
        return Promise.resolve();
      },
    };
  };
}
