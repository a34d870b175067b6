import { z } from 'zod';

/** A fault to plant: the text `find`, which stands in `file` exactly once, gives way to `replace`. */
export const Edit = z.strictObject({ file: z.string(), find: z.string().min(1), replace: z.string() });
export type Edit = z.infer<typeof Edit>;
