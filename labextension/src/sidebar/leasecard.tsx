/** One leased machine in the sidebar. */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import { baseName, describePrice, formatDevice, formatDuration, formatMoment } from '../text/format';
import { costSoFar } from '../text/cost';
import { CommandIDs } from '../trackside';
import type { Lease, LeaseState, Sample } from '../wire/protocol';
import { Load } from './load';

export interface LeaseCardProps {
  lease: Lease;
  now: number;
  samples: readonly Sample[];
  /** Whether the notebook in front runs its cells there. */
  here: boolean;
  canAttach: boolean;
  /** Whether this user may attach and release. */
  allowed: boolean;
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

/** What is to be said of the line; `null` while all is well. */
function linkLine({ lease, now, trans }: LeaseCardProps): string | null {
  const { link } = lease;
  if (lease.state !== 'ready' || !link) {
    return null;
  }
  const since = link.since === null ? '' : formatMoment(link.since, now);
  switch (link.state) {
    case 'down':
      return [trans.__('No line to it since %1; it is tried again by itself.', since), link.detail].join(' ');
    case 'new':
      return trans.__('The line to it is being made.');
    case 'none':
      return trans.__('Nobody holds the line to it; what it does there goes on.');
    case 'elsewhere':
      return trans.__('It is held from %1.', link.detail);
    case 'up':
      return link.holder === 'server'
        ? trans.__('No notebook is attached; what it says is brought home.')
        : null;
  }
}

export function LeaseCard(props: LeaseCardProps): React.JSX.Element {
  const { lease, now, here, trans } = props;
  const device = formatDevice(lease.device, lease.gpus.length);
  const where = [lease.machine || lease.target, lease.notebook ? baseName(lease.notebook) : null];
  const dated = lease.price_as_of ? trans.__('price as of %1', lease.price_as_of) : '';
  const cost = costSoFar(lease, now);
  const line = linkLine(props);
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
      <div className="jp-trackside-leaseLine" title={lease.detail}>
        {stateLabel(lease.state, trans)} ·{' '}
        <span className="jp-trackside-runTime">
          {formatDuration((lease.released ?? now) - lease.created)}
        </span>{' '}
        · <span title={dated}>{describePrice(lease, trans)}</span>
        {cost && (
          <>
            {' '}
            · <span data-cost>{trans.__('%1 so far', cost)}</span>
          </>
        )}
      </div>
      {line && (
        <div className="jp-trackside-leaseWhy" data-link={lease.link?.state} role="status">
          {line}
        </div>
      )}
      {lease.state === 'ready' && <Load samples={props.samples} gpus={lease.gpus} {...{ now, trans }} />}
      {lease.state !== 'released' && lease.detail && (
        <div className="jp-trackside-leaseWhy">{lease.detail}</div>
      )}
      <Actions {...props} />
    </li>
  );
}

function Actions({ lease, here, allowed, canAttach, commands, trans }: LeaseCardProps): React.JSX.Element {
  const act = (command: string, argument: string) => () =>
    void commands.execute(command, { lease: argument });
  return (
    <div className="jp-trackside-leaseFoot">
      {allowed && canAttach && !here && lease.state === 'ready' && (
        <button className="jp-mod-styled jp-trackside-small" onClick={act(CommandIDs.attach, lease.name)}>
          {trans.__('Attach')}
        </button>
      )}
      <button
        className="jp-mod-styled jp-trackside-small"
        aria-label={trans.__('Log of %1', lease.name)}
        onClick={act(CommandIDs.openLog, lease.id)}
      >
        {trans.__('Log')}
      </button>
      {allowed && lease.state !== 'lost' && (
        <button
          className="jp-mod-styled jp-mod-warn jp-trackside-small"
          onClick={act(CommandIDs.release, lease.id)}
        >
          {trans.__('Release')}
        </button>
      )}
    </div>
  );
}
