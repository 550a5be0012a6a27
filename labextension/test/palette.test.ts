import assert from 'node:assert/strict';
import test from 'node:test';

import type { IStateDB } from '@jupyterlab/statedb';

import { ColourBook } from '../src/model/colours';
import { assignSlots, DARK, LIGHT, lineStyle, listSlots, preferredSlot, STYLES } from '../src/model/palette';
import { golden } from './golden';

type Rgb = [number, number, number];

/** Linear-light red, green and blue in [0, 1] of `#rrggbb` (sRGB, IEC 61966-2-1). */
function linear(hex: string): Rgb {
  const channel = (at: number): number => {
    const c = parseInt(hex.slice(at, at + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  };
  return [channel(1), channel(3), channel(5)];
}

/** WCAG 2.2 contrast ratio. */
function contrast(a: string, b: string): number {
  const luminance = ([r, g, bl]: Rgb): number => 0.2126 * r + 0.7152 * g + 0.0722 * bl;
  const [x, y] = [luminance(linear(a)), luminance(linear(b))];
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
}

const SEEN_AS: Record<string, [Rgb, Rgb, Rgb]> = {
  normal: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
  // Machado, Oliveira and Fernandes (2009), severity 1.0.
  protanopia: [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
  deuteranopia: [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
}; // prettier-ignore

/** CIE L*a*b* (D65) of linear-light RGB. */
function lab([r, g, b]: Rgb): Rgb {
  const f = (t: number): number => (t > 216 / 24389 ? Math.cbrt(t) : (t * 24389) / 27 / 116 + 16 / 116);
  const x = f((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505);
  const y = f(0.2126 * r + 0.7152 * g + 0.0722 * b);
  const z = f((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

function distance(a: string, b: string, matrix: [Rgb, Rgb, Rgb]): number {
  const seen = (hex: string): Rgb => {
    const rgb = linear(hex);
    return matrix.map(row => row[0] * rgb[0] + row[1] * rgb[1] + row[2] * rgb[2]) as Rgb;
  };
  const [p, q] = [lab(seen(a)), lab(seen(b))];
  return Math.hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]);
}

for (const [theme, colours, background] of [
  ['light', LIGHT, '#ffffff'],
  ['dark', DARK, '#111111']
] as const) {
  test(`every colour of the ${theme} palette stands out from its background by 3:1`, () => {
    for (const colour of colours) {
      assert.ok(contrast(colour, background) >= 3, `${colour}: ${contrast(colour, background).toFixed(2)}`);
    }
  });

  for (const [vision, matrix] of Object.entries(SEEN_AS)) {
    test(`no two colours of the ${theme} palette look alike with ${vision} vision`, () => {
      const close = colours.flatMap((a, i) =>
        colours
          .slice(i + 1)
          .map(b => ({ a, b, d: distance(a, b, matrix) }))
          .filter(({ d }) => d < 10)
      );
      assert.deepEqual(close, []);
    });
  }
}

test('a run prefers the same colour in every browser', () => {
  assert.equal(preferredSlot('20261122-141503-k3f9qz'), preferredSlot('20261122-141503-k3f9qz'));
  const used = new Set(Array.from({ length: 200 }, (_, i) => preferredSlot(`run-${i}`)));
  assert.equal(used.size, LIGHT.length);
});

test('runs shown together all look different while there are enough styles', () => {
  const runs = Array.from({ length: STYLES }, (_, i) => `run-${i}`);
  const slots = assignSlots(runs, new Map());
  const looks = new Set([...slots.values()].map(slot => JSON.stringify(lineStyle(slot, false))));
  assert.equal(looks.size, STYLES);
});

test('a run keeps its colour when others join', () => {
  const before = assignSlots(['a', 'b', 'c'], new Map());
  const after = assignSlots(['c', 'x', 'a', 'y'], before);
  assert.equal(after.get('a'), before.get('a'));
  assert.equal(after.get('c'), before.get('c'));
});

test('more runs than styles still all get one', () => {
  const runs = Array.from({ length: STYLES + 10 }, (_, i) => `run-${i}`);
  assert.equal(assignSlots(runs, new Map()).size, runs.length);
});

/** Ids so that each prefers the colour of the one before. */
function alike(count: number): string[] {
  const ids = Array.from({ length: 400 }, (_, i) => `run-${i}`);
  return ids.filter(id => preferredSlot(id) === preferredSlot('run-0')).slice(0, count);
}

test('no five neighbours of the list share a colour, and a new run changes none', () => {
  const book = new ColourBook(null, () => false);
  const runs = alike(12); // newest first
  const older = runs.slice(4);
  book.list(older);
  const before = older.map(run => book.styleOf(run).colour);
  book.list(runs);
  const colours = runs.map(run => book.styleOf(run).colour);
  assert.deepEqual(colours.slice(4), before);
  assert.ok(colours.slice(4).every((_, i) => new Set(colours.slice(i, i + 5)).size === 5));
});

test('a run without a neighbour of its colour has the one of its id', () => {
  const book = new ColourBook(null, () => false);
  const runs = ['run-0', 'run-1', 'run-2', 'run-3'];
  assert.equal(new Set(runs.map(preferredSlot)).size, 4);
  book.list(runs);
  const own = runs.map(run => lineStyle(preferredSlot(run), false));
  assert.deepEqual(
    runs.map(run => book.styleOf(run)),
    own
  );
});

test('runs keep in a comparison the colours that the list gave them', () => {
  const book = new ColourBook(null, () => false);
  const runs = alike(5);
  book.list(runs);
  const before = runs.map(run => book.styleOf(run));
  book.distinguish({}, runs);
  assert.deepEqual(
    runs.map(run => book.styleOf(run)),
    before
  );
});

test('a colour that somebody chose counts for its neighbour', () => {
  const [newer, older] = ['run-1', 'run-2'];
  const book = new ColourBook(
    null,
    () => false,
    run => (run === older ? preferredSlot(newer) : null)
  );
  book.list([newer, older]);
  assert.notEqual(book.styleOf(newer).colour, book.styleOf(older).colour);
});

/** Two runs, far from each other in a list, that have one colour there; with the list. */
function twins(): { list: string[]; first: string; second: string } {
  const list = Array.from({ length: 40 }, (_, i) => `run-${i}`);
  const slots = listSlots([...list].reverse().map(run => [run, null] as const));
  const second = list.slice(1).find(run => slots.get(run) === slots.get(list[0] as string));
  return { list, first: list[0] as string, second: second as string };
}

test('a run that had to look otherwise in a comparison does so everywhere, and after a reload', async () => {
  const { list, first, second } = twins();
  const kept = new Map<string, unknown>();
  const state = {
    fetch: (key: string) => Promise.resolve(kept.get(key)),
    save: (key: string, value: unknown) => Promise.resolve(kept.set(key, value))
  } as unknown as IStateDB;
  const book = new ColourBook(state, () => false);
  book.list(list);
  const own = book.slotOf(second);
  book.distinguish({}, [first, second]);
  assert.equal(book.slotOf(first), own);
  assert.notEqual(book.slotOf(second), own);
  const again = new ColourBook(state, () => false);
  await again.restore();
  again.list(list);
  const seen = (which: ColourBook): number[] => list.map(run => which.slotOf(run));
  assert.deepEqual(seen(again), seen(book));
});

test('runs of a restored comparison are told apart once the list is known', () => {
  const { list, first, second } = twins();
  const book = new ColourBook(null, () => false);
  book.distinguish({}, [first, second]); // before anything was read
  book.list(list);
  const told = new ColourBook(null, () => false);
  told.list(list);
  told.distinguish({}, [first, second]);
  assert.notEqual(book.slotOf(first), book.slotOf(second));
  assert.deepEqual([book.slotOf(first), book.slotOf(second)], [told.slotOf(first), told.slotOf(second)]);
});

test('runs of an open comparison still look different after others were deleted', () => {
  const runs = alike(9); // newest first: each has another colour than its four neighbours
  const book = new ColourBook(null, () => false);
  book.list(runs);
  const shown = [runs[0] as string, runs[2] as string, runs[3] as string];
  const where = {};
  book.distinguish(where, shown);
  for (let rest = runs.length - 1; rest > 4; rest--) {
    book.list(runs.filter((run, at) => shown.includes(run) || at > rest));
    assert.equal(new Set(shown.map(run => book.slotOf(run))).size, shown.length);
  }
});

interface GoldenPalette {
  light: string[];
  dark: string[];
  preferred: Record<string, number>;
  comparisons: { runs: string[]; chosen: Record<string, number>; styles: [string, string, string][] }[];
  lists: { runs: [string, number | null][]; slots: number[] }[];
}

const fixed = golden<GoldenPalette>('palette');

test('the colours are those of the figures that Python draws', () => {
  assert.deepEqual([LIGHT, DARK], [fixed.light, fixed.dark]);
  const slots = Object.keys(fixed.preferred).map(run => [run, preferredSlot(run)]);
  assert.deepEqual(Object.fromEntries(slots), fixed.preferred);
});

test('runs of a comparison are drawn as Python draws them', () => {
  for (const { runs, chosen, styles } of fixed.comparisons) {
    const drawn = [false, true].map(dark => {
      const book = new ColourBook(
        null,
        () => dark,
        run => chosen[run] ?? null
      );
      book.list([]);
      book.distinguish({}, runs);
      return runs.map(run => book.styleOf(run));
    });
    const seen = runs.map((_, i) => [drawn[0]?.[i]?.colour, drawn[1]?.[i]?.colour, drawn[0]?.[i]?.dash]);
    assert.deepEqual(seen, styles);
  }
});

test('runs of a list have the colours that Python gives them', () => {
  for (const { runs, slots } of fixed.lists) {
    assert.deepEqual([...listSlots(runs).values()], slots);
  }
});
