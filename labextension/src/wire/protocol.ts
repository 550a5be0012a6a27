/**
 * The messages of Trackside's server extension, spelled once for TypeScript.
 *
 * The specification is `jupyter_ext/openapi.yaml`; golden files in `tests/contracts/golden/` pin it. Times are seconds
 * since the epoch, durations seconds, prices US dollars.
 */

import type { Lease, Sample } from './machines';

export type * from './machines';

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

/** Version of the REST interface and feed that this panel understands. */
export const API_VERSION = 1;

export type RunStatus = 'running' | 'finished' | 'failed' | 'interrupted' | 'killed' | 'unknown';

export interface RunError {
  ename: string;
  evalue: string;
  traceback: string[];
}

/** What JSON cannot spell in `config`, `summary` and `facts` arrives as "NaN", "Infinity" or "-Infinity". */
export interface Run {
  id: string;
  name: string;
  project: string;
  status: RunStatus;
  /** A sentence ("killed by signal 9 (SIGKILL)"), or "". */
  status_detail: string;
  group: string | null;
  tags: string[];
  created: number;
  /** `null` while it runs. */
  finished: number | null;
  config: JsonObject;
  summary: JsonObject;
  /** In lists only those that fit into a table's cell: `notebook`, `host`, `lease`, `gpus`, `price` … */
  facts: JsonObject;
  error: RunError | null;
  notes: string;
  /** The line style that somebody chose; `null`: the one of its id. */
  colour: number | null;
  pinned: boolean;
  archived: boolean;
  /** Least and greatest finite value of each logged metric, and which of them is better. */
  extremes: { [metric: string]: [number | null, number | null, 'lower' | 'higher' | null] };
}

/** What a person may change about a run; only the keys that are given change. */
export interface RunChange {
  name?: string;
  project?: string;
  group?: string | null;
  tags?: string[];
  notes?: string;
  colour?: number | null;
  pinned?: boolean;
  archived?: boolean;
}

export interface RunEdit {
  run: string;
  change: RunChange;
}

/** A run that could not be changed, and why. */
export interface EditProblem {
  run: string;
  message: string;
}

/** How somebody has arranged runs, under a name. */
export interface SavedView {
  id: string;
  name: string;
  state: JsonObject;
  created: number;
  changed: number;
}

export type MetricSource = 'logged' | 'inferred' | 'system';

/** One metric and the runs that have it. Metrics of the same name but different source are never mixed. */
export interface Metric {
  name: string;
  source: MetricSource;
  unit: string | null;
  better: 'lower' | 'higher' | null;
  /** The metric over which it is meant to be drawn; `null`: the step. */
  x: string | null;
  runs: string[];
}

/** `relative`: seconds since the run began. `time`: seconds since the epoch. */
export type XKind = 'step' | 'relative' | 'time';

/** What stands on an x axis: an {@link XKind}, or the name of a metric. */
export type XAxis = string;

/** What a person chooses for the x axes: an {@link XAxis}, or `auto` for what each metric was defined to be drawn over. */
export type XChoice = XAxis;

/** An array as little-endian bytes in base64. */
export interface EncodedArray {
  dtype: 'float64' | 'int32';
  base64: string;
}

/** One run's part of a series, reduced to the asked pixel width; arrays have one entry a bucket. */
export interface EncodedWindow {
  run: string;
  metric: string;
  x_kind: XAxis;
  /** Whether every bucket is one original point. */
  raw: boolean;
  /** How many original points stand behind the whole window. */
  points: number;
  x: EncodedArray;
  min: EncodedArray;
  max: EncodedArray;
  first: EncodedArray;
  last: EncodedArray;
  count: EncodedArray;
  nan: EncodedArray;
  posinf: EncodedArray;
  neginf: EncodedArray;
  /** Of a group's window: `run` is its first run, `first` and `last` are the mean. */
  group?: {
    /** Those that have the metric. */
    runs: string[];
    /** How many runs the mean of a bucket is of. */
    members: EncodedArray;
    /** The sample's standard deviation. */
    std: EncodedArray;
  };
}

/** Which part of which series: `start` and `stop` in units of x, `null` for all; `width` in pixels. */
export interface SeriesRequest {
  metric: string;
  runs: string[];
  x: XAxis;
  start: number | null;
  stop: number | null;
  width: number;
  source: MetricSource;
  /** Weight of the past in a moving average, from 0 (none) to below 1. */
  smoothing: number;
  /** `runs` in groups: a window is of a group's mean then. `null`: each run by itself. */
  groups: string[][] | null;
}

export interface Info {
  version: string;
  api: number;
  journal: number;
  data_dir: string;
  read_only: boolean;
  index: { state: 'starting' | 'current' | 'behind' | 'stopped'; behind_bytes: number; detail: string };
}

/** Something that happened to a run. `time` is `null` when nobody knows, `step` when none was logged before. */
export interface RunEvent {
  run: string;
  time: number | null;
  step: number | null;
  name: string;
  /** `info`, `warning`, `error`, or what else was written. */
  level: string;
  detail: string;
  more: JsonObject;
}

/** A number, or what JSON cannot spell: "NaN", "Infinity", "-Infinity". */
export type Spelled = number | 'NaN' | 'Infinity' | '-Infinity';

/** What one metric of one run came to. */
export interface MetricSummary {
  run: string;
  name: string;
  source: MetricSource;
  count: number;
  last: Spelled;
  last_step: number;
  /** `null` when no value was finite. */
  min: Spelled | null;
  min_step: number | null;
  max: Spelled | null;
  max_step: number | null;
  best: Spelled | null;
  best_step: number | null;
  unit: string | null;
  better: 'lower' | 'higher' | null;
}

/** Something to look at that a run logged: an image, a table, a histogram, a page. */
export interface Medium {
  /** By which its content is asked for. */
  number: number;
  metric: string | null;
  step: number | null;
  time: number | null;
  type: string | null;
  mime: string | null;
  size: number | null;
  more: JsonObject;
}

/** The content of a {@link Medium}: one of the two is `null`. Untrusted. */
export interface MediumContent {
  content: Json;
  base64: string | null;
}

export type ReportFormat = 'html' | 'notebook';

/** A comparison as it is to be saved. */
export interface ReportRequest {
  runs: string[];
  format: ReportFormat;
  x: XChoice;
  log: boolean;
  group_by: string | null;
  smoothing: number;
  notes: string;
  /** The run that the others are compared with; `null` for none. */
  baseline: string | null;
  /** What the band around a group's mean shows. */
  band: 'range' | 'std';
  /** Whether inferred metrics are shown that were logged under the same name as well. */
  inferred: boolean;
  /** By run, the number of the style that it has here. */
  styles: Record<string, number>;
}

/** One output as nbformat stores it; given to JupyterLab's renderers, never interpreted here. */
export type Output = JsonObject & { output_type: string };

export interface RecordedCell {
  key: string;
  source: string | null;
  execution_count: number | null;
  cell_id: string | null;
  started: number | null;
  finished: number | null;
  outputs: Output[];
  /** `false` where what it showed was left out on purpose. */
  recorded: boolean;
}

/** What the server says on the feed. */
export type FeedMessage =
  | { type: 'hello'; version: string; api: number }
  | { type: 'runs'; changed: Run[]; removed: string[] }
  | { type: 'leases'; leases: Lease[] }
  | { type: 'pulses'; pulses: { lease: string; samples: Sample[] }[] }
  | {
      type: 'series';
      watch: number;
      /** Which of the watch's series, from 0. */
      index: number;
      metric: string;
      source: MetricSource | null;
      windows: EncodedWindow[];
    }
  | { type: 'metrics'; runs: string[] }
  | { type: 'error'; message: string };
