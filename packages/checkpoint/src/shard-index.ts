import { formatError } from './header.js';
import { isObject, quote } from './json.js';
import { readJson } from './read-json.js';
import { type Source, unsafePath } from './source.js';

/** The name of a checkpoint in one file. */
export const SINGLE_FILE = 'model.safetensors';
/** The name of the file that says which shard holds which tensor. */
export const SHARD_INDEX = 'model.safetensors.index.json';

const MAX_INDEX_BYTES = 100_000_000;

/**
 * Reads the index of a checkpoint in shards.
 *
 * @returns the shard of each tensor, as a path in the source
 * @throws MambaError `CHECKPOINT_FORMAT` where it is malformed, or names a file outside its folder
 */
export async function readShardIndex(
  source: Source,
  path: string,
  signal?: AbortSignal,
): Promise<Map<string, string>> {
  const index = await readJson(source, path, { maxBytes: MAX_INDEX_BYTES, ...(signal && { signal }) });
  const map = isObject(index) ? index.weight_map : undefined;
  if (!isObject(map)) throw formatError(path, 'weight_map is not an object of tensor names and file names');
  const folder = path.slice(0, path.lastIndexOf('/') + 1);
  const shards = new Map<string, string>();
  for (const [tensor, file] of Object.entries(map)) {
    const reason = typeof file === 'string' ? unsafePath(file) : 'is not a string';
    if (reason !== undefined) {
      throw formatError(path, `the file ${quote(file)} of tensor ${quote(tensor)} ${reason}`, { tensor });
    }
    shards.set(tensor, folder + file);
  }
  return shards;
}
