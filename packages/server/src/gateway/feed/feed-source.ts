/** Something that pushes messages into the feed until it has no more or is told to stop. */
export interface FeedSource {
  /** Resolves when the source is at its end or `signal` aborts; rejects when it cannot go on. */
  run(signal: AbortSignal): Promise<void>;
}

/** The producer's side of the feed. */
export interface FeedInput {
  push(bytes: Uint8Array, key: bigint): boolean;
  stats(): { readonly depth: number; readonly inFlight: number };
}
