/** Small menus: of a chart, of a run. */
import { ellipsesIcon } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import { Menu } from '@lumino/widgets';

export interface MenuAction {
  id: string;
  label: string;
  /** Of a choice: whether it is the one that holds now. */
  checked?: boolean;
  /** Whether a line stands above it. */
  apart?: boolean;
  /** What it does; a failure is the action's own to tell. */
  run: () => void;
}

/** A button that opens a menu below itself; the focus comes back to it. */
export function menuButton(
  actions: readonly MenuAction[],
  label: string,
  trans: TranslationBundle
): HTMLButtonElement {
  const button = document.createElement('button');
  button.className = 'jp-trackside-iconButton';
  button.type = 'button';
  button.title = trans.__('More');
  button.setAttribute('aria-label', label);
  button.setAttribute('aria-haspopup', 'menu');
  ellipsesIcon.element({ container: button, tag: 'span', width: '16px', height: '16px' });
  button.addEventListener('click', () => {
    const { left, bottom } = button.getBoundingClientRect();
    const expanded = (now: boolean): void => button.setAttribute('aria-expanded', String(now));
    expanded(true);
    openMenu(actions, { x: left, y: bottom, focusAfter: button, onClosed: () => expanded(false) });
  });
  return button;
}

/** Where a menu opens, in pixels of the page, and what has the focus when it has closed. */
export interface MenuPlace {
  x: number;
  y: number;
  focusAfter: HTMLElement | null;
  onClosed?: () => void;
}

export function openMenu(actions: readonly MenuAction[], place: MenuPlace): void {
  const commands = new CommandRegistry();
  const menu = new Menu({ commands });
  menu.addClass('jp-trackside-menu');
  for (const action of actions) {
    const { label, checked } = action;
    const choice = checked === undefined ? {} : { isToggled: () => checked, isToggleable: true };
    commands.addCommand(action.id, { label, execute: action.run, ...choice });
    if (action.apart) {
      menu.addItem({ type: 'separator' });
    }
    menu.addItem({ command: action.id });
  }
  menu.aboutToClose.connect(() => {
    place.onClosed?.();
    place.focusAfter?.focus();
    // Its command runs after it has closed.
    setTimeout(() => menu.dispose(), 0);
  });
  menu.open(place.x, place.y);
}
