import { formatError } from './header.js';
import { byteOffset, decodeUtf8, parseJson } from './json.js';
import type { Source } from './source.js';

export interface ReadJsonOptions {
  signal?: AbortSignal | undefined;
  /** Default 64 MiB. */
  maxBytes?: number | undefined;
}

/**
 * Reads a JSON file of a checkpoint, such as `config.json`. `Infinity`, `-Infinity` and `NaN` are numbers, as Python
 * writes them. Objects come without a prototype, so a name like `__proto__` is only a name.
 *
 * @throws MambaError `CHECKPOINT_FORMAT` where it is not JSON, has a name twice in one object, is nested over 100
 *   levels deep, has over 2 million arrays, objects and names or is larger than `maxBytes`; `IO`; `ABORTED`
 */
export async function readJson(
  source: Source,
  path: string,
  options: ReadJsonOptions = {},
): Promise<unknown> {
  const { signal, maxBytes = 64 << 20 } = options;
  const size = await source.size(path, signal);
  if (size > maxBytes) throw formatError(path, `${size} bytes; at most ${maxBytes} are read as JSON`);
  const bytes = await source.read(path, { start: 0, end: size }, signal);
  const decoded = decodeUtf8(bytes);
  if (decoded === undefined) throw formatError(path, 'not UTF-8');
  // A byte order mark: Windows editors write it.
  const text = decoded.replace(/^\ufeff/, '');
  return parseJson(text, {
    fail(problem, index) {
      const offset = bytes.length - byteOffset(text, text.length) + byteOffset(text, index);
      throw formatError(path, `${problem} at byte ${offset}`, { offset });
    },
    nonFinite: true,
    maxDepth: 100,
    maxNodes: 2e6,
  });
}
