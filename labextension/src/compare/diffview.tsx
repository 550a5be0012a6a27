/** A difference between two texts. Added and removed are told by sign and element, not by colour alone. */
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { around, diffLines, pairs, type DiffLine, type Skipped } from '../text/diff';

/** Lines around a change that are shown with it. */
const CONTEXT = 3;

/** Characters of a text that are looked at; nobody reads more, and the page stays quick. */
export const LONGEST = 400_000;

export interface DiffViewProps {
  before: string;
  after: string;
  split: boolean;
  label: string;
  trans: TranslationBundle;
}

const SIGNS = { same: ' ', added: '+', removed: '−' } as const;

function Text({ line }: { line: DiffLine }): React.JSX.Element {
  switch (line.kind) {
    case 'added':
      return <ins>{line.text}</ins>;
    case 'removed':
      return <del>{line.text}</del>;
    case 'same':
      return <>{line.text}</>;
  }
}

export function DiffView({ before, after, split, label, trans }: DiffViewProps): React.JSX.Element {
  const lines = React.useMemo(
    () => around(diffLines(before.split('\n'), after.split('\n')), CONTEXT),
    [before, after]
  );
  if (Math.max(before.length, after.length) > LONGEST) {
    return <p className="jp-trackside-hint">{trans.__('Too long to compare here.')}</p>;
  }
  if (before === after) {
    return <p className="jp-trackside-hint">{trans.__('The same source.')}</p>;
  }
  return (
    <div className="jp-trackside-diff" tabIndex={0} role="region" aria-label={label}>
      <table data-split={split || undefined}>
        <tbody>
          {split ? <Split lines={lines} trans={trans} /> : <Unified lines={lines} trans={trans} />}
        </tbody>
      </table>
    </div>
  );
}

interface LinesProps {
  lines: readonly (DiffLine | Skipped)[];
  trans: TranslationBundle;
}

function Gap({
  count,
  columns,
  trans
}: {
  count: number;
  columns: number;
  trans: TranslationBundle;
}): React.JSX.Element {
  return (
    <tr className="jp-trackside-diffGap">
      <td colSpan={columns}>{trans._n('%1 line the same', '%1 lines the same', count)}</td>
    </tr>
  );
}

function Unified({ lines, trans }: LinesProps): React.JSX.Element {
  return (
    <>
      {lines.map((line, index) =>
        line.kind === 'skipped' ? (
          <Gap key={index} count={line.count} columns={4} trans={trans} />
        ) : (
          <tr key={index} data-kind={line.kind}>
            <td className="jp-trackside-diffNumber">{line.before}</td>
            <td className="jp-trackside-diffNumber">{line.after}</td>
            <td className="jp-trackside-diffSign">{SIGNS[line.kind]}</td>
            <td className="jp-trackside-diffText">
              <Text line={line} />
            </td>
          </tr>
        )
      )}
    </>
  );
}

function Split({ lines, trans }: LinesProps): React.JSX.Element {
  const side = (line: DiffLine | null, number: number | null | undefined): React.JSX.Element => (
    <>
      <td className="jp-trackside-diffNumber">{number}</td>
      <td className="jp-trackside-diffSign" data-kind={line?.kind}>
        {line ? SIGNS[line.kind] : ''}
      </td>
      <td className="jp-trackside-diffText" data-kind={line?.kind ?? 'none'}>
        {line && <Text line={line} />}
      </td>
    </>
  );
  return (
    <>
      {pairs(lines).map((pair, index) =>
        pair.kind === 'skipped' ? (
          <Gap key={index} count={pair.count} columns={6} trans={trans} />
        ) : (
          <tr key={index}>
            {side(pair.left, pair.left?.before)}
            {side(pair.right, pair.right?.after)}
          </tr>
        )
      )}
    </>
  );
}

/** A unified diff that somebody else made, such as git: its lines as they are, told apart by their sign. */
export function UnifiedText({ text, label }: { text: string; label: string }): React.JSX.Element {
  const kind = (line: string): string | undefined =>
    /^(\+\+\+|---) /.test(line)
      ? undefined
      : line.startsWith('+')
        ? 'added'
        : line.startsWith('-')
          ? 'removed'
          : undefined;
  return (
    <pre className="jp-trackside-diff" tabIndex={0} role="region" aria-label={label}>
      {text
        .slice(0, LONGEST)
        .replace(/\n$/, '')
        .split('\n')
        .map((line, index) => (
          <span key={index} data-kind={kind(line)}>
            {line + '\n'}
          </span>
        ))}
    </pre>
  );
}
