import { parseCsv } from '../../../shared/data/csv.ts';
import { type EncodedTable, encodeTable } from '../../../shared/data/encode.ts';
import { type DataSchema, parseDataSchema } from '../../../shared/data/schema.ts';

/** A declaration of columns, as a file would hold it. */
export const schemaOf = (input: object): DataSchema => parseDataSchema(input, 's.yaml');

/** A user, a binary label, a number, a category and a subpopulation. */
export const base = {
  user: { column: 'id' },
  missingMarkers: ['?', ''],
  label: { type: 'binary', column: 'y', positive: ['yes'], negative: ['no'] },
  features: [
    { type: 'numeric', column: 'x', min: 0, max: 10, missing: 'indicator' },
    { type: 'categorical', column: 'c', vocabulary: ['a', 'b'], other: 'category', missing: 'zero' },
  ],
  subpopulations: [
    { column: 'c', name: 'group', vocabulary: ['a', 'b'], other: 'category', missing: 'category' },
  ],
};

/** Rows of id, x, c, y and s, encoded by this declaration. */
export const encode = (rows: string, schema: object = base): EncodedTable =>
  encodeTable(schemaOf(schema), parseCsv(`id,x,c,y,s\n${rows}`, { source: 'v.csv' }));
