/** Gives a machine back, after saying what that loses. */
import { Dialog, InputDialog, showDialog, showErrorMessage } from '@jupyterlab/apputils';

import { costSoFar } from '../text/cost';
import { formatPrice } from '../text/format';
import { inWords } from '../text/looks';
import type { Trackside } from '../trackside';
import { describeError } from '../wire/errors';
import type { Lease } from '../wire/protocol';

/** Asks, stops the machine, and says so when that fails: it may go on costing money. */
export async function release(trackside: Trackside, lease: Lease): Promise<void> {
  const { trans, leases } = trackside;
  const answer = await showDialog({
    title: trans.__('Release %1?', inWords(lease.name)),
    body: [
      trans.__(
        'The kernel on %1 ends; what its variables hold is lost.',
        inWords(lease.machine || lease.target)
      ),
      lease.link?.holder === 'notebook' && lease.notebook
        ? trans.__('Cells of %1 run on its own machine again.', inWords(lease.notebook))
        : '',
      trans.__('Outputs and metrics that came home stay.'),
      ...costs(lease, trackside)
    ].join(' '),
    buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: trans.__('Release') })]
  });
  if (!answer.button.accept) {
    return;
  }
  try {
    await leases.release(lease.id);
  } catch (error) {
    await showErrorMessage(
      trans.__('%1 was not released', inWords(lease.name)),
      `${describeError(error)} ${trans.__('It may go on running, and costing money. %gpu_release in its notebook tries again.')}`
    );
  }
}

function costs(lease: Lease, { trans }: Trackside): string[] {
  const price = formatPrice(lease.usd_per_hour);
  const cost = costSoFar(lease, Date.now() / 1000);
  return price && cost ? [trans.__('It costs ≈ %1 until then, %2 so far.', price, cost)] : [];
}

/** The id of a leased machine that the person chooses; `null` when there is none or he does not. */
export async function chooseLease(trackside: Trackside, title: string): Promise<string | null> {
  const { leases, trans } = trackside;
  await leases.refresh();
  if (leases.live.length === 0) {
    await showDialog({ title: trans.__('No machine is leased.'), buttons: [Dialog.okButton()] });
    return null;
  }
  const labels = leases.live.map(lease => `${lease.name} (${lease.id})`);
  const answer = await InputDialog.getItem({ title, items: labels });
  const index = answer.button.accept ? labels.indexOf(answer.value ?? '') : -1;
  return leases.live[index]?.id ?? null;
}
