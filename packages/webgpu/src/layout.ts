import { type DType, INT8_BLOCK, isStorageType, sizeOf } from '@mamba-ts/backend';

/*
 * How tensors lie in buffers. f32 and i32: 4-byte words, row after row. f16, bf16 and int8 (weights): each row starts at a
 * multiple of 16 bytes, so that kernels read 16 bytes at a time whatever the width; the scales of int8 lie apart.
 */

export interface Layout {
  /** Length of the last axis. */
  readonly columns: number;
  readonly rows: number;
  /** 4-byte words from one row to the next. */
  readonly pitch: number;
  /** Scales a row, int8 only. */
  readonly blocks: number;
}

export function layoutOf(shape: readonly number[], dtype: DType): Layout {
  const columns = shape.at(-1) ?? 1;
  const rows = columns === 0 ? 0 : sizeOf(shape) / columns;
  if (!isStorageType(dtype)) return { columns, rows, pitch: columns, blocks: 0 };
  const perQuad = dtype === 'int8' ? 16 : 8;
  const pitch = 4 * Math.ceil(columns / perQuad);
  return { columns, rows, pitch, blocks: dtype === 'int8' ? Math.ceil(columns / INT8_BLOCK) : 0 };
}

/** Bytes of the values themselves, without padding. */
export function bytesOf(shape: readonly number[], dtype: DType): number {
  const { rows, blocks } = layoutOf(shape, dtype);
  const each = dtype === 'int8' ? 1 : isStorageType(dtype) ? 2 : 4;
  return sizeOf(shape) * each + 4 * rows * blocks;
}
