/** How runs stand together in charts, and how large these are. */
import type { TranslationBundle } from '@jupyterlab/translation';

import { openMenu, type MenuAction } from '../menu';
import type { CompareModel } from './comparemodel';
import { CHART_SIZES } from './comparestate';

/** Opens the choices below a button. A size is given to all charts, also to those that had one of their own. */
export function openLayoutMenu(button: HTMLElement, model: CompareModel, trans: TranslationBundle): void {
  const { left, bottom } = button.getBoundingClientRect();
  const { apart, groupBy, size } = model.state;
  const each = groupBy === null ? trans.__('One Plot per Run') : trans.__('One Plot per Group');
  const names = {
    small: trans.__('Small Charts'),
    medium: trans.__('Medium Charts'),
    large: trans.__('Large Charts')
  };
  const actions: MenuAction[] = [
    {
      id: 'together',
      label: trans.__('One Plot'),
      checked: !apart,
      run: () => model.update({ apart: false })
    },
    { id: 'apart', label: each, checked: apart, run: () => model.update({ apart: true }) },
    ...CHART_SIZES.map((one, index) => ({
      id: one,
      label: names[one],
      checked: size === one,
      apart: index === 0,
      run: () => model.update({ size: one, sizes: {} })
    }))
  ];
  openMenu(actions, { x: left, y: bottom, focusAfter: button });
}
