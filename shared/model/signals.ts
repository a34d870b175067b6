/**
 * What the attacker observes of one record under one model. float64 statistics from float32 logits.
 *
 * With p = softmax of the logits (a sigmoid output's logit pair is (0, z)) and y the record's label:
 * loss = -log p_y; margin = z_y - logsumexp of the other logits (LiRA's logit, from logits so that it never saturates);
 * hinge = z_y - max of the other logits; modifiedEntropy of Song and Mittal (arXiv:2003.10595).
 * Raw observations, not attack scores: a smaller loss is more member-like.
 */
export interface RecordSignals {
  /** Each shape (numRecords,). */
  readonly loss: Float32Array;
  readonly margin: Float32Array;
  readonly hinge: Float32Array;
  readonly modifiedEntropy: Float32Array;
}

/** Column order of signals on the wire. */
export const signalNames = [
  'loss',
  'margin',
  'hinge',
  'modifiedEntropy',
] as const satisfies readonly (keyof RecordSignals)[];
