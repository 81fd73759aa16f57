import { MambaError, throwIfAborted } from '@mamba-ts/backend';
import {
  bytesOfData,
  type LaidOut,
  type LazyTensorInput,
  layOut,
  sorted,
  type TensorInput,
  type Tensors,
} from './encode.js';
import { nodeModules } from './node.js';
import type { Progress } from './open-checkpoint.js';
import { SHARD_INDEX, SINGLE_FILE } from './shard-index.js';
import { ioError } from './sources/folder.js';
import { randomTag, writeFileAtomic, writePiecesAtomic } from './write-file-atomic.js';

/** Shards as this writer and the Hugging Face libraries name them. */
const SHARD_NAME = /^model-([0-9a-z]{8}-)?\d{5}-of-\d{5}\.safetensors$/;

type AnyTensor = TensorInput | LazyTensorInput;

export interface WriteOptions {
  signal?: AbortSignal | undefined;
  /** `phase` is `write`. */
  onProgress?: ((progress: Progress) => void) | undefined;
}

async function writeLaidOut(
  path: string,
  tensors: readonly LaidOut<AnyTensor>[],
  metadata: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
  report: (file: string, bytes: number) => void,
): Promise<void> {
  const { header, tensors: ordered } = layOut(tensors, metadata);
  const name = nodeModules().path.basename(path);
  async function* pieces(): AsyncGenerator<Uint8Array, void, void> {
    yield header;
    for (const item of ordered) {
      throwIfAborted(signal, `writing ${path}`);
      const { tensor } = item;
      const bytes = bytesOfData(item, typeof tensor.data === 'function' ? await tensor.data() : tensor.data);
      yield bytes;
      report(name, bytes.length);
    }
  }
  await writePiecesAtomic(path, pieces(), signal);
}

function progressOf(tensors: readonly LaidOut<AnyTensor>[], options: WriteOptions) {
  const total = tensors.reduce((sum, { bytes }) => sum + bytes, 0);
  let loaded = 0;
  return (file: string, bytes: number) => {
    loaded += bytes;
    options.onProgress?.({ phase: 'write', file, loaded, total });
  };
}

/**
 * Writes a safetensors file (Node only), tensor by tensor: one at a time is in memory where `data` is a function. Until
 * all is on the disk, the old file stays what it was; see `writeFileAtomic`.
 *
 * @throws MambaError as `encodeSafetensors` and `writeFileAtomic`
 */
export async function writeSafetensors(
  path: string,
  tensors: Tensors<AnyTensor>,
  metadata: Readonly<Record<string, string>> = {},
  options: WriteOptions = {},
): Promise<void> {
  const list = sorted(tensors);
  await writeLaidOut(path, list, metadata, options.signal, progressOf(list, options));
}

/**
 * Writes `model.safetensors` into a folder, or, where the data passes `maxShardBytes`, shards and
 * `model.safetensors.index.json` (Node only). A tensor is never cut. One step makes the new checkpoint count (the rename
 * of the file or the index; the removal of an old `model.safetensors`), so a folder killed at any moment holds the old
 * checkpoint or the new one, whole.
 *
 * @param maxShardBytes bytes of tensor data in a file; default 5 GB
 * @throws MambaError as `writeSafetensors`
 */
export async function writeCheckpoint(
  folder: string,
  tensors: Tensors<AnyTensor>,
  options: WriteOptions & { metadata?: Readonly<Record<string, string>>; maxShardBytes?: number } = {},
): Promise<void> {
  const { metadata = {}, maxShardBytes = 5e9, signal } = options;
  if (!(maxShardBytes > 0))
    throw new MambaError('INVALID_ARGUMENT', `maxShardBytes is ${maxShardBytes}; it must be above 0`);
  const { fs, path: paths } = nodeModules();
  const failed = (cause: unknown): never => {
    throw ioError(folder, cause);
  };
  const remove = (name: string) => fs.rm(paths.join(folder, name), { force: true }).catch(failed);
  const list = sorted(tensors);
  const report = progressOf(list, options);
  await fs.mkdir(folder, { recursive: true }).catch(failed);
  const old = (await fs.readdir(folder).catch(failed)).filter((name) => SHARD_NAME.test(name));

  const shards: LaidOut<AnyTensor>[][] = [[]];
  let room = maxShardBytes;
  for (const item of list) {
    if (item.bytes > room && shards[shards.length - 1].length > 0) {
      shards.push([]);
      room = maxShardBytes;
    }
    shards[shards.length - 1].push(item);
    room -= item.bytes;
  }

  if (shards.length === 1) {
    await writeLaidOut(paths.join(folder, SINGLE_FILE), list, metadata, signal, report);
    // A single file comes before an index when a folder is opened, so it counts already.
    await remove(SHARD_INDEX);
  } else {
    // Shards of the checkpoint that is being replaced must keep their names until the new index stands.
    const tag = old.length > 0 ? `${randomTag()}-` : '';
    const weightMap: Record<string, string> = Object.create(null);
    for (const [i, shard] of shards.entries()) {
      const number = (n: number) => String(n).padStart(5, '0');
      const name = `model-${tag}${number(i + 1)}-of-${number(shards.length)}.safetensors`;
      await writeLaidOut(paths.join(folder, name), shard, metadata, signal, report);
      for (const item of shard) weightMap[item.name] = name;
    }
    const totalSize = list.reduce((sum, { bytes }) => sum + bytes, 0);
    const index = { metadata: { total_size: totalSize }, weight_map: weightMap };
    await writeFileAtomic(paths.join(folder, SHARD_INDEX), `${JSON.stringify(index, null, 2)}\n`, signal);
    await remove(SINGLE_FILE);
  }
  for (const name of old) await remove(name);
}
