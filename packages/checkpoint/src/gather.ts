import { allocate } from './source.js';

/** Memory grows from here as bytes arrive: a server may promise more than it has. */
const FIRST_BYTES = 8 << 20;

/**
 * Joins pieces into one array; undefined where they pass `limit`. At no time is there memory for more than twice the
 * bytes that came, or `FIRST_BYTES`.
 */
export async function gather(
  pieces: AsyncIterable<Uint8Array>,
  limit: number,
  where: string,
  onBytes?: (count: number) => void,
): Promise<Uint8Array | undefined> {
  let bytes = allocate(Math.min(limit, FIRST_BYTES), where);
  let length = 0;
  for await (const piece of pieces) {
    if (length + piece.length > limit) return undefined;
    if (length + piece.length > bytes.length) {
      const grown = allocate(Math.min(limit, Math.max(2 * bytes.length, length + piece.length)), where);
      grown.set(bytes.subarray(0, length));
      bytes = grown;
    }
    bytes.set(piece, length);
    length += piece.length;
    onBytes?.(piece.length);
  }
  return length === bytes.length ? bytes : bytes.slice(0, length);
}
