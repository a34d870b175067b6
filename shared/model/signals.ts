/**
 * What the attacker observes of one record under one model. float64 statistics from float32 logits.
 *
 * With p = softmax of the logits (a sigmoid output's logit pair is (0, z)) and y the record's label:
 * loss = -log p_y; margin = z_y - logsumexp of the other logits (LiRA's logit, from logits so that it never saturates);
 * hinge = z_y - max of the other logits; entropy = -sum p_j log p_j in nats; modifiedEntropy of Song and Mittal
 * (arXiv:2003.10595). Confidence p_y is e^-loss and is not sent twice.
 * Raw observations, not attack scores: a smaller loss is more member-like.
 */
export interface RecordSignals {
  /** Each shape (numRecords,). */
  readonly loss: Float32Array;
  readonly margin: Float32Array;
  readonly hinge: Float32Array;
  readonly entropy: Float32Array;
  readonly modifiedEntropy: Float32Array;
}

/**
 * How the records of each user lie in the model's embedding: the input of its output layer, of L2 norm 1. Each shape
 * (numUsers,); distances in [0, 2], and -1 for a user with fewer than two distinct records (or, for separation, at a site
 * without another reference user).
 */
export interface EmbeddingSignals {
  /** Mean distance of a user's records to their centroid. */
  readonly compactness: Float32Array;
  /** Mean distance between two records of a user. */
  readonly pair: Float32Array;
  /** Distance of a user's centroid to the nearest centroid of another reference user at the site. */
  readonly separation: Float32Array;
}

/** What a site sends of its audit users under one model; without `embedding` where the model has no hidden layer. */
export interface Signals extends RecordSignals {
  readonly embedding?: EmbeddingSignals;
}

/** Column order of embedding signals on the wire. */
export const embeddingNames = [
  'compactness',
  'pair',
  'separation',
] as const satisfies readonly (keyof EmbeddingSignals)[];

/** Column order of signals on the wire. */
export const signalNames = [
  'loss',
  'margin',
  'hinge',
  'entropy',
  'modifiedEntropy',
] as const satisfies readonly (keyof RecordSignals)[];
