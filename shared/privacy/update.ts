/**
 * Where an update is on its way out of the site. The type is the guarantee: only a noised update has an encoder, so an
 * un-noised one cannot be sent.
 *
 * raw: one user's local - received, float32, shape (numParams,). clipped: the same with L2 norm <= C.
 * summed: the clipped updates of the drawn users added up in float64. noised: the sum on the integer grid plus noise,
 * saturated to int32.
 */
declare const stage: unique symbol;

export type RawUpdate = Float32Array & { readonly [stage]: 'raw' };
export type ClippedUpdate = Float32Array & { readonly [stage]: 'clipped' };
export type SummedUpdate = Float64Array & { readonly [stage]: 'summed' };
export type NoisedUpdate = Int32Array & { readonly [stage]: 'noised' };
