/** What runs cost: the price that each was told times its time. As `RunInfo.cost_usd` and `words.run_cost`. Pure functions. */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { Json, JsonObject, Lease, Run } from '../wire/protocol';

function priceOf(run: Pick<Run, 'facts'>): JsonObject | null {
  const price = run.facts['price'];
  return price !== null && typeof price === 'object' && !Array.isArray(price) ? price : null;
}

/** US dollars for an hour of the machine; `null` when nobody knows. */
function perHour(price: JsonObject | null): number | null {
  const usd = price?.['usd_per_hour'];
  return typeof usd === 'number' ? usd : null;
}

/** What a run has cost up to `now`, in US dollars; `null` when no price or no end is known. */
export function costOf(run: Run, now: number): number | null {
  const usd = perHour(priceOf(run));
  const end = run.finished ?? (run.status === 'running' ? now : null);
  return usd === null || end === null || !run.created ? null : (Math.max(0, end - run.created) / 3600) * usd;
}

/** `≈ $1.35`, `< $0.01`. */
export function formatCost(usd: number): string {
  return usd >= 0.005 || usd === 0 ? `≈ $${usd.toFixed(2)}` : '< $0.01';
}

/** What a lease has cost until now, `null` when it costs nothing or nobody knows. */
export function costSoFar(lease: Lease, now: number): string | null {
  const end = lease.released ?? now;
  return lease.usd_per_hour
    ? formatCost((lease.usd_per_hour * Math.max(0, end - lease.created)) / 3600)
    : null;
}

/** Where the price comes from: `≈ $2.70/h, price list coreweave, 2026-09-20`; "" when none is known. */
export function priceSource(run: Pick<Run, 'facts'>): string {
  const price = priceOf(run);
  const usd = perHour(price);
  const said = (value: Json | undefined): string => (typeof value === 'string' ? value : '');
  return usd === null
    ? ''
    : [`≈ $${usd.toFixed(2)}/h`, said(price?.['source']), said(price?.['as_of'])].filter(Boolean).join(', ');
}

/** Providers whose machines are somebody's own: this one, and hosts that are there anyway. */
const OWN: readonly unknown[] = ['local', 'ssh'];

/** Whether a machine that has no price is its user's own, and not one that was rented at a price nobody knows. */
export function isOwn(provider: Json | undefined): boolean {
  return OWN.includes(provider);
}

/** What stands in the place of a run's cost: that its machine is one's own, or that nobody knows the price; else "". */
export function withoutCost(run: Pick<Run, 'facts'>, trans: TranslationBundle): string {
  const price = priceOf(run);
  if (price === null || perHour(price) !== null) {
    return '';
  }
  return isOwn(price['provider']) ? trans.__('own machine') : trans.__('no price known');
}
