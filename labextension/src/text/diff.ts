/** What changed between two texts, line by line. Pure functions. */

export type DiffKind = 'same' | 'added' | 'removed';

export interface DiffLine {
  kind: DiffKind;
  text: string;
  /** Line number in the text before, from 1; `null` for an added line. */
  before: number | null;
  /** Line number in the text after, from 1; `null` for a removed line. */
  after: number | null;
}

/** Lines that are the same and far from any change; how many. */
export interface Skipped {
  kind: 'skipped';
  count: number;
}

/** Above this many comparisons of lines what differs counts as wholly replaced: a second of the page is worth more. */
const MOST_COMPARISONS = 4_000_000;

/** The longest common subsequence of lines stays, by dynamic programming; removed lines stand before added ones. */
export function diffLines(before: readonly string[], after: readonly string[]): DiffLine[] {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) {
    start += 1;
  }
  let [endBefore, endAfter] = [before.length, after.length];
  while (endBefore > start && endAfter > start && before[endBefore - 1] === after[endAfter - 1]) {
    endBefore -= 1;
    endAfter -= 1;
  }
  const kinds: DiffKind[] = [
    ...Array<DiffKind>(start).fill('same'),
    ...middle(before.slice(start, endBefore), after.slice(start, endAfter)),
    ...Array<DiffKind>(before.length - endBefore).fill('same')
  ];
  return numbered(kinds, before, after);
}

function middle(before: readonly string[], after: readonly string[]): DiffKind[] {
  const [n, m] = [before.length, after.length];
  if (n * m > MOST_COMPARISONS) {
    return [...Array<DiffKind>(n).fill('removed'), ...Array<DiffKind>(m).fill('added')];
  }
  // common[i * (m + 1) + j]: length of the longest common subsequence of before[i…] and after[j…].
  const common = new Uint32Array((n + 1) * (m + 1));
  const at = (i: number, j: number): number => common[i * (m + 1) + j] as number;
  for (let i = n - 1; i >= 0; i--) {
    for (let j = m - 1; j >= 0; j--) {
      common[i * (m + 1) + j] =
        before[i] === after[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const kinds: DiffKind[] = [];
  let [i, j] = [0, 0];
  while (i < n || j < m) {
    if (i < n && j < m && before[i] === after[j]) {
      kinds.push('same');
      i += 1;
      j += 1;
    } else if (i < n && (j === m || at(i + 1, j) >= at(i, j + 1))) {
      kinds.push('removed');
      i += 1;
    } else {
      kinds.push('added');
      j += 1;
    }
  }
  return kinds;
}

function numbered(
  kinds: readonly DiffKind[],
  before: readonly string[],
  after: readonly string[]
): DiffLine[] {
  let [i, j] = [0, 0];
  return kinds.map(kind => {
    const text = (kind === 'added' ? after[j] : before[i]) as string;
    return {
      kind,
      text,
      before: kind === 'added' ? null : (i += 1),
      after: kind === 'removed' ? null : (j += 1)
    };
  });
}

/** Leaves out what is the same and further than `context` lines from any change. */
export function around(lines: readonly DiffLine[], context: number): (DiffLine | Skipped)[] {
  const near = lines.map(() => false);
  lines.forEach((line, i) => {
    if (line.kind !== 'same') {
      near.fill(true, Math.max(0, i - context), i + context + 1);
    }
  });
  const shown: (DiffLine | Skipped)[] = [];
  lines.forEach((line, i) => {
    const last = shown[shown.length - 1];
    if (near[i]) {
      shown.push(line);
    } else if (last?.kind === 'skipped') {
      last.count += 1;
    } else {
      shown.push({ kind: 'skipped', count: 1 });
    }
  });
  return shown;
}

/** One row of a side-by-side view: what stands left and right. */
export type Pair = Skipped | { kind: 'pair'; left: DiffLine | null; right: DiffLine | null };

/** Removed lines beside the added ones that replace them. */
export function pairs(lines: readonly (DiffLine | Skipped)[]): Pair[] {
  const found: Pair[] = [];
  let [removed, added]: [DiffLine[], DiffLine[]] = [[], []];
  const flush = (): void => {
    for (let i = 0; i < Math.max(removed.length, added.length); i++) {
      found.push({ kind: 'pair', left: removed[i] ?? null, right: added[i] ?? null });
    }
    [removed, added] = [[], []];
  };
  for (const line of lines) {
    if (line.kind === 'removed') {
      removed.push(line);
    } else if (line.kind === 'added') {
      added.push(line);
    } else {
      flush();
      found.push(line.kind === 'skipped' ? line : { kind: 'pair', left: line, right: line });
    }
  }
  flush();
  return found;
}
