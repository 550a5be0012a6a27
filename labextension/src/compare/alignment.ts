/** Cells of several runs, the same cell in one row: by its id, else by what it says. Pure functions. */
import type { RecordedCell } from '../wire/protocol';

/** One cell a run, `null` where the run has none like it. */
export type CellRow = (RecordedCell | null)[];

/** From this share of common words on, two sources are one cell that was edited. */
const ALIKE = 0.6;
/** Characters of a source that are compared; the beginning says which cell it is. */
const COMPARED = 20_000;

/**
 * Rows in the order of the runs' own cells.
 *
 * A cell belongs to the row that has a cell of its id. Copies of a notebook, and cells that were pasted, have other ids:
 * those go where the source is most alike. What has no like stands behind the cell that ran before it.
 */
export function alignCells(runs: readonly (readonly RecordedCell[])[]): CellRow[] {
  const rows: CellRow[] = [];
  runs.forEach((cells, run) => {
    const matched = matches(cells, rows);
    let behind = -1;
    cells.forEach((cell, at) => {
      let row = matched[at];
      if (!row) {
        row = runs.map(() => null);
        rows.splice(behind + 1, 0, row);
      }
      row[run] = cell;
      behind = rows.indexOf(row);
    });
  });
  return rows;
}

/** The row of each cell of one run; each row is taken once. */
function matches(cells: readonly RecordedCell[], rows: readonly CellRow[]): (CellRow | null)[] {
  const free = new Set(rows);
  const found: (CellRow | null)[] = cells.map(cell => {
    const row = cell.cell_id === null ? undefined : [...free].find(one => hasId(one, cell.cell_id as string));
    if (row) {
      free.delete(row);
    }
    return row ?? null;
  });
  const pairs = cells.flatMap((cell, at) =>
    found[at] ? [] : [...free].map(row => ({ at, row, alike: likeness(cell, row) }))
  );
  // The most alike first; among equals as they ran.
  pairs.sort((a, b) => b.alike - a.alike || a.at - b.at);
  for (const { at, row, alike } of pairs) {
    if (alike >= ALIKE && !found[at] && free.delete(row)) {
      found[at] = row;
    }
  }
  return found;
}

const hasId = (row: CellRow, id: string): boolean => row.some(cell => cell?.cell_id === id);

function likeness(cell: RecordedCell, row: CellRow): number {
  return Math.max(...row.map(other => (other ? similarity(cell.source, other.source) : 0)));
}

/** Share of the words that two sources have in common (Sørensen–Dice), from 0 to 1. The line of `%%track` is none of them. */
export function similarity(first: string | null, second: string | null): number {
  const [a, b] = [wordsOf(first ?? ''), wordsOf(second ?? '')];
  if (a.length + b.length === 0) {
    return first !== null && second !== null ? 1 : 0;
  }
  const counts = new Map<string, number>();
  a.forEach(word => counts.set(word, (counts.get(word) ?? 0) + 1));
  let common = 0;
  for (const word of b) {
    const left = counts.get(word) ?? 0;
    if (left > 0) {
      common += 1;
      counts.set(word, left - 1);
    }
  }
  return (2 * common) / (a.length + b.length);
}

function wordsOf(source: string): string[] {
  const body = source.slice(0, COMPARED).replace(/^\s*%%.*$/m, '');
  return body.match(/[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) ?? [];
}
