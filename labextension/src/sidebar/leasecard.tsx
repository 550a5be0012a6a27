/** One leased machine in the sidebar. */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import { baseName, formatDevice, formatDuration, formatPrice } from '../text/format';
import { CommandIDs } from '../trackside';
import type { Lease, LeaseState } from '../wire/protocol';

export interface LeaseCardProps {
  lease: Lease;
  now: number;
  /** Whether the notebook in front runs its cells there. */
  here: boolean;
  canAttach: boolean;
  commands: CommandRegistry;
  trans: TranslationBundle;
}

function stateLabel(state: LeaseState, trans: TranslationBundle): string {
  switch (state) {
    case 'planned':
      return trans.__('planned');
    case 'starting':
      return trans.__('starting');
    case 'ready':
      return trans.__('ready');
    case 'lost':
      return trans.__('lost');
    case 'released':
      return trans.__('released');
  }
}

export function LeaseCard(props: LeaseCardProps): React.JSX.Element {
  const { lease, now, here, commands, trans } = props;
  const price = formatPrice(lease.usd_per_hour) ?? trans.__('no price known');
  const device = formatDevice(lease.device, lease.gpus.length);
  const where = [lease.machine || lease.target, lease.notebook ? baseName(lease.notebook) : null];
  return (
    <li className="jp-trackside-lease" data-lease-id={lease.id} data-state={lease.state}>
      <div className="jp-trackside-leaseHead">
        <span className="jp-trackside-leaseDot" data-state={lease.state} aria-hidden="true" />
        <span className="jp-trackside-leaseDevice">{device}</span>
        {lease.name.toLowerCase() !== device.toLowerCase() && (
          <span className="jp-trackside-leaseName" title={lease.id}>
            {lease.name}
          </span>
        )}
        {here && <span className="jp-trackside-badge">{trans.__('this notebook')}</span>}
      </div>
      <div className="jp-trackside-leaseLine" title={lease.notebook ?? ''}>
        {where.filter(Boolean).join(' · ')}
      </div>
      <div className="jp-trackside-leaseFoot">
        <span className="jp-trackside-leaseLine" title={lease.detail}>
          {stateLabel(lease.state, trans)} ·{' '}
          <span className="jp-trackside-runTime">{formatDuration(now - lease.created)}</span> ·{' '}
          <span title={lease.price_as_of ? trans.__('as of %1', lease.price_as_of) : ''}>{price}</span>
        </span>
        {props.canAttach && !here && lease.state === 'ready' && (
          <button
            className="jp-mod-styled jp-trackside-small"
            onClick={() => void commands.execute(CommandIDs.attach, { lease: lease.name })}
          >
            {trans.__('Attach')}
          </button>
        )}
        {lease.state !== 'lost' && (
          <button
            className="jp-mod-styled jp-mod-warn jp-trackside-small"
            onClick={() => void commands.execute(CommandIDs.release, { lease: lease.id })}
          >
            {trans.__('Release')}
          </button>
        )}
      </div>
      {lease.state !== 'released' && lease.detail && (
        <div className="jp-trackside-leaseWhy">{lease.detail}</div>
      )}
    </li>
  );
}
