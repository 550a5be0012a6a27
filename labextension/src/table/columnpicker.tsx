/** Which columns a table has: a searchable list to tick. */
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { fieldNames } from '../filter/complete';
import type { Run } from '../wire/protocol';
import { COST } from './columns';
import type { TableModel } from './tablemodel';

/** Choices drawn at once; a search finds the others. */
const MOST = 200;

interface ColumnPickerProps {
  model: TableModel;
  runs: readonly Run[];
  onClose: () => void;
  trans: TranslationBundle;
}

export function ColumnPicker({ model, runs, onClose, trans }: ColumnPickerProps): React.JSX.Element {
  const [search, setSearch] = React.useState('');
  const shown = new Set(model.columns.map(column => column.id));
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const names = [...new Set([...shown, COST, ...fieldNames(runs)])]
    .filter(name => name !== 'name')
    .filter(name => words.every(word => name.toLowerCase().includes(word)));
  return (
    <div
      className="jp-trackside-picker"
      role="dialog"
      aria-label={trans.__('Columns')}
      onKeyDown={event => {
        if (event.key === 'Escape') {
          event.stopPropagation();
          onClose();
        }
      }}
      onBlur={event => {
        if (event.relatedTarget && !event.currentTarget.contains(event.relatedTarget)) {
          onClose();
        }
      }}
    >
      <input
        className="jp-mod-styled"
        type="search"
        autoFocus
        placeholder={trans.__('Search columns…')}
        aria-label={trans.__('Search columns')}
        value={search}
        onChange={event => setSearch(event.currentTarget.value)}
      />
      <ul>
        {names.slice(0, MOST).map(name => (
          <li key={name}>
            <label>
              <input
                type="checkbox"
                checked={shown.has(name)}
                onChange={event => model.show(name, event.currentTarget.checked)}
              />
              {name}
            </label>
          </li>
        ))}
      </ul>
      {names.length > MOST && (
        <p className="jp-trackside-hint">{trans.__('%1 more; search for them.', names.length - MOST)}</p>
      )}
      <button className="jp-trackside-link" onClick={() => model.setColumns(null)}>
        {trans.__('As the runs suggest')}
      </button>
      <button className="jp-trackside-link" onClick={onClose}>
        {trans.__('Done')}
      </button>
    </div>
  );
}
