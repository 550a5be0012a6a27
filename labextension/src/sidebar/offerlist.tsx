/** What can be had now, target by target: offers, what is busy, and why there is nothing. */
import { refreshIcon } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import { useUpdatesOf } from '../hooks';
import { describePrice, formatDevice, formatGib, formatMoment } from '../text/format';
import { CommandIDs, type Trackside } from '../trackside';
import type { Offer, Offers } from '../wire/protocol';

interface OfferListProps {
  trackside: Trackside;
  commands: CommandRegistry;
  /** Whether this user may rent anything. */
  allowed: boolean;
  /** Whether a notebook is in front that could run there. */
  canProvision: boolean;
}

/** Asking takes seconds and reaches out to machines, so it happens on request only. */
export function OfferList(props: OfferListProps): React.JSX.Element {
  const { offers, trans } = props.trackside;
  useUpdatesOf(offers.changed);
  const { answer, asking } = offers;
  return (
    <div className="jp-trackside-offers">
      <button className="jp-trackside-link" disabled={asking} onClick={() => void offers.look()}>
        <refreshIcon.react tag="span" width="14px" height="14px" aria-hidden="true" />
        {asking ? trans.__('Looking for GPUs…') : trans.__('Look for GPUs')}
      </button>
      <div role="status" className="jp-trackside-hint">
        {statusOf(answer, asking, trans)}
      </div>
      {offers.problem !== null && (
        <p className="jp-trackside-problem" role="alert">
          {offers.problem}
        </p>
      )}
      {answer && targetsOf(answer).map(target => <Target key={target} {...props} {...{ target, answer }} />)}
    </div>
  );
}

function statusOf(answer: Offers | null, asking: boolean, trans: TranslationBundle): string {
  if (!answer) {
    return '';
  }
  if (asking) {
    return answer.waiting.length > 0 ? trans.__('No answer yet: %1', answer.waiting.join(', ')) : '';
  }
  return trans.__('As of %1', formatMoment(answer.asked, Date.now() / 1000));
}

/** Those with offers first, then the others. */
function targetsOf(answer: Offers): string[] {
  const named = [...answer.offers, ...answer.problems, ...answer.inventories].map(({ target }) => target);
  return [...new Set([...named, ...answer.waiting])];
}

function Target(props: OfferListProps & { target: string; answer: Offers }): React.JSX.Element {
  const { target, answer, trackside } = props;
  const { trans } = trackside;
  const offers = answer.offers.filter(offer => offer.target === target);
  const stock = answer.inventories.find(each => each.target === target)?.text;
  const problem = answer.problems.find(each => each.target === target);
  return (
    <section className="jp-trackside-target" data-target={target} aria-label={target}>
      <h4>{target}</h4>
      {offers.length > 0 && (
        <ul aria-label={trans.__('Offers of %1', target)}>
          {offers.map((offer, index) => (
            <OfferRow key={index} {...props} offer={offer} />
          ))}
        </ul>
      )}
      {stock !== undefined && <p className="jp-trackside-stock">{stock}</p>}
      {problem && (
        <p className="jp-trackside-problem">
          {problem.message}
          {problem.remedy && (
            <>
              {' '}
              {trans.__('Try:')} <code>{problem.remedy}</code>
            </>
          )}
        </p>
      )}
      {answer.waiting.includes(target) && (
        <p className="jp-trackside-stock" data-waiting>
          {trans.__('It has not answered yet.')}
        </p>
      )}
    </section>
  );
}

function OfferRow(props: OfferListProps & { offer: Offer }): React.JSX.Element {
  const { offer, commands, trackside } = props;
  const { trans } = trackside;
  const count = offer.gpus.length;
  const name = formatDevice(offer.device, count);
  const size = offer.gpus[0] ? trans.__('%1 GiB', formatGib(offer.gpus[0].memory_gib)) : offer.detail;
  const busy = offer.gpus.some(gpu => gpu.busy);
  const dated = offer.price_as_of ? ` (${offer.price_as_of})` : '';
  const facts = [size, count > 0 ? (busy ? trans.__('busy') : trans.__('free')) : ''];
  return (
    <li className="jp-trackside-offer" data-offer={offer.device}>
      <span className="jp-trackside-offerText" title={offer.detail}>
        <b>{name}</b> {facts.filter(Boolean).join(' · ')}
        <span className="jp-trackside-offerPrice">
          {describePrice(offer, trans)}
          {dated}
        </span>
        {offer.refused && <span className="jp-trackside-leaseWhy">{offer.refused}</span>}
      </span>
      {props.allowed && (
        <button
          className="jp-mod-styled jp-trackside-small"
          disabled={!props.canProvision || offer.refused !== null}
          aria-label={trans.__('Use %1 of %2', name, offer.target)}
          title={props.canProvision ? '' : trans.__('Open the notebook that should run there')}
          onClick={() =>
            void commands.execute(CommandIDs.provision, {
              spec: count > 1 ? `${offer.device}:${count}` : offer.device,
              on: offer.target
            })
          }
        >
          {trans.__('Use')}
        </button>
      )}
    </li>
  );
}
