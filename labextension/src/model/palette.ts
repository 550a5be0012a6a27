/**
 * Colours of runs. Pure functions.
 *
 * Eight colours that stay apart with normal vision, protanopia and deuteranopia (after Okabe and Ito's
 * "Color Universal Design"; `test/palette.test.ts` measures the distances, and 3:1 contrast with the background), times three dashes:
 * 24 styles before two of a comparison look alike.
 */

export type Dash = 'solid' | 'dashed' | 'dotted';

export interface LineStyle {
  colour: string;
  dash: Dash;
}

export const LIGHT: readonly string[] = [
  '#1668dc', '#e8710a', '#0a8f50', '#d6559e', '#7a4510', '#2a9ab8', '#5a2ca0', '#5f6368'
]; // prettier-ignore

export const DARK: readonly string[] = [
  '#4c9bff', '#ff8a2b', '#34c380', '#f07cc0', '#fde24f', '#8ee3f5', '#8558e8', '#a8a8a8'
]; // prettier-ignore

const DASHES: readonly Dash[] = ['solid', 'dashed', 'dotted'];

/** How many different styles there are. */
export const STYLES = LIGHT.length * DASHES.length;

export function lineStyle(slot: number, dark: boolean): LineStyle {
  const colours = dark ? DARK : LIGHT;
  const within = ((slot % STYLES) + STYLES) % STYLES;
  return {
    colour: colours[within % colours.length] as string,
    dash: DASHES[Math.floor(within / colours.length)] as Dash
  };
}

/** The slot a run gets when nobody else has it: from its id, so the same in every browser (FNV-1a). */
export function preferredSlot(runId: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < runId.length; i++) {
    hash = Math.imul(hash ^ runId.charCodeAt(i), 0x01000193) >>> 0;
  }
  return hash % LIGHT.length;
}

/**
 * So many runs before a run in the list of all have other colours than that: the last five runs, which people compare
 * most often, all look different.
 */
const NEAR = 4;

/**
 * The slot of every run: the chosen one, else the one of its id, or the next colour that none of the {@link NEAR} runs
 * before it has. As `list_slots` of `kernel_magics/figures/palette.py`.
 *
 * @param runs all of them, oldest first, so that a new one changes none before it; with the slot that somebody chose.
 */
export function listSlots(
  runs: readonly (readonly [run: string, chosen: number | null])[]
): Map<string, number> {
  const slots = new Map<string, number>();
  let near: number[] = [];
  for (const [run, chosen] of runs) {
    let slot = chosen ?? preferredSlot(run);
    while (chosen === null && near.includes(slot)) {
      slot = (slot + 1) % LIGHT.length;
    }
    slots.set(run, slot);
    near = [...near.slice(1 - NEAR), slot % LIGHT.length];
  }
  return slots;
}

/**
 * Slots for runs shown together: each keeps the one it has if it can, and no two share one while there are enough.
 *
 * @param runs the runs shown together, in order; earlier ones keep their slot.
 * @param known slots given before.
 */
export function assignSlots(
  runs: readonly string[],
  known: Pick<ReadonlyMap<string, number>, 'get'>
): Map<string, number> {
  const taken = new Set<number>();
  const slots = new Map<string, number>();
  const waiting: string[] = [];
  for (const run of runs) {
    const slot = known.get(run) ?? preferredSlot(run);
    if (taken.has(slot)) {
      waiting.push(run);
    } else {
      taken.add(slot);
      slots.set(run, slot);
    }
  }
  for (const run of waiting) {
    let slot = 0;
    while (taken.has(slot) && slot < STYLES) {
      slot += 1;
    }
    slot = slot < STYLES ? slot : preferredSlot(run);
    taken.add(slot);
    slots.set(run, slot);
  }
  return slots;
}
