import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { ClientConfig, readDataSchema, readTable } from '../../../client/index.ts';
import { federationPages, loadConfig } from '../../../shared/config.ts';
import { type NamedUser, namedUsers } from '../../../shared/data/named-records.ts';
import { columnsOf, type DataSchema } from '../../../shared/data/schema.ts';
import { ParleyError } from '../../../shared/errors.ts';
import { openSimulation } from '../../red-team/finished-simulation.ts';
import type { KnownUsers } from '../model-evidence.ts';

/** Somebody whose membership the auditor knows. */
export interface KnownPerson extends NamedUser {
  readonly isMember: boolean;
}

/**
 * The member and held-out audit users of a finished simulation, canaries left out.
 *
 * @throws what opening a simulation throws; CONFIG_INVALID for records that are images.
 */
export async function peopleOfSimulation(directory: string): Promise<KnownPerson[]> {
  const { sites } = await openSimulation(directory);
  const bySite = await Promise.all(
    [...sites].map(async ([id, { shard, roles, canaries }]) => {
      const file = join(directory, 'sites', id, 'client.yaml');
      const { data } = loadConfig(file, ClientConfig, (path) => readFileSync(path, 'utf8'), federationPages);
      const at = (path: string): string => resolve(dirname(file), path);
      if (data.site?.type === 'spread')
        throw new ParleyError(
          'CONFIG_INVALID',
          `${file}: the records of one person lie at several sites, so no site's audit users are known whole: audit another run`,
        );
      const named = new Map((await usersIn(at(data.file), at(data.schema))).map((user) => [user.id, user]));
      return [...roles.users].flatMap((user, index) => {
        const role = roles.roles[index];
        const found = named.get(shard.userIds[user] ?? '');
        if (found === undefined || canaries.has(user) || (role !== 0 && role !== 1)) return [];
        return [{ ...found, id: `${id}/${found.id}`, isMember: role === 0 }];
      });
    }),
  );
  return bySite.flat();
}

/** Users of two tables, whose membership is known. Throws what reading the tables throws; CONFIG_INVALID as above. */
export async function peopleOfTables({ schema, members, heldOut }: KnownUsers): Promise<KnownPerson[]> {
  const of = async (file: string, isMember: boolean): Promise<KnownPerson[]> =>
    (await usersIn(file, schema)).map((user) => ({ ...user, id: `${file}/${user.id}`, isMember }));
  return [...(await of(members, true)), ...(await of(heldOut, false))];
}

async function usersIn(file: string, schemaFile: string): Promise<NamedUser[]> {
  const schema = await readDataSchema(schemaFile);
  refuseImages(schema, schemaFile);
  return namedUsers(schema, await readTable(file, columnsOf(schema)));
}

function refuseImages({ features }: DataSchema, file: string): void {
  if (!features.some(({ type }) => type === 'image')) return;
  throw new ParleyError(
    'CONFIG_INVALID',
    `${file}: records are images, which an audit through an endpoint cannot send yet; audit the model itself`,
  );
}
