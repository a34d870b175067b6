import { readFile } from 'node:fs/promises';
import { tableReader } from '../shared/data/table-reader.ts';

/** Tables in this machine's files. */
export const { readTable, readSchemaTable } = tableReader(readFile);
