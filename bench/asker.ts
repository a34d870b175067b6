import { Agent, request } from 'node:http';
import { seededRng } from '../shared/random/rng.ts';
import { Seed } from '../shared/units.ts';
import { madeUpRecord, realSchema } from './made-up-records.ts';

/**
 * The callers of the benchmark of `parley serve`, in a process of their own: asks about records that were never asked about, over
 * connections that stay open, and prints the seconds from the first request to the last answer.
 *
 *     node --import tsx bench/asker.ts <port> <key> <requests> <records a request>
 */
const [port = '', key = '', requests = '', perRequest = ''] = process.argv.slice(2);
const connections = 8;
const agent = new Agent({ keepAlive: true, maxSockets: connections });
const bodies = madeUpBodies();
const start = performance.now();
await askAll();
process.stdout.write(`${(performance.now() - start) / 1000}\n`);
agent.destroy();

function madeUpBodies(): string[] {
  const schema = realSchema();
  // A seed for each size: else the records of one call were those of another again, which the monitor is to notice.
  const rng = seededRng(Seed.parse(Number(perRequest)));
  return Array.from({ length: Number(requests) }, () => {
    const records = Array.from({ length: Number(perRequest) }, () => madeUpRecord(schema, rng));
    return JSON.stringify({ records });
  });
}

async function askAll(): Promise<void> {
  const queue = bodies.values();
  await Promise.all(
    Array.from({ length: connections }, async () => {
      for (const body of queue) await ask(body);
    }),
  );
}

function ask(body: string): Promise<void> {
  const headers = { authorization: `Bearer ${key}`, 'content-length': Buffer.byteLength(body) };
  return new Promise((done, reject) => {
    const options = { host: '127.0.0.1', port, path: '/v1/predictions', method: 'POST', agent, headers };
    const asking = request(options, (response) => {
      if (response.statusCode !== 200) reject(new Error(`answered ${response.statusCode ?? 'nothing'}`));
      response.resume().on('end', done);
    });
    asking.on('error', reject).end(body);
  });
}
