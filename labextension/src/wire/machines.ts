/** What the server says of machines: those that are leased, and those that can be had. Part of `protocol.ts`. */

export type LeaseState = 'planned' | 'starting' | 'ready' | 'lost' | 'released';

export interface Gpu {
  index: number;
  name: string;
  uuid: string;
  memory_gib: number;
  model: string;
  busy: boolean;
  busy_reason: string;
}

/**
 * Who holds the line to a leased machine, and how it is: `up`, `down` (it is made again by itself), `new` (it is being
 * made), `none` (nobody holds it), `elsewhere` (a process of another machine does).
 */
export interface LeaseLink {
  state: 'up' | 'down' | 'new' | 'none' | 'elsewhere';
  since: number | null;
  /** Why it is down; the machine that holds it. */
  detail: string;
  /** `server`: it stands in for a notebook that is gone. */
  holder: 'notebook' | 'server' | null;
}

export interface Lease {
  id: string;
  name: string;
  provider: string;
  target: string;
  spec: string;
  state: LeaseState;
  created: number;
  device: string;
  gpus: Gpu[];
  machine: string;
  notebook: string | null;
  kernel_id: string | null;
  /** `null`: no price is known; 0: costs nothing. */
  usd_per_hour: number | null;
  price_as_of: string | null;
  released: number | null;
  detail: string;
  /** `null` when it is over. */
  link: LeaseLink | null;
}

/** What a GPU does at a moment; `null` where nobody can tell. */
export interface GpuSample {
  uuid: string;
  use_percent: number | null;
  memory_gib: number | null;
  memory_total_gib: number | null;
}

/** What a machine does at a moment. */
export interface Sample {
  time: number;
  /** Of all processors of the machine together. */
  cpu_percent: number | null;
  memory_gib: number | null;
  memory_total_gib: number | null;
  gpus: GpuSample[];
  /** Which GPU does not answer, and why; or "". */
  problem: string;
}

/** A part of a log, by offsets in bytes. Untrusted text. */
export interface LogPiece {
  text: string;
  start: number;
  end: number;
  size: number;
  /** There is no such log any more. */
  missing: boolean;
}

export type LogName = 'agent' | 'kernel';

export interface Offer {
  provider: string;
  target: string;
  device: string;
  gpus: Gpu[];
  usd_per_hour: number | null;
  price_as_of: string | null;
  detail: string;
  /** After so long without need it would be given back; 0: never. */
  idle_s: number;
  /** Why the user's own limits forbid it. */
  refused: string | null;
}

/** What the targets have said so far. */
export interface Offers {
  /** Handed back, it is answered when more is known. */
  number: number;
  /** Whether every target has answered or been given up. */
  over: boolean;
  asked: number;
  offers: Offer[];
  /** Targets that could not answer, why, and what to type. */
  problems: { target: string; message: string; remedy: string | null }[];
  /** What each target that answered has at all, and who uses it; or why there is no GPU. */
  inventories: { target: string; text: string }[];
  /** Targets that have not answered yet. */
  waiting: string[];
  limits: {
    max_usd_per_hour: number | null;
    max_usd_per_day: number | null;
    running_usd_per_hour: number;
    spent_today_usd: number;
  };
}
