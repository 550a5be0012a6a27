/** What a person is asked before a machine is rented: which, what it costs, what limits that, what runs. */
import { ReactWidget } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { useUpdatesOf } from '../hooks';
import type { OfferSearch } from '../model/offers';
import { isOwn } from '../text/cost';
import { describePrice, formatDevice } from '../text/format';
import type { Offer, Offers } from '../wire/protocol';

export interface ProvisionQuestionProps {
  search: OfferSearch;
  /** Only this target is meant; `null` for any. */
  on: string | null;
  /** What runs, as it will stand in the cell. */
  source: string;
  trans: TranslationBundle;
}

export class ProvisionQuestion extends ReactWidget {
  constructor(private readonly props: ProvisionQuestionProps) {
    super();
    this.addClass('jp-trackside-question');
  }

  override dispose(): void {
    this.props.search.stop();
    super.dispose();
  }

  protected override render(): React.JSX.Element {
    return <Question {...this.props} />;
  }
}

function Question({ search, on, source, trans }: ProvisionQuestionProps): React.JSX.Element {
  useUpdatesOf(search.changed);
  const offer = search.answer?.offers.find(each => on === null || each.target === on);
  return (
    <>
      <div aria-live="polite">
        {offer && search.answer ? (
          <Facts {...{ offer, trans }} limits={search.answer.limits} />
        ) : (
          <Nothing {...{ search, on, trans }} />
        )}
      </div>
      <p>{trans.__('A new cell runs this. Cells after it then run on that machine, until %gpu_release.')}</p>
      <pre className="jp-trackside-preview">{source}</pre>
    </>
  );
}

/** Why no offer is shown: it is being looked for, or there is none, and who says so. */
function Nothing({ search, on, trans }: Omit<ProvisionQuestionProps, 'source'>): React.JSX.Element {
  const { answer } = search;
  if (search.problem !== null) {
    return <p className="jp-trackside-problem">{search.problem}</p>;
  }
  if (search.asking) {
    const waiting = answer?.waiting.join(', ');
    return <p>{waiting ? trans.__('No answer yet: %1', waiting) : trans.__('Asking what can be had…')}</p>;
  }
  const meant = (each: { target: string }): boolean => on === null || each.target === on;
  return (
    <>
      <p>{trans.__('Nothing that fits is free now, as far as is known here:')}</p>
      <ul>
        {answer?.inventories.filter(meant).map(each => (
          <li key={each.target}>
            <b>{each.target}</b>: {each.text}
          </li>
        ))}
        {answer?.problems.filter(meant).map(each => (
          <li key={each.target}>
            <b>{each.target}</b>: {each.message} {each.remedy && <code>{each.remedy}</code>}
          </li>
        ))}
      </ul>
    </>
  );
}

interface FactsProps {
  offer: Offer;
  limits: Offers['limits'];
  trans: TranslationBundle;
}

function Facts({ offer, limits, trans }: FactsProps): React.JSX.Element {
  return (
    <>
      <dl className="jp-trackside-facts">
        <dt>{trans.__('Machine')}</dt>
        <dd>
          {trans.__('%1 on %2', formatDevice(offer.device, offer.gpus.length), offer.target)}
          {offer.detail ? ` (${offer.detail})` : ''}
        </dd>
        <dt>{trans.__('Costs')}</dt>
        <dd data-fact="price">{priceOf(offer, trans)}</dd>
        <dt>{trans.__('Your limits')}</dt>
        <dd data-fact="limits">{limitsOf(limits, trans)}</dd>
        <dt>{trans.__('Given back')}</dt>
        <dd>
          {offer.idle_s > 0
            ? trans.__(
                'when nothing has run for %1, or when you release it',
                trans.__('%1 min', Math.round(offer.idle_s / 60))
              )
            : trans.__('only when you release it')}
        </dd>
      </dl>
      {offer.refused && <p className="jp-trackside-problem">{offer.refused}</p>}
    </>
  );
}

function priceOf(offer: Offer, trans: TranslationBundle): string {
  const price = describePrice(offer, trans);
  if (offer.usd_per_hour === null && !isOwn(offer.provider)) {
    return trans.__('%1: nobody can tell here what an hour costs', price);
  }
  return offer.price_as_of ? trans.__('%1, price of %2', price, offer.price_as_of) : price;
}

function limitsOf(limits: Offers['limits'], trans: TranslationBundle): string {
  const { max_usd_per_hour: hourly, max_usd_per_day: daily } = limits;
  const usd = (amount: number): string => `$${amount.toFixed(2)}`;
  const said = [
    hourly === null
      ? ''
      : trans.__('%1/h of all that runs; now ≈ %2/h', usd(hourly), usd(limits.running_usd_per_hour)),
    daily === null ? '' : trans.__('%1 a day; today ≈ %2', usd(daily), usd(limits.spent_today_usd))
  ].filter(Boolean);
  return said.length > 0 ? said.join('; ') : trans.__('none are set ([limits] in trackside.toml)');
}
