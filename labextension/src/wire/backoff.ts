/** A connection that lasted this long was a good one: the next attempt after its loss waits the least again. */
export const STEADY_MS = 10_000;

/**
 * How long to wait before the next attempt, in milliseconds: doubling from half a second to 30 s, with jitter so that
 * many tabs do not come back to a restarted server at once.
 *
 * @param attempt how many attempts have failed so far, from 0.
 * @param random in [0, 1).
 */
export function backoffMs(attempt: number, random: number): number {
  const base = Math.min(30_000, 500 * 2 ** Math.min(attempt, 10));
  return Math.round(base * (0.75 + 0.5 * random));
}
