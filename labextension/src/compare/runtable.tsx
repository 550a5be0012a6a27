/** Config and results of the compared runs as one table, differences marked. */
import { ReactWidget } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { useNow, useUpdatesOf } from '../hooks';
import type { Clock } from '../model/clock';
import { Swatch } from '../sidebar/swatch';
import { statusLabel } from '../sidebar/status';
import { costOf, formatCost, priceSource, withoutCost } from '../text/cost';
import { repeatedMetrics } from '../text/metrics';
import { baseName, formatDuration, formatMoment, formatValue, runSeconds } from '../text/format';
import type { Trackside } from '../trackside';
import type { JsonObject, MetricSummary, Run } from '../wire/protocol';
import type { ByRun } from './byrun';
import type { CompareModel } from './comparemodel';
import { tableRows, type TableRow } from './differences';
import { ResultGroup } from './resultgroup';
import { resultRows } from './results';
import type { RunLabels } from './runlabels';

export interface RunTableProps {
  trackside: Trackside;
  model: CompareModel;
  summaries: ByRun<MetricSummary[]>;
  labels: RunLabels;
  clock: Clock;
}

export class RunTable extends ReactWidget {
  constructor(private readonly props: RunTableProps) {
    super();
    this.addClass('jp-trackside-table');
  }

  protected override render(): React.JSX.Element {
    return <Table {...this.props} />;
  }
}

/** What a run is, apart from what it was configured with and what came out. */
function aboutRun(run: Run, now: number, trans: TranslationBundle): JsonObject {
  const cost = costOf(run, now);
  const about: JsonObject = {
    [trans.__('state')]: statusLabel(run.status, trans) + (run.status_detail ? `: ${run.status_detail}` : ''),
    [trans.__('started')]: formatMoment(run.created, now),
    [trans.__('duration')]: lasts(run) ? formatDuration(runSeconds(run, now)) : '',
    [trans.__('cost')]: cost !== null ? formatCost(cost) : withoutCost(run, trans),
    [trans.__('price')]: priceSource(run),
    [trans.__('project')]: run.project,
    [trans.__('group')]: run.group ?? '',
    [trans.__('tags')]: run.tags.join(', '),
    [trans.__('notebook')]: baseName(formatValue(run.facts['notebook'])),
    [trans.__('machine')]: formatValue(run.facts['host'])
  };
  return about;
}

const NONE: ReadonlySet<string> = new Set();

/** Whether anybody knows how long it took, or takes. */
const lasts = (run: Run): boolean => run.finished !== null || run.status === 'running';

/** What people put into a summary themselves: last values of metrics have rows of their own. */
function ownSummary(run: Run, summaries: readonly MetricSummary[] | undefined): JsonObject {
  const metrics = new Set(summaries?.map(({ name }) => name));
  return Object.fromEntries(Object.entries(run.summary).filter(([key]) => !metrics.has(key)));
}

function Table({ trackside, model, summaries, labels, clock }: RunTableProps): React.JSX.Element {
  const { runs, trans, colours, pointing } = trackside;
  useUpdatesOf(
    runs.changed,
    colours.changed,
    pointing.changed,
    model.changed,
    model.metricsRead,
    summaries.changed
  );
  const { onlyDifferences, baseline } = model.state;
  const shown = model.state.runs.flatMap(id => runs.get(id) ?? []);
  const now = useNow(
    clock,
    shown.some(run => run.status === 'running')
  );
  const repeated = model.state.inferred ? NONE : repeatedMetrics(model.metrics ?? []);
  const results = resultRows(
    shown.map(run =>
      summaries.get(run.id)?.filter(one => one.source !== 'inferred' || !repeated.has(one.name))
    ),
    shown.findIndex(run => run.id === baseline)
  );
  const own = shown.map(run => ownSummary(run, summaries.get(run.id)));
  const groups = [
    { name: trans.__('Configuration'), key: 'config', rows: tableRows(shown.map(run => run.config)) },
    { name: trans.__('Summary'), key: 'summary', rows: tableRows(own) },
    { name: trans.__('Run'), key: 'run', rows: tableRows(shown.map(run => aboutRun(run, now, trans))) }
  ].map(group => ({
    ...group,
    rows: group.rows.filter(row => row.values.some(value => value !== '' && value !== undefined))
  }));
  // What was done comes before what came of it.
  const [configured, ...others] = groups.map(group => (
    <Group
      key={group.key}
      name={group.name}
      id={group.key}
      rows={onlyDifferences ? group.rows.filter(row => row.differs) : group.rows}
      runs={shown}
      trans={trans}
      onlyDifferences={onlyDifferences}
    />
  ));
  return (
    <>
      <label className="jp-trackside-toggle">
        <input
          type="checkbox"
          checked={onlyDifferences}
          onChange={event => model.update({ onlyDifferences: event.currentTarget.checked })}
        />
        {trans.__('Only differences')}
      </label>
      <div
        className="jp-trackside-tableScroll"
        tabIndex={0}
        role="region"
        aria-label={trans.__('Runs side by side')}
      >
        <table>
          <Head {...{ trackside, labels, baseline }} runs={shown} />
          {configured}
          <ResultGroup
            rows={onlyDifferences ? results.filter(row => row.differs) : results}
            runs={shown}
            problem={summaries.problem}
            trans={trans}
          />
          {others}
        </table>
      </div>
    </>
  );
}

interface HeadProps {
  trackside: Trackside;
  labels: RunLabels;
  runs: readonly Run[];
  baseline: string | null;
}

function Head({ trackside, labels, runs, baseline }: HeadProps): React.JSX.Element {
  const { trans, colours, pointing } = trackside;
  return (
    <thead>
      <tr>
        <th scope="col" />
        {runs.map(run => (
          <th
            key={run.id}
            scope="col"
            title={run.name}
            className={pointing.run === run.id ? 'jp-mod-pointed' : undefined}
            onMouseEnter={() => pointing.at(run.id)}
            onMouseLeave={() => pointing.at(null)}
          >
            <Swatch style={colours.styleOf(run.id)} />
            <span>{labels.of(run.id)}</span>
            {run.id === baseline && <span className="jp-trackside-kind"> {trans.__('baseline')}</span>}
          </th>
        ))}
      </tr>
    </thead>
  );
}

interface GroupProps {
  name: string;
  id: string;
  rows: readonly TableRow[];
  runs: readonly Run[];
  onlyDifferences: boolean;
  trans: TranslationBundle;
}

function Group({ name, id, rows, runs, onlyDifferences, trans }: GroupProps): React.JSX.Element {
  const empty = onlyDifferences ? trans.__('no differences') : trans.__('nothing recorded');
  return (
    <tbody data-group={id}>
      <tr className="jp-trackside-tableGroup">
        <th scope="rowgroup" colSpan={runs.length + 1}>
          {name}
          {rows.length === 0 && <span> · {empty}</span>}
        </th>
      </tr>
      {rows.map(row => (
        <tr key={row.key} data-key={row.key} data-differs={row.differs || undefined}>
          <th scope="row" title={row.key}>
            {row.key}
          </th>
          {row.values.map((value, index) => {
            const text = formatValue(value);
            return (
              <td key={runs[index]?.id} title={text}>
                {value === undefined ? <span className="jp-trackside-absent">–</span> : text}
              </td>
            );
          })}
        </tr>
      ))}
    </tbody>
  );
}
