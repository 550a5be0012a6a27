/** Above the table: the filter, how it is grouped, its columns and views; and what can be done with the chosen runs. */
import { HTMLSelect } from '@jupyterlab/ui-components';
import * as React from 'react';

import { fieldNames } from '../filter/complete';
import { FilterBox } from '../filter/filterbox';
import { suspects } from '../filter/runfilter';
import { openMenu } from '../menu';
import type { Trackside } from '../trackside';
import { inWords } from '../text/looks';
import { ColumnPicker } from './columnpicker';
import { editActions } from './runedits';
import type { TableModel } from './tablemodel';
import { openViews } from './viewsmenu';

interface TableBarProps {
  trackside: Trackside;
  model: TableModel;
  compare: (ids: readonly string[]) => void;
}

export function TableBar(props: TableBarProps): React.JSX.Element {
  const { trackside, model } = props;
  const { runs, trans, views } = trackside;
  const [picking, setPicking] = React.useState(false);
  const view = model.state.view === null ? undefined : views.get(model.state.view);
  return (
    <div className="jp-trackside-tableBar">
      <FilterBox
        filter={model.filter}
        runs={runs.list}
        suspects={suspects(runs.list, model.arrangement.runs, model.filter.expression)}
        onChange={filter => model.update({ filter })}
        trans={trans}
      />
      <GroupBy {...props} />
      <label className="jp-trackside-check">
        <input
          type="checkbox"
          checked={model.state.archived}
          onChange={event => model.update({ archived: event.currentTarget.checked })}
        />
        {trans.__('Archived')}
      </label>
      <span className="jp-trackside-pickerPlace">
        <button
          className="jp-mod-styled jp-trackside-small"
          aria-haspopup="dialog"
          aria-expanded={picking}
          onClick={() => setPicking(!picking)}
        >
          {trans.__('Columns')}
        </button>
        {picking && (
          <ColumnPicker model={model} runs={runs.list} onClose={() => setPicking(false)} trans={trans} />
        )}
      </span>
      <button
        className="jp-mod-styled jp-trackside-small"
        aria-haspopup="menu"
        onClick={event => void openViews(trackside, model, event.currentTarget)}
      >
        {view ? trans.__('View: %1', inWords(view.name)) : trans.__('Views')}
      </button>
      <Chosen {...props} />
    </div>
  );
}

/** Fields by which runs are usually grouped, then all others. */
const USUAL = ['project', 'group', 'status', 'tags', 'host', 'notebook'];

function GroupBy({ trackside, model }: TableBarProps): React.JSX.Element {
  const { trans, runs } = trackside;
  const { groupBy } = model.state;
  // The names of ten thousand runs are gathered when somebody is about to choose one, not with every push.
  const [names, setNames] = React.useState<readonly string[]>([]);
  const choices = [...new Set([...USUAL, ...(groupBy === null ? [] : [groupBy]), ...names])];
  const gather = (): void => setNames(fieldNames(runs.list).filter(name => /^(config|summary)\./.test(name)));
  return (
    <HTMLSelect
      className="jp-trackside-select"
      value={groupBy ?? ''}
      aria-label={trans.__('Group runs by')}
      onFocus={gather}
      onMouseEnter={gather}
      onChange={event => model.update({ groupBy: event.currentTarget.value || null, folded: [] })}
    >
      <option value="">{trans.__('No groups')}</option>
      {choices.map(name => (
        <option key={name} value={name}>
          {trans.__('By %1', name)}
        </option>
      ))}
    </HTMLSelect>
  );
}

/** How many runs are shown and chosen, and what can be done with these. */
function Chosen({ trackside, model, compare }: TableBarProps): React.JSX.Element {
  const { trans, runs, selection, editor } = trackside;
  const count = selection.size;
  const shown = model.arrangement.runs.length;
  return (
    <span className="jp-trackside-chosen">
      <span className="jp-trackside-count" aria-live="polite">
        {shown === runs.list.length
          ? trans._n('%1 run', '%1 runs', shown)
          : trans.__('%1 of %2 runs', shown, runs.list.length)}
        {count > 0 ? ` · ${trans.__('%1 selected', count)}` : ''}
      </span>
      {editor.allowed && (
        <button
          className="jp-mod-styled jp-trackside-small"
          aria-haspopup="menu"
          disabled={count === 0}
          onClick={event => {
            const { left, bottom } = event.currentTarget.getBoundingClientRect();
            const focusAfter = event.currentTarget;
            openMenu(editActions(selection.ids, trackside), { x: left, y: bottom, focusAfter });
          }}
        >
          {trans.__('Edit')}
        </button>
      )}
      <button
        className="jp-mod-styled jp-mod-accept jp-trackside-small"
        disabled={count === 0}
        onClick={() => compare(selection.ids)}
      >
        {trans.__('Compare')}
      </button>
    </span>
  );
}
