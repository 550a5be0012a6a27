/** The sidebar's list of machines: what is leased, and what could be. */
import { ReactWidget } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import type { IDisposable } from '@lumino/disposable';
import * as React from 'react';

import { useNow, useUpdatesOf } from '../hooks';
import { Attention } from '../model/attention';
import type { Clock } from '../model/clock';
import type { CurrentKernel } from '../model/currentkernel';
import type { Trackside } from '../trackside';
import { LeaseCard } from './leasecard';
import { OfferList } from './offerlist';

export interface GpusSectionProps {
  trackside: Trackside;
  commands: CommandRegistry;
  clock: Clock;
  kernel: CurrentKernel | null;
}

/** Has the machines measured only while it can be seen: also not while it is folded up. */
export class GpusSection extends ReactWidget {
  constructor(private readonly props: GpusSectionProps) {
    super();
    const { feed, pulses } = props.trackside;
    this.addClass('jp-trackside-gpus');
    let looking: IDisposable | null = null;
    new Attention(this, {
      feed,
      wake: () => (looking ??= pulses.look()),
      rest: () => {
        looking?.dispose();
        looking = null;
      }
    });
  }

  protected override render(): React.JSX.Element {
    return <Gpus {...this.props} />;
  }
}

function Gpus({ trackside, commands, clock, kernel }: GpusSectionProps): React.JSX.Element {
  const { editor, feed, leases, pulses, trans } = trackside;
  useUpdatesOf(leases.changed, pulses.changed, editor.changed, kernel ? kernel.changed : leases.changed);
  const now = useNow(clock, leases.live.length > 0);
  const stale = leases.live.length > 0 && feed.state === 'waiting' ? feed.problem : null;
  return (
    <>
      {leases.problem !== null && <p className="jp-trackside-problem">{leases.problem}</p>}
      {stale !== null && (
        <p className="jp-trackside-problem" role="status" data-stale>
          {trans.__('Shown as it was last known.')} {stale}
        </p>
      )}
      {leases.live.length === 0 ? (
        <p className="jp-trackside-hint">
          {trans.__('Cells run on this machine. Another one:')} <code>%gpu_provision a100</code>
        </p>
      ) : (
        <ul className="jp-trackside-leases" aria-label={trans.__('Leased machines')}>
          {leases.live.map(lease => (
            <LeaseCard
              key={lease.id}
              lease={lease}
              now={now}
              samples={pulses.of(lease.id)}
              here={lease.kernel_id !== null && lease.kernel_id === kernel?.id}
              canAttach={!!kernel?.notebook}
              allowed={editor.allowed}
              commands={commands}
              trans={trans}
            />
          ))}
        </ul>
      )}
      <OfferList
        trackside={trackside}
        commands={commands}
        allowed={editor.allowed}
        canProvision={!!kernel?.notebook}
      />
    </>
  );
}
