import { accountant } from './accountant.ts';
import { aggregation } from './aggregation.ts';
import { audit, statistics } from './audit.ts';
import { clip } from './clip.ts';
import { codec } from './codec.ts';
import { curves } from './curves.ts';
import { noise } from './noise.ts';
import type { Part } from './part.ts';
import { population } from './population.ts';
import { serve } from './serve.ts';
import { train } from './train.ts';
import { upload } from './upload.ts';
import { yardstick } from './yardstick.ts';

/** All parts, in the order in which they run. */
export const parts: readonly Part[] = [
  train,
  noise,
  clip,
  codec,
  aggregation,
  upload,
  accountant,
  audit,
  statistics,
  curves,
  population,
  serve,
  yardstick,
];
