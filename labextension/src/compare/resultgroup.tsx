/** The part of the run table that says what metrics came to. */
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { formatCount } from '../text/format';
import type { Run } from '../wire/protocol';
import type { Kind, ResultCell, ResultRow } from './results';

export interface ResultGroupProps {
  rows: readonly ResultRow[];
  runs: readonly Run[];
  /** Why they could not be read, `null` when they could. */
  problem: string | null;
  trans: TranslationBundle;
}

export function ResultGroup({ rows, runs, problem, trans }: ResultGroupProps): React.JSX.Element {
  const names: Record<Kind, string> = {
    last: trans.__('last'),
    min: trans.__('least'),
    max: trans.__('greatest')
  };
  return (
    <tbody data-group="results">
      <tr className="jp-trackside-tableGroup">
        <th scope="rowgroup" colSpan={runs.length + 1}>
          {trans.__('Results')}
          {(problem !== null || rows.length === 0) && (
            <span> · {problem ?? trans.__('no metric was logged')}</span>
          )}
        </th>
      </tr>
      {rows.map(row => (
        <tr
          key={`${row.metric} ${row.kind}`}
          data-key={`${row.metric} ${row.kind}`}
          data-differs={row.differs || undefined}
        >
          <th scope="row" title={row.metric}>
            {row.metric} <span className="jp-trackside-kind">{names[row.kind]}</span>
          </th>
          {row.cells.map((cell, index) => (
            <td key={runs[index]?.id}>
              {cell?.text ? (
                <Value cell={cell} trans={trans} />
              ) : (
                <span className="jp-trackside-absent">–</span>
              )}
            </td>
          ))}
        </tr>
      ))}
    </tbody>
  );
}

function Value({ cell, trans }: { cell: ResultCell; trans: TranslationBundle }): React.JSX.Element {
  const judged = cell.better === null ? undefined : cell.better ? 'better' : 'worse';
  return (
    <>
      {cell.best ? <b title={trans.__('The best of the run')}>{cell.text}</b> : cell.text}
      {cell.step !== null && (
        <span className="jp-trackside-kind"> {trans.__('at %1', formatCount(cell.step))}</span>
      )}
      {cell.difference && (
        <span className="jp-trackside-difference" data-judged={judged}>
          {cell.difference}
          {judged === 'better' && <span aria-label={trans.__('better')}> ✓</span>}
          {judged === 'worse' && <span aria-label={trans.__('worse')}> ✗</span>}
        </span>
      )}
    </>
  );
}
