/** Whether somebody looks at a widget: only then is the feed held open for it, and a clock ticks. */
import type { IDisposable } from '@lumino/disposable';
import { MessageLoop, type Message } from '@lumino/messaging';
import type { Widget } from '@lumino/widgets';

import type { Feed } from '../wire/feed';
import { Clock } from './clock';

export interface AttentionOptions {
  feed: Feed;
  /** Called when it begins, the feed being held. */
  wake?: () => void;
  /** Called when it ends, the feed still being held. */
  rest?: () => void;
}

/** One for each widget that shows what is live; it ends with the widget. */
export class Attention {
  constructor(
    private readonly widget: Widget,
    private readonly options: AttentionOptions
  ) {
    // A hook, because the widgets have different base classes; it ends when the widget is disposed.
    MessageLoop.installMessageHook(widget, (_handler, message) => this.onMessage(message));
  }

  /** Ticks while somebody looks. */
  readonly clock = new Clock();

  get awake(): boolean {
    return this.held !== null;
  }

  /** Nobody looks any more; may be called again. */
  end(): void {
    if (this.held) {
      this.clock.stop();
      const { held } = this;
      this.held = null;
      this.options.rest?.();
      held.dispose();
    }
  }

  private begin(): void {
    if (!this.held) {
      this.held = this.options.feed.hold();
      this.clock.start();
      this.options.wake?.();
    }
  }

  /** A hook comes before the widget itself, whose `isVisible` is still what it was. */
  private onMessage(message: Message): true {
    const { widget } = this;
    switch (message.type) {
      case 'after-show':
      case 'after-attach':
        if (!widget.isHidden && (!widget.parent || widget.parent.isVisible)) {
          this.begin();
        }
        break;
      case 'before-hide':
      case 'before-detach':
        this.end();
        break;
    }
    return true;
  }

  private held: IDisposable | null = null;
}
