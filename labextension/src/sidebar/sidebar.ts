/** The left sidebar: machines above, runs below. */
import { PanelWithToolbar, SidePanel } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import type { IDisposable } from '@lumino/disposable';
import type { Message } from '@lumino/messaging';
import type { AccordionPanel } from '@lumino/widgets';

import { trackIcon } from '../icons';
import { Clock } from '../model/clock';
import type { CurrentKernel } from '../model/currentkernel';
import { SIDEBAR_ID, type Trackside } from '../trackside';
import { GpusSection } from './gpussection';
import { RunsSection } from './runssection';

export interface SidebarOptions {
  trackside: Trackside;
  commands: CommandRegistry;
  kernel: CurrentKernel | null;
}

/** Holds the feed open and its clock ticking only while it can be seen. */
export class Sidebar extends SidePanel {
  constructor(private readonly options: SidebarOptions) {
    super();
    const { trackside, commands, kernel } = options;
    const { trans } = trackside;
    this.id = SIDEBAR_ID;
    this.title.icon = trackIcon;
    this.title.caption = trans.__('Runs and GPUs');
    this.node.setAttribute('aria-label', trans.__('Trackside: runs and GPUs'));
    this.node.setAttribute('role', 'region');
    this.addClass('jp-trackside-sidebar');

    const gpus = new PanelWithToolbar();
    gpus.addClass('jp-trackside-section');
    gpus.title.label = trans.__('GPUs');
    gpus.addWidget(new GpusSection({ trackside, commands, kernel, clock: this.clock }));
    this.addWidget(gpus);

    const runs = new PanelWithToolbar();
    runs.addClass('jp-trackside-section');
    runs.title.label = trans.__('Runs');
    runs.addWidget(new RunsSection({ trackside, commands, clock: this.clock }));
    this.addWidget(runs);
  }

  override dispose(): void {
    this.rest();
    super.dispose();
  }

  protected override onAfterShow(msg: Message): void {
    super.onAfterShow(msg);
    this.wake();
  }

  protected override onAfterAttach(msg: Message): void {
    super.onAfterAttach(msg);
    if (this.isVisible) {
      this.wake();
    }
  }

  protected override onBeforeHide(msg: Message): void {
    this.rest();
    super.onBeforeHide(msg);
  }

  protected override onBeforeDetach(msg: Message): void {
    this.rest();
    super.onBeforeDetach(msg);
  }

  private wake(): void {
    if (!this.divided) {
      // The accordion divides its height evenly when it is first laid out, so this comes after.
      this.divided = true;
      requestAnimationFrame(() => (this.content as AccordionPanel).setRelativeSizes([1, 3]));
    }
    this.held ??= this.options.trackside.feed.hold();
    this.clock.start();
  }

  private rest(): void {
    this.held?.dispose();
    this.held = null;
    this.clock.stop();
  }

  private readonly clock = new Clock();
  private held: IDisposable | null = null;
  private divided = false;
}
