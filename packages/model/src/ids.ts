import { type Backend, MambaError, type Tensor } from '@mamba-ts/backend';

/** Token ids of one sequence, or of several (rows of a batch). */
export type TokenIds = ArrayLike<number> | readonly ArrayLike<number>[];

/** Rows of one length, checked against the vocabulary. */
export function checkIds(ids: TokenIds, paddedVocabSize: number, what: string): ArrayLike<number>[] {
  const rows = toRows(ids);
  const length = rows[0]?.length ?? 0;
  if (length === 0) throw new MambaError('SHAPE', `${what}: there are no tokens; give at least one`);
  rows.forEach((row, r) => {
    if (row.length !== length) {
      throw new MambaError(
        'SHAPE',
        `${what}: row ${r} has ${row.length} tokens, row 0 has ${length}; rows of a batch must be equally long`,
      );
    }
    for (let i = 0; i < length; i++) checkId(row[i], paddedVocabSize, `${what}: token ${i} of row ${r}`);
  });
  return rows;
}

export function checkId(id: unknown, paddedVocabSize: number, what: string): void {
  if (!Number.isInteger(id) || (id as number) < 0 || (id as number) >= paddedVocabSize) {
    throw new MambaError(
      'INVALID_ARGUMENT',
      `${what} is ${String(id)}, which is not an id in [0, ${paddedVocabSize})`,
    );
  }
}

export function toRows(ids: TokenIds): ArrayLike<number>[] {
  return typeof ids[0] === 'object' ? [...(ids as readonly ArrayLike<number>[])] : [ids as ArrayLike<number>];
}

/** Uploads rows [from, to) of each as [B, to - from] i32. */
export function uploadIds(
  backend: Backend,
  rows: readonly ArrayLike<number>[],
  from: number,
  to: number,
): Tensor {
  const data = new Int32Array(rows.length * (to - from));
  rows.forEach((row, r) => {
    for (let i = from; i < to; i++) data[r * (to - from) + i - from] = row[i]!;
  });
  return backend.tensor(data, [rows.length, to - from], 'i32');
}

/** Tokens of a prompt that are computed at once. */
export const DEFAULT_CHUNK = 512;

export function checkChunk(what: string, chunkSize: number): void {
  if (!Number.isInteger(chunkSize) || chunkSize < 1) {
    throw new MambaError(
      'INVALID_ARGUMENT',
      `${what}: chunkSize must be a whole number above 0, not ${chunkSize}`,
    );
  }
}
