import type { BackendName } from 'mamba-ts';
import type { BranchId, Progress } from './protocol.js';

/** A run of text, and who wrote it. */
export interface Piece {
  readonly by: 'you' | BackendName;
  readonly text: string;
}

/** A text on the page; its state lives in the worker. */
export interface Branch {
  readonly id: BranchId;
  readonly pieces: readonly Piece[];
  /** Tokens that the model has read of it. */
  readonly position: number;
  readonly stateBytes: number;
  readonly tokensPerSecond: number;
}

export type Branches = readonly Branch[];

export const FIRST: Branches = [newBranch(1)];

function newBranch(id: BranchId): Branch {
  return { id, pieces: [], position: 0, stateBytes: 0, tokensPerSecond: 0 };
}

/** An id that no branch of the page ever had. */
export function nextId(branches: Branches): BranchId {
  return Math.max(0, ...branches.map(({ id }) => id)) + 1;
}

/** Adds text to a branch; text of the same hand grows the last piece. */
export function say(branches: Branches, id: BranchId, by: Piece['by'], text: string): Branches {
  if (text === '') return branches;
  return change(branches, id, (branch) => {
    const last = branch.pieces.at(-1);
    const pieces =
      last?.by === by
        ? [...branch.pieces.slice(0, -1), { by, text: last.text + text }]
        : [...branch.pieces, { by, text }];
    return { ...branch, pieces };
  });
}

export function measure(branches: Branches, id: BranchId, progress: Progress): Branches {
  const { position, stateBytes, tokensPerSecond } = progress;
  return change(branches, id, (branch) => ({ ...branch, position, stateBytes, tokensPerSecond }));
}

/** A second future of the same past, right beside it. */
export function fork(branches: Branches, from: BranchId, to: BranchId): Branches {
  return branches.flatMap((branch) => (branch.id === from ? [branch, { ...branch, id: to }] : [branch]));
}

/** The last one leaves an empty page behind. */
export function drop(branches: Branches, id: BranchId): Branches {
  const rest = branches.filter((branch) => branch.id !== id);
  return rest.length > 0 ? rest : [newBranch(id + 1)];
}

function change(branches: Branches, id: BranchId, update: (branch: Branch) => Branch): Branches {
  return branches.map((branch) => (branch.id === id ? update(branch) : branch));
}
