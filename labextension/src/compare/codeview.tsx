/** The code behind the compared runs: what differs in the cell's source, in packages, in the repository. All as text. */
import { HTMLSelect, ReactWidget } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { IDisposable } from '@lumino/disposable';
import type { Message } from '@lumino/messaging';
import * as React from 'react';

import { useUpdatesOf } from '../hooks';
import { Swatch } from '../sidebar/swatch';
import { changeOf, gitOf, packagesOf, sourceOf } from '../text/facts';
import { formatValue } from '../text/format';
import type { Trackside } from '../trackside';
import type { Run } from '../wire/protocol';
import type { CompareModel } from './comparemodel';
import { tableRows } from './differences';
import { DiffView, LONGEST, UnifiedText } from './diffview';
import { onScreen } from './onscreen';
import type { RunLabels } from './runlabels';
import { StateBook } from './statebook';

export interface CodeViewOptions {
  trackside: Trackside;
  model: CompareModel;
  labels: RunLabels;
  /** What scrolls. */
  root: HTMLElement;
}

/** Reads facts only once it has come on screen. */
export class CodeView extends ReactWidget {
  constructor(private readonly options: CodeViewOptions) {
    super();
    this.addClass('jp-trackside-code');
    this.facts = new StateBook(id => options.trackside.api.run(id));
    options.model.changed.connect(this.read, this);
    options.trackside.runs.changed.connect(this.read, this);
  }

  override dispose(): void {
    this.seen?.dispose();
    this.options.model.changed.disconnect(this.read, this);
    this.options.trackside.runs.changed.disconnect(this.read, this);
    this.facts.dispose();
    super.dispose();
  }

  protected override onAfterAttach(msg: Message): void {
    super.onAfterAttach(msg);
    this.seen ??= onScreen(this.node, this.options.root, inView => {
      this.inView = inView;
      this.read();
    });
  }

  protected override render(): React.JSX.Element {
    return <Code {...this.options} facts={this.facts} />;
  }

  private read(): void {
    if (this.inView) {
      const { model, trackside } = this.options;
      this.facts.ensure(model.state.runs.map(id => ({ id, status: trackside.runs.get(id)?.status })));
    }
  }

  private readonly facts: StateBook<Run>;
  private seen: IDisposable | null = null;
  private inView = false;
}

type CodeProps = CodeViewOptions & { facts: StateBook<Run> };

function Code({ trackside, model, labels, facts }: CodeProps): React.JSX.Element {
  const { trans } = trackside;
  useUpdatesOf(facts.changed, model.changed, trackside.colours.changed);
  const { runs: ids, split } = model.state;
  const answers = ids.map(id => facts.get(id));
  const runs = answers.filter((answer): answer is Run => typeof answer === 'object');
  const baseline = runs.find(run => run.id === model.state.baseline) ?? runs[0];
  if (!baseline) {
    const problem = answers.find(answer => typeof answer === 'string');
    return <p className="jp-trackside-hint">{problem ?? (ids.length > 0 ? trans.__('Reading…') : '')}</p>;
  }
  const others = runs.filter(run => run !== baseline);
  const shared = { trackside, baseline, runs, labels, trans };
  return (
    <>
      {others.length > 0 && <Controls {...{ model, runs, baseline, split, labels, trans }} />}
      {others.length === 0 && <Alone run={baseline} trans={trans} />}
      {others.map(run => (
        <SourceDiff key={run.id} {...{ run, split }} {...shared} />
      ))}
      <Packages {...shared} />
      <Repository {...shared} />
    </>
  );
}

interface ControlsProps {
  model: CompareModel;
  runs: readonly Run[];
  baseline: Run;
  split: boolean;
  labels: RunLabels;
  trans: TranslationBundle;
}

function Controls({ model, runs, baseline, split, labels, trans }: ControlsProps): React.JSX.Element {
  return (
    <div className="jp-trackside-codeControls">
      <label>
        <span>{trans.__('Baseline')}</span>
        <HTMLSelect
          className="jp-trackside-select"
          value={baseline.id}
          aria-label={trans.__('Baseline')}
          onChange={event => model.update({ baseline: event.currentTarget.value })}
        >
          {runs.map(run => (
            <option key={run.id} value={run.id}>
              {labels.of(run.id)}
            </option>
          ))}
        </HTMLSelect>
      </label>
      <label className="jp-trackside-toggle">
        <input
          type="checkbox"
          checked={split}
          onChange={event => model.update({ split: event.currentTarget.checked })}
        />
        {trans.__('Side by side')}
      </label>
    </div>
  );
}

interface SharedProps {
  trackside: Trackside;
  baseline: Run;
  runs: readonly Run[];
  labels: RunLabels;
  trans: TranslationBundle;
}

function RunName({
  run,
  trackside,
  labels
}: {
  run: Run;
  trackside: Trackside;
  labels: RunLabels;
}): React.JSX.Element {
  return (
    <span className="jp-trackside-runKey" title={labels.of(run.id)}>
      <Swatch style={trackside.colours.styleOf(run.id)} /> {labels.of(run.id)}
    </span>
  );
}

function SourceDiff(props: SharedProps & { run: Run; split: boolean }): React.JSX.Element {
  const { run, baseline, split, trackside, labels, trans } = props;
  const [before, after] = [sourceOf(baseline), sourceOf(run)];
  const missing = [baseline, run].filter(one => sourceOf(one) === null).map(one => labels.of(one.id));
  return (
    <section className="jp-trackside-codePart" data-source-diff={run.id}>
      <h4>
        <RunName run={baseline} {...{ trackside, labels }} /> → <RunName {...{ run, trackside, labels }} />
      </h4>
      {before !== null && after !== null ? (
        <DiffView
          {...{ before, after, split, trans }}
          label={trans.__('Source: %1 → %2', labels.of(baseline.id), labels.of(run.id))}
        />
      ) : (
        <p className="jp-trackside-hint">{trans.__('No source was recorded of %1.', missing.join(', '))}</p>
      )}
    </section>
  );
}

/** A run by itself is compared with the one before it of the same cell. */
function Alone({ run, trans }: { run: Run; trans: TranslationBundle }): React.JSX.Element | null {
  const change = changeOf(run);
  if (change === null) {
    return null;
  }
  return (
    <section className="jp-trackside-codePart">
      <h4>{trans.__('Since the cell ran before')}</h4>
      {change.diff === '' ? (
        <p className="jp-trackside-hint">{trans.__('The same source.')}</p>
      ) : (
        <UnifiedText text={change.diff} label={trans.__('Source since %1', change.run)} />
      )}
    </section>
  );
}

function Packages({ runs, trackside, labels, trans }: SharedProps): React.JSX.Element {
  const rows = tableRows(runs.map(packagesOf));
  const differing = rows.filter(row => row.differs);
  return (
    <section className="jp-trackside-codePart" data-code="packages">
      <h4>{trans.__('Packages')}</h4>
      {differing.length === 0 ? (
        <p className="jp-trackside-hint">
          {rows.length === 0
            ? trans.__('No packages were recorded.')
            : trans._n('%1 package, no differences.', '%1 packages, no differences.', rows.length)}
        </p>
      ) : (
        <div
          className="jp-trackside-tableScroll"
          tabIndex={0}
          role="region"
          aria-label={trans.__('Packages that differ')}
        >
          <table>
            <thead>
              <tr>
                <th scope="col">{trans.__('%1 of %2 differ', differing.length, rows.length)}</th>
                {runs.map(run => (
                  <th key={run.id} scope="col">
                    <RunName {...{ run, trackside, labels }} />
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {differing.map(row => (
                <tr key={row.key} data-key={row.key}>
                  <th scope="row">{row.key}</th>
                  {row.values.map((version, index) => (
                    <td key={index}>{version === undefined ? '–' : formatValue(version)}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function Repository({ runs, trackside, labels, trans }: SharedProps): React.JSX.Element {
  return (
    <section className="jp-trackside-codePart" data-code="git">
      <h4>{trans.__('Repository')}</h4>
      {runs.map(run => {
        const git = gitOf(run);
        return (
          <div key={run.id} className="jp-trackside-git" data-run-id={run.id}>
            <RunName {...{ run, trackside, labels }} />
            {git === null ? (
              <span>{trans.__('no repository')}</span>
            ) : (
              <>
                <code title={git.commit ?? ''}>{git.commit?.slice(0, 10) ?? trans.__('no commit yet')}</code>
                {git.branch && <span>{git.branch}</span>}
                {git.dirty === true && <span className="jp-trackside-badge">{trans.__('with changes')}</span>}
                {git.diff && (
                  <details className="jp-trackside-source">
                    <summary>
                      {trans.__('Changes that were not committed')}
                      {(git.cut || git.diff.length > LONGEST) && ` (${trans.__('only the beginning')})`}
                    </summary>
                    <UnifiedText text={git.diff} label={trans.__('Changes of %1', labels.of(run.id))} />
                  </details>
                )}
              </>
            )}
          </div>
        );
      })}
    </section>
  );
}
