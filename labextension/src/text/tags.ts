/** Tags of several runs at once. Pure functions. */

/**
 * A run's tags after an edit.
 *
 * @param before the run's own.
 * @param shared those that were shown, since all the edited runs have them.
 * @param wanted what was left in their place.
 */
export function mergedTags(
  before: readonly string[],
  shared: readonly string[],
  wanted: readonly string[]
): string[] {
  const kept = before.filter(tag => !shared.includes(tag) || wanted.includes(tag));
  return [...new Set([...kept, ...wanted])];
}
