/** The status bar's word on where the current notebook's cells run: `A100 · 0:12`. */
import { ReactWidget } from '@jupyterlab/ui-components';
import { Signal, type ISignal } from '@lumino/signaling';
import * as React from 'react';

import { useNow, useUpdatesOf } from '../hooks';
import { trackIcon } from '../icons';
import { Clock } from '../model/clock';
import type { CurrentKernel } from '../model/currentkernel';
import { formatLease } from '../text/format';
import type { Trackside } from '../trackside';
import type { Lease } from '../wire/protocol';

export interface KernelStatusOptions {
  trackside: Trackside;
  kernel: CurrentKernel;
  onClick: () => void;
}

/** Active only for a kernel that runs on a lease; an ordinary kernel shows nothing. */
export class KernelStatus extends ReactWidget {
  constructor(private readonly options: KernelStatusOptions) {
    super();
    this.addClass('jp-trackside-kernelStatus');
    options.trackside.leases.changed.connect(this.look, this);
    options.kernel.changed.connect(this.look, this);
    this.look();
  }

  get lease(): Lease | null {
    const { kernel, trackside } = this.options;
    return kernel.id === null ? null : (trackside.leases.ofKernel(kernel.id) ?? null);
  }

  get isActive(): boolean {
    return this.active;
  }

  get activeChanged(): ISignal<this, void> {
    return this._activeChanged;
  }

  readonly clock = new Clock();

  protected override render(): React.JSX.Element {
    return <Item status={this} {...this.options} />;
  }

  private look(): void {
    const active = this.lease !== null;
    if (active) {
      this.clock.start();
    } else {
      this.clock.stop();
    }
    if (active !== this.active) {
      this.active = active;
      this._activeChanged.emit();
    }
  }

  private active = false;
  private readonly _activeChanged = new Signal<this, void>(this);
}

function Item(props: KernelStatusOptions & { status: KernelStatus }): React.JSX.Element | null {
  const { trackside, kernel, status, onClick } = props;
  useUpdatesOf(trackside.leases.changed, kernel.changed);
  const lease = status.lease;
  const now = useNow(status.clock, lease !== null);
  if (!lease) {
    return null;
  }
  return (
    <button
      className="jp-trackside-kernelItem"
      title={trackside.trans.__('This notebook runs on %1 (%2)', lease.machine || lease.target, lease.name)}
      onClick={onClick}
    >
      <trackIcon.react tag="span" width="14px" height="14px" aria-hidden="true" />
      {formatLease(lease, now)}
    </button>
  );
}
