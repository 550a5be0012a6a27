/** What keys do in the table. */
import type * as React from 'react';

import { RunEdits } from './runedits';
import { menuOf, rowKey, selectTo, type Grid } from './tablegrid';
import { ROW_HEIGHT, tableRowId } from './tablerow';

export function gridKey(event: React.KeyboardEvent, grid: Grid, height: number): void {
  const page = Math.max(1, Math.floor(height / ROW_HEIGHT) - 2);
  if (move(event, grid, page) || act(event, grid)) {
    event.preventDefault();
    event.stopPropagation();
  }
}

function move(event: React.KeyboardEvent, grid: Grid, page: number): boolean {
  const { active, rows } = grid;
  const moves: Record<string, number> = {
    ArrowDown: active + 1,
    ArrowUp: Math.max(0, active - 1),
    PageDown: active + page,
    PageUp: active - page,
    Home: 0,
    End: rows.length - 1
  };
  const wanted = moves[event.key];
  if (wanted === undefined || rows.length === 0) {
    return false;
  }
  const target = Math.max(0, Math.min(rows.length - 1, wanted));
  if (event.shiftKey) {
    const here = rows[active];
    grid.anchor.current ??= here ? rowKey(here) : null;
    selectTo(grid, target);
  } else {
    grid.anchor.current = rowKey(rows[target] as Grid['rows'][number]);
  }
  grid.activate(target);
  return true;
}

function act(event: React.KeyboardEvent, grid: Grid): boolean {
  const { active, rows, trackside, model, compare } = grid;
  const { selection, editor } = trackside;
  const here = rows[active];
  const run = here?.kind === 'run' ? here.run : null;
  const chosen = selection.size > 0 ? selection.ids : run ? [run.id] : [];
  const key = event.key;
  if (here?.kind === 'group' && ['ArrowLeft', 'ArrowRight', ' ', 'Enter'].includes(key)) {
    model.fold(here.label, key === 'ArrowLeft' || (key !== 'ArrowRight' && !here.folded));
  } else if (key === ' ' && run) {
    selection.toggle(run.id);
  } else if (key === 'Enter' && chosen.length > 0) {
    compare(chosen);
  } else if (key === 'a' && (event.ctrlKey || event.metaKey)) {
    selection.set(model.arrangement.runs.map(one => one.id));
  } else if (key === 'Escape' && selection.size > 0) {
    selection.set([]);
  } else if (run && (key === 'ContextMenu' || (key === 'F10' && event.shiftKey))) {
    const place = document.getElementById(tableRowId(model.id, run.id))?.getBoundingClientRect();
    menuOf(grid, run.id, (place?.left ?? 0) + 40, place?.bottom ?? 0);
  } else if (run && key === 'F2' && editor.allowed) {
    void new RunEdits(trackside, [run]).rename(run);
  } else if (key === 'Delete' && editor.allowed && chosen.length > 0) {
    const runs = chosen.flatMap(id => trackside.runs.get(id) ?? []);
    void new RunEdits(trackside, runs).delete();
  } else {
    return false;
  }
  return true;
}
