import { connect as connectTcp } from 'node:net';
import { socketConnect } from '../client/connection.ts';
import { upload } from '../client/transfer.ts';
import { position } from '../test/support/ledger-positions.ts';
import { coordinator, joinSite, run } from '../test/wire/site.ts';
import { releaseBytes, round, type Sender, senders } from './round.ts';

/**
 * The sites of the upload benchmark, in a process of their own: each connects by a real socket, waits for the plan and
 * uploads. With `raw`, the same bytes over one TCP connection without any protocol.
 *
 *     node --import tsx bench/uploader.ts <port> <sites> <quick | full> [raw]
 */
const [port = '', count = '', size = '', raw] = process.argv.slice(2);
const bytes = releaseBytes(size === 'quick');

if (raw === 'raw') await sendRaw();
else await Promise.all(senders(Number(count)).map(take));

async function take(sender: Sender): Promise<void> {
  const site = joinSite(socketConnect({ url: `ws://127.0.0.1:${port}` }), sender);
  await site.notice('plan');
  const about = { run, round, stage: 'update', ledger: position(5) } as const;
  await upload(site, { ...sender, coordinatorKey: coordinator.publicKey, about, bytes });
  await site.close();
}

/** As many updates as there would be sites, one after another, until the other side has read them. */
async function sendRaw(): Promise<void> {
  const socket = connectTcp(Number(port), '127.0.0.1');
  await new Promise((resolve) => socket.once('data', resolve));
  for (let sent = 0; sent < Number(count); sent++)
    await new Promise<void>((resolve) => {
      socket.write(bytes, () => {
        resolve();
      });
    });
  socket.end();
}
