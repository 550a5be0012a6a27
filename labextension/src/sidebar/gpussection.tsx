/** The sidebar's list of machines: what is leased, and what could be. */
import { ReactWidget, refreshIcon } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import { useNow, useUpdatesOf } from '../hooks';
import type { Clock } from '../model/clock';
import type { CurrentKernel } from '../model/currentkernel';
import { formatDevice, formatPrice } from '../text/format';
import { CommandIDs, type Trackside } from '../trackside';
import { describeError } from '../wire/errors';
import type { Offer, Offers } from '../wire/protocol';
import { LeaseCard } from './leasecard';

export interface GpusSectionProps {
  trackside: Trackside;
  commands: CommandRegistry;
  clock: Clock;
  kernel: CurrentKernel | null;
}

export class GpusSection extends ReactWidget {
  constructor(private readonly props: GpusSectionProps) {
    super();
    this.addClass('jp-trackside-gpus');
  }

  protected override render(): React.JSX.Element {
    return <Gpus {...this.props} />;
  }
}

function Gpus({ trackside, commands, clock, kernel }: GpusSectionProps): React.JSX.Element {
  const { leases, trans } = trackside;
  useUpdatesOf(leases.changed, kernel ? kernel.changed : leases.changed);
  const now = useNow(clock, leases.live.length > 0);
  return (
    <>
      {leases.problem !== null && <p className="jp-trackside-problem">{leases.problem}</p>}
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
              here={lease.kernel_id !== null && lease.kernel_id === kernel?.id}
              canAttach={!!kernel?.notebook}
              commands={commands}
              trans={trans}
            />
          ))}
        </ul>
      )}
      <OfferList trackside={trackside} commands={commands} canProvision={!!kernel?.notebook} />
    </>
  );
}

interface OfferListProps {
  trackside: Trackside;
  commands: CommandRegistry;
  canProvision: boolean;
}

type Asked =
  { state: 'no' } | { state: 'asking' } | { state: 'failed'; why: string } | { state: 'yes'; answer: Offers };

/** What can be had now. Asking takes seconds and reaches out to machines, so it happens on request only. */
function OfferList({ trackside, commands, canProvision }: OfferListProps): React.JSX.Element {
  const { api, trans } = trackside;
  const [asked, setAsked] = React.useState<Asked>({ state: 'no' });
  const ask = (): void => {
    setAsked({ state: 'asking' });
    api.offers().then(
      answer => setAsked({ state: 'yes', answer }),
      (error: unknown) => setAsked({ state: 'failed', why: describeError(error) })
    );
  };
  return (
    <div className="jp-trackside-offers">
      <button className="jp-trackside-link" disabled={asked.state === 'asking'} onClick={ask}>
        <refreshIcon.react tag="span" width="14px" height="14px" aria-hidden="true" />
        {asked.state === 'asking' ? trans.__('Looking for GPUs…') : trans.__('Look for GPUs')}
      </button>
      {asked.state === 'failed' && <p className="jp-trackside-problem">{asked.why}</p>}
      {asked.state === 'yes' && <OfferAnswer answer={asked.answer} {...{ commands, canProvision, trans }} />}
    </div>
  );
}

interface OfferAnswerProps {
  answer: Offers;
  commands: CommandRegistry;
  canProvision: boolean;
  trans: TranslationBundle;
}

function OfferAnswer({ answer, commands, canProvision, trans }: OfferAnswerProps): React.JSX.Element {
  return (
    <>
      {answer.offers.length === 0 && (
        <p className="jp-trackside-hint">{trans.__('No target offers anything.')}</p>
      )}
      <ul aria-label={trans.__('Offers')}>
        {answer.offers.map((offer, index) => (
          <OfferRow key={index} {...{ offer, commands, canProvision, trans }} />
        ))}
      </ul>
      {answer.problems.map(problem => (
        <p key={problem.target} className="jp-trackside-problem">
          <b>{problem.target}</b>: {problem.message}
        </p>
      ))}
    </>
  );
}

interface OfferRowProps {
  offer: Offer;
  commands: CommandRegistry;
  canProvision: boolean;
  trans: TranslationBundle;
}

function OfferRow({ offer, commands, canProvision, trans }: OfferRowProps): React.JSX.Element {
  const count = offer.gpus.length;
  const price = formatPrice(offer.usd_per_hour) ?? trans.__('no price known');
  const busy = count > 0 && offer.gpus.every(gpu => gpu.busy);
  return (
    <li className="jp-trackside-offer" data-offer={offer.device}>
      <span className="jp-trackside-offerText" title={offer.detail}>
        <b>{formatDevice(offer.device, count)}</b> {offer.target} · {price}
        {busy ? ` · ${trans.__('busy')}` : ''}
      </span>
      <button
        className="jp-mod-styled jp-trackside-small"
        disabled={!canProvision}
        title={canProvision ? '' : trans.__('Open the notebook that should run there')}
        onClick={() =>
          void commands.execute(CommandIDs.provision, {
            spec: count > 1 ? `${offer.device}:${count}` : offer.device,
            on: offer.target
          })
        }
      >
        {trans.__('Use')}
      </button>
    </li>
  );
}
