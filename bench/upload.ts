import { once } from 'node:events';
import { createRequire } from 'node:module';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { collectUpdates } from '../coordinator/collect.ts';
import { listen } from '../coordinator/server.ts';
import { averaged, cohort } from './aggregation.ts';
import { processorSeconds } from './measure.ts';
import { watchMemory } from './memory.ts';
import type { Part, Setting } from './part.ts';
import { openRound, releaseBytes, senders } from './round.ts';
import { runScript } from './run-script.ts';

/** Clients in a process of their own, the coordinator in this one, socket.io over loopback between them. */
export const upload: Part = {
  name: 'upload',
  about: '100 updates of a million parameters over loopback sockets, from the plan to the mean update',
  how: 'The real server here, the real clients in another process on the second core, once each; every site sends a chunk when the one before was confirmed.',
  run: async (setting) => {
    if (!hasBufferutil()) setting.note('bufferutil is not installed: uploads are three to five times slower');
    const raw = await rawSpeed(setting, setting.quick ? 3 : 100);
    setting.emit({ name: 'raw TCP', value: raw, unit: 'MB/s' });
    for (const sites of setting.quick ? [3] : [4, 100]) await uploads(setting, sites, raw);
  },
};

async function uploads(setting: Setting, count: number, raw: number): Promise<void> {
  const { quick, emit } = setting;
  const sites = senders(count);
  const open = await openRound(sites, { quick, directory: join(setting.directory, `${count}`) });
  const server = await listen({ host: '127.0.0.1', port: 0, core: open.desk });
  const ended = runScript('uploader.ts', [`${server.port}`, `${count}`, quick ? 'quick' : 'full']);
  await open.desk.untilConnected(cohort(sites), { deadlineMs: 60_000 });
  const memory = watchMemory();
  const [start, used] = [performance.now(), processorSeconds()];
  const answers = await collectUpdates(open.plan, cohort(sites), open.context);
  const seconds = (performance.now() - start) / 1000;
  memory.look();
  averaged(answers, open);
  memory.look();
  const total = (performance.now() - start) / 1000;
  const processor = processorSeconds() - used;
  await ended;
  await open.close();
  await server.close();
  const speed = (count * releaseBytes(quick).length) / 1e6 / seconds;
  const name = `${count} sites`;
  const goal = count === 100 ? { atMost: 1.5 } : undefined;
  emit({ name: `${name}: total`, value: total, unit: 's', goal });
  emit({ name: `${name}: processor time of the coordinator`, value: processor, unit: 's' });
  emit({ name: `${name}: received`, value: speed, unit: 'MB/s', goal: { atLeast: 500 } });
  emit({ name: `${name}: over raw TCP`, value: speed / raw, unit: '', goal: { atLeast: 0.45 } });
  emit({ name: `${name}: growth of resident memory`, value: memory.highest().rss, unit: 'MB' });
}

/** MB a second of one TCP connection from another process, with nothing in between. */
async function rawSpeed({ quick }: Setting, count: number): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  // The address of a bound TCP server is an AddressInfo; a string stands for a pipe only.
  const { port } = server.address() as AddressInfo;
  const ended = runScript('uploader.ts', [`${port}`, `${count}`, quick ? 'quick' : 'full', 'raw']);
  const [socket] = (await once(server, 'connection')) as [Socket];
  let received = 0;
  socket.on('data', (part: Buffer) => {
    received += part.length;
  });
  const start = performance.now();
  socket.write('go');
  await once(socket, 'end');
  const seconds = (performance.now() - start) / 1000;
  server.close();
  await ended;
  return received / 1e6 / seconds;
}

function hasBufferutil(): boolean {
  try {
    createRequire(import.meta.url)('bufferutil');
    return true;
  } catch {
    return false;
  }
}
