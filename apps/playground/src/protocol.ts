import type { BackendName } from 'mamba-ts';

/* What the page and the worker say to each other. */

export type BranchId = number;

export interface WriteOptions {
  /** Read before anything is written; the empty text goes on from what is there. */
  readonly prompt: string;
  readonly maxTokens: number;
  readonly temperature: number;
  readonly topP: number;
  readonly seed: number;
}

/** Answered in order, but for `stop`, which acts at once. */
export type Request =
  /** Makes a backend, and takes every state along that there is. */
  | { readonly type: 'open'; readonly backend: BackendName }
  | { readonly type: 'write'; readonly branch: BranchId; readonly options: WriteOptions }
  | { readonly type: 'fork'; readonly from: BranchId; readonly to: BranchId }
  | { readonly type: 'drop'; readonly branch: BranchId }
  /** Hides a token among `length` and asks for it. */
  | { readonly type: 'ask'; readonly length: number; readonly seed: number }
  | { readonly type: 'stop' };

/** What there is to know of the model once it is loaded. */
export interface ModelFacts {
  readonly parameters: number;
  readonly dModel: number;
  readonly layers: number;
  /** Of a state of one text. */
  readonly stateBytes: number;
  /** Of each layer, for every channel and state: tokens until it has forgotten half. */
  readonly halfLives: readonly Float64Array[];
}

export interface Opened {
  readonly type: 'opened';
  readonly backend: BackendName;
  /** The backend's own words: device, threads, features. */
  readonly description: string;
  readonly facts: ModelFacts;
}

export interface Progress {
  readonly type: 'progress';
  readonly branch: BranchId;
  /** New since the last message. */
  readonly text: string;
  /** Written since the request. */
  readonly tokens: number;
  readonly tokensPerSecond: number;
  /** Tokens that the state has read. */
  readonly position: number;
  readonly stateBytes: number;
  /** No more will come. */
  readonly done: boolean;
}

/** How a question of the induction heads task went. */
export interface Answer {
  readonly length: number;
  /** Where the special symbol stood. */
  readonly place: number;
  /** The symbols around it. */
  readonly around: readonly number[];
  /** What followed it. */
  readonly truth: number;
  readonly said: number;
  readonly seconds: number;
  readonly stateBytes: number;
}

export type Reply =
  | Opened
  | Progress
  | { readonly type: 'reading'; readonly read: number; readonly length: number }
  /** Without an answer: it was stopped. */
  | { readonly type: 'answered'; readonly answer: Answer | undefined }
  | { readonly type: 'failed'; readonly message: string };
