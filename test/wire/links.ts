import { socketConnect } from '../../client/connection.ts';
import { listen } from '../../coordinator/server.ts';
import { inProcessConnect } from '../../shared/protocol/in-process.ts';
import type { Connect, CoordinatorPort, Peer } from '../../shared/protocol/transport.ts';

/** A way to carry the protocol, opened for one test. */
export interface Link {
  readonly connect: Connect;
  /** End every connection from below, as a network does. */
  cut(): void;
  close(): Promise<void>;
}

/** Everything that must behave alike. */
export const links: readonly (readonly [string, OpenLink])[] = [
  ['in process', openInProcess],
  ['socket.io on loopback', openSockets],
];

export type OpenLink = (core: CoordinatorPort) => Promise<Link>;

function openInProcess(core: CoordinatorPort): Promise<Link> {
  const { port, cut } = cuttable(core);
  return Promise.resolve({ connect: inProcessConnect(port), cut, close: () => Promise.resolve() });
}

async function openSockets(core: CoordinatorPort): Promise<Link> {
  const { port, cut } = cuttable(core);
  const server = await listen({ port: 0, host: '127.0.0.1', core: port });
  const connect = socketConnect({ url: `http://127.0.0.1:${server.port}` });
  return { connect, cut, close: () => server.close() };
}

function cuttable(core: CoordinatorPort): { port: CoordinatorPort; cut: () => void } {
  const peers = new Set<Peer>();
  const connect: CoordinatorPort['connect'] = (peer) => {
    peers.add(peer);
    const session = core.connect(peer);
    return {
      request: (message) => session.request(message),
      closed: () => {
        peers.delete(peer);
        session.closed();
      },
    };
  };
  const cut = (): void => {
    for (const peer of [...peers]) peer.disconnect();
  };
  return { port: { connect }, cut };
}
