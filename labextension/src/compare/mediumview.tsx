/**
 * One image, table, histogram or page of a run. It comes from anywhere, so it is never trusted: pictures are `<img>`
 * (in which SVG runs no script), text is text, and a page has a frame of its own, without scripts and network.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { formatCount, formatNumber, formatValue } from '../text/format';
import type { Trackside } from '../trackside';
import { Persistent } from '../wire/persistent';
import type { Json, JsonObject, Medium, MediumContent } from '../wire/protocol';

const IMAGES = ['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/svg+xml'];
/** Rows of a table that are shown; more is for a program to read. */
const MOST_ROWS = 200;
const POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:";

export interface MediumViewProps {
  run: string;
  item: Medium;
  trackside: Trackside;
}

export function MediumView({ run, item, trackside }: MediumViewProps): React.JSX.Element {
  const [problem, setProblem] = React.useState<string | null>(null);
  // Under a slider, what was shown stays until the next is there: no flicker.
  const [shown, setShown] = React.useState<{ run: string; item: Medium; answer: MediumContent } | null>(null);
  React.useEffect(() => {
    let current = true;
    const reading = new Persistent(
      async () => {
        const answer = await trackside.api.medium(run, item.number);
        if (current) {
          setShown({ run, item, answer });
        }
      },
      said => current && setProblem(said)
    );
    reading.start();
    return () => {
      current = false;
      reading.stop();
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- an item of the same number is the same, its object is not
  }, [run, item.number, trackside]);
  const now = shown?.run === run ? shown : null;
  const caption = (now?.item ?? item).more['caption'];
  return (
    <figure
      className="jp-trackside-medium"
      data-type={item.type}
      aria-busy={problem === null && now?.item.number !== item.number}
    >
      {problem !== null && <p className="jp-trackside-problem">{problem}</p>}
      {problem === null && now && <Content item={now.item} answer={now.answer} trans={trackside.trans} />}
      {typeof caption === 'string' && caption !== '' && <figcaption>{caption}</figcaption>}
    </figure>
  );
}

interface ContentProps {
  item: Medium;
  answer: MediumContent;
  trans: TranslationBundle;
}

function Content({ item, answer, trans }: ContentProps): React.JSX.Element {
  const name = item.metric ?? '';
  const value = contentOf(answer);
  if (item.type === 'image' && answer.base64 !== null && IMAGES.includes(item.mime ?? '')) {
    const alt = trans.__('%1 at step %2', name, String(item.step ?? 0));
    return <img alt={alt} src={`data:${item.mime ?? ''};base64,${answer.base64}`} />;
  }
  if (item.type === 'table' && isObject(value)) {
    return <TableContent table={value} trans={trans} />;
  }
  if (item.type === 'histogram' && isObject(value)) {
    return <HistogramContent histogram={value} label={name} />;
  }
  if (item.type === 'html' && typeof value === 'string') {
    const page = `<meta http-equiv="Content-Security-Policy" content="${POLICY}">${value}`;
    return <iframe title={name} sandbox="" srcDoc={page} />;
  }
  return <p className="jp-trackside-hint">{trans.__('This cannot be shown here: %1', String(item.type))}</p>;
}

/** Long texts and objects are kept as bytes; they mean the same. */
function contentOf({ content, base64 }: MediumContent): Json {
  if (base64 === null) {
    return content;
  }
  const bytes = Uint8Array.from(atob(base64), letter => letter.charCodeAt(0));
  const text = new TextDecoder().decode(bytes);
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}

function isObject(value: Json): value is JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

const listOf = (value: Json | undefined): Json[] => (Array.isArray(value) ? value : []);

function TableContent({ table, trans }: { table: JsonObject; trans: TranslationBundle }): React.JSX.Element {
  const rows = listOf(table['data']);
  return (
    <>
      <table>
        <thead>
          <tr>
            {listOf(table['columns']).map((column, index) => (
              <th key={index} scope="col">
                {formatValue(column)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, MOST_ROWS).map((row, index) => (
            <tr key={index}>
              {listOf(row).map((cell, place) => (
                <td key={place}>{formatValue(cell)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > MOST_ROWS && (
        <p className="jp-trackside-hint">
          {trans.__('%1 of %2 rows', formatCount(MOST_ROWS), formatCount(rows.length))}
        </p>
      )}
    </>
  );
}

const [WIDTH, HEIGHT] = [220, 90];

/** Bars as wide as their bins; what lies outside of all bins is told beneath. */
function HistogramContent({ histogram, label }: { histogram: JsonObject; label: string }): React.JSX.Element {
  const numbers = (key: string): number[] => listOf(histogram[key]).map(Number);
  const [edges, counts] = [numbers('edges'), numbers('counts')];
  const [low, high] = [edges[0] ?? 0, edges[edges.length - 1] ?? 0];
  const most = Math.max(1, ...counts);
  const x = (edge: number): number => (high > low ? ((edge - low) / (high - low)) * WIDTH : 0);
  const odd = ['nan', 'posinf', 'neginf', 'below', 'above']
    .filter(key => Number(histogram[key] ?? 0) > 0)
    .map(key => `${formatCount(Number(histogram[key]))} × ${key}`);
  return (
    <>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width={WIDTH} height={HEIGHT} role="img" aria-label={label}>
        {counts.map((count, index) => {
          const [from, to] = [x(edges[index] ?? 0), high > low ? x(edges[index + 1] ?? 0) : WIDTH];
          const height = (count / most) * HEIGHT;
          return (
            <rect key={index} x={from} width={Math.max(0.5, to - from)} y={HEIGHT - height} height={height}>
              <title>{`${formatNumber(edges[index] ?? 0)} … ${formatNumber(edges[index + 1] ?? 0)}: ${formatCount(count)}`}</title>
            </rect>
          );
        })}
      </svg>
      <div className="jp-trackside-kind">
        {[edges.length > 0 ? `${formatNumber(low)} … ${formatNumber(high)}` : '', ...odd]
          .filter(Boolean)
          .join(', ')}
      </div>
    </>
  );
}
