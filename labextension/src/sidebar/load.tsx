/** How busy a leased machine is: a bar and the last three minutes of each device, and when that was measured. */
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { formatGib } from '../text/format';
import type { Gpu, Sample } from '../wire/protocol';

/** A sample older than this is not what is now. */
const OLD_S = 10;
const SPAN_S = 180;
const [WIDTH, HEIGHT] = [72, 14];

export interface LoadProps {
  samples: readonly Sample[];
  gpus: readonly Gpu[];
  now: number;
  trans: TranslationBundle;
}

export function Load({ samples, gpus, now, trans }: LoadProps): React.JSX.Element | null {
  const last = samples.at(-1);
  if (!last) {
    return null;
  }
  const old = now - last.time > OLD_S;
  const at = new Date(last.time * 1000).toLocaleTimeString([], { hour12: false });
  return (
    <div className="jp-trackside-load" data-old={old} data-samples={samples.length}>
      {gpus.map(gpu => (
        <Device
          key={gpu.uuid}
          name={trans.__('GPU %1', gpu.index)}
          history={samples.map(sample => [sample.time, loadOf(sample, gpu)?.use_percent ?? null])}
          used={loadOf(last, gpu)?.memory_gib ?? null}
          total={loadOf(last, gpu)?.memory_total_gib ?? null}
          {...{ now, trans }}
        />
      ))}
      <Device
        name={trans.__('CPU')}
        history={samples.map(sample => [sample.time, sample.cpu_percent])}
        used={last.memory_gib}
        total={last.memory_total_gib}
        {...{ now, trans }}
      />
      {last.problem && <div className="jp-trackside-problem">{last.problem}</div>}
      <div className="jp-trackside-leaseLine" data-measured>
        {old ? trans.__('last measured at %1', at) : trans.__('measured at %1', at)}
      </div>
    </div>
  );
}

function loadOf(sample: Sample, gpu: Gpu): Sample['gpus'][number] | undefined {
  return sample.gpus.find(each => each.uuid === gpu.uuid);
}

interface DeviceProps {
  name: string;
  /** Time in seconds, and use in percent. */
  history: [number, number | null][];
  used: number | null;
  total: number | null;
  now: number;
  trans: TranslationBundle;
}

function Device({ name, history, used, total, now, trans }: DeviceProps): React.JSX.Element {
  const use = history.at(-1)?.[1] ?? null;
  const memory = used !== null && total ? trans.__('%1 / %2 GiB', formatGib(used), formatGib(total)) : null;
  return (
    <div className="jp-trackside-device">
      <span className="jp-trackside-deviceName">{name}</span>
      <svg
        className="jp-trackside-spark"
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        aria-hidden="true"
      >
        <polyline points={pointsOf(history, now)} />
      </svg>
      <span
        className="jp-trackside-use"
        {...(use === null
          ? {}
          : {
              role: 'meter',
              'aria-label': trans.__('%1 utilisation', name),
              'aria-valuemin': 0,
              'aria-valuemax': 100,
              'aria-valuenow': Math.round(use)
            })}
      >
        {use === null ? '–' : `${Math.round(use)} %`}
      </span>
      {memory !== null && total && (
        <span
          className="jp-trackside-memory"
          role="meter"
          aria-label={trans.__('%1 memory', name)}
          aria-valuemin={0}
          aria-valuemax={total}
          aria-valuenow={used ?? 0}
          aria-valuetext={memory}
        >
          <span
            className="jp-trackside-memoryBar"
            style={{ width: `${Math.min(100, (100 * (used ?? 0)) / total)}%` }}
          />
          <span className="jp-trackside-memoryText">{memory}</span>
        </span>
      )}
    </div>
  );
}

/** A line over the last three minutes; what nobody could tell is left out. */
function pointsOf(history: readonly [number, number | null][], now: number): string {
  return history
    .filter(([time, use]) => use !== null && now - time <= SPAN_S)
    .map(([time, use]) => {
      const x = WIDTH * (1 - Math.max(0, now - time) / SPAN_S);
      const y = 1 + (HEIGHT - 2) * (1 - Math.min(100, use ?? 0) / 100);
      return `${x.toFixed(1)},${y.toFixed(1)}`;
    })
    .join(' ');
}
