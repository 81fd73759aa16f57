import { MambaError } from '@mamba-ts/backend';
import { anySignal } from './abort.js';
import { type CheckpointData, type CheckpointDType, viewAs } from './dtype.js';
import { formatError, headerLength, parseHeader, type TensorInfo } from './header.js';
import { quote } from './json.js';
import { type OpenSourceOptions, openSource, type SourceLike } from './open-source.js';
import { readShardIndex, SHARD_INDEX, SINGLE_FILE } from './shard-index.js';
import type { Source } from './source.js';

/** How far a checkpoint is read or written. `loaded` never falls, `total` never changes. */
export interface Progress {
  /** `header`: what is in the files; `weights`: the tensors; `write`. */
  readonly phase: 'header' | 'weights' | 'write';
  readonly file: string;
  /** Bytes so far. */
  readonly loaded: number;
  /** Bytes of all files: reached where every tensor is read. */
  readonly total: number;
}

export interface OpenCheckpointOptions extends OpenSourceOptions {
  /** Aborts opening and every read. */
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
}

/** A tensor that was read. `data` is the typed array of the dtype (see `CheckpointDType`). */
export interface CheckpointTensor {
  readonly dtype: CheckpointDType;
  readonly shape: readonly number[];
  readonly data: CheckpointData;
}

/** An open checkpoint: what is in it is known, the tensors are read when asked for. */
export interface Checkpoint {
  readonly source: Source;
  /** The files of weights. */
  readonly files: readonly string[];
  /** In the order of the files and of the data in them: reading in this order is fastest. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** `__metadata__` of the files together; of a key in two files, the first. */
  readonly metadata: Readonly<Record<string, string>>;
  /**
   * Reads one tensor, and nothing else of the file. Where the source is memory, `data` may be a view of it: do not write
   * into it.
   *
   * @throws MambaError `INVALID_ARGUMENT` where there is no such tensor; `CHECKPOINT_FORMAT` where the file is shorter than
   *   it was; `IO`; `ABORTED`
   */
  read(name: string, options?: { signal?: AbortSignal }): Promise<CheckpointTensor>;
}

/**
 * Opens a checkpoint: `model.safetensors`, or `model.safetensors.index.json` and its shards, or the one file of either
 * kind that the source points at or holds.
 *
 * @throws MambaError `CHECKPOINT_FORMAT` where a file is malformed: the message and `details` say which file, and which
 *   tensor or offset; `IO`; `ABORTED`
 */
export async function openCheckpoint(
  from: SourceLike,
  options: OpenCheckpointOptions = {},
): Promise<Checkpoint> {
  const { signal, onProgress, ...sourceOptions } = options;
  const source = await openSource(from, sourceOptions);
  const entry = source.entry ?? (await findEntry(source, signal));
  const index = entry.endsWith('.json') ? await readShardIndex(source, entry, signal) : undefined;
  const files = index ? [...new Set(index.values())].sort() : [entry];

  const sizes = new Map<string, number>();
  for (const file of files) {
    if (index && !(await source.has(file, signal))) {
      const tensor = [...index].find(([, shard]) => shard === file)?.[0];
      throw formatError(
        entry,
        `names the file ${quote(file)} (tensor ${quote(tensor)}), which is not there`,
        { tensor },
      );
    }
    sizes.set(file, await source.size(file, signal));
  }
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  let loaded = 0;
  const report = (phase: Progress['phase'], file: string, bytes: number) => {
    loaded += bytes;
    onProgress?.({ phase, file, loaded, total });
  };

  const tensors = new Map<string, TensorInfo>();
  const metadata: Record<string, string> = Object.create(null);
  for (const [file, size] of sizes) {
    const header = await readHeader(source, file, size, signal);
    for (const [key, value] of Object.entries(header.metadata)) metadata[key] ??= value;
    for (const [name, info] of header.tensors) {
      // The index decides: a shard may hold more than it says.
      if (!index || index.get(name) === file) tensors.set(name, info);
    }
    report('header', file, header.bytes);
  }
  for (const [tensor, file] of index ?? []) {
    if (!tensors.has(tensor)) {
      throw formatError(
        entry,
        `puts tensor ${quote(tensor)} into ${quote(file)}, which has none of that name`,
        {
          tensor,
        },
      );
    }
  }

  // A tensor that is read twice, or again after an abort, counts once.
  const counted = new Map<string, number>();
  return {
    source,
    files,
    tensors,
    metadata,
    async read(name, { signal: ofRead } = {}) {
      const info = tensors.get(name);
      if (!info) {
        throw new MambaError(
          'INVALID_ARGUMENT',
          `${source.name} has no tensor ${quote(name)}; it has ${tensors.size} others`,
        );
      }
      const { dtype, shape, file, offset } = info;
      let come = 0;
      const range = { start: offset, end: offset + info.bytes };
      const bytes = await readExactly(source, file, range, anySignal(signal, ofRead), (count) => {
        come += count;
        const before = counted.get(name) ?? 0;
        if (come <= before) return;
        counted.set(name, come);
        report('weights', file, come - before);
      });
      return { dtype, shape, data: viewAs(bytes, dtype) };
    },
  };
}

/** A source of anyone's may give less than it was asked for. */
async function readExactly(
  source: Source,
  file: string,
  range: { start: number; end: number },
  signal?: AbortSignal,
  onBytes?: (count: number) => void,
): Promise<Uint8Array> {
  const bytes = await source.read(file, range, signal, onBytes);
  if (bytes.length === range.end - range.start) return bytes;
  throw formatError(
    file,
    `bytes ${range.start} to ${range.end} were asked for, ${bytes.length} came: truncated?`,
    {
      offset: range.start + bytes.length,
    },
  );
}

async function readHeader(source: Source, file: string, size: number, signal?: AbortSignal) {
  const prefix = await readExactly(source, file, { start: 0, end: Math.min(8, size) }, signal);
  const length = headerLength(prefix, file, size);
  const bytes = await readExactly(source, file, { start: 8, end: 8 + length }, signal);
  return { ...parseHeader(bytes, file, size), bytes: 8 + length };
}

async function findEntry(source: Source, signal?: AbortSignal): Promise<string> {
  for (const path of [SINGLE_FILE, SHARD_INDEX]) if (await source.has(path, signal)) return path;
  const paths = (await source.list?.(signal)) ?? [];
  for (const end of ['.safetensors.index.json', '.safetensors']) {
    const found = paths.filter((path) => path.endsWith(end));
    if (found.length === 1) return found[0];
    if (found.length > 1) {
      throw formatError(
        source.name,
        `has ${found.length} files *${end} (${quote(found)}); point at one of them`,
      );
    }
  }
  const pickle = await source.has('pytorch_model.bin', signal);
  const hint = pickle
    ? '; its pytorch_model.bin is a Python pickle, which is not read: convert it to safetensors, or take the "-hf" repository'
    : '';
  throw formatError(source.name, `has neither ${SINGLE_FILE} nor ${SHARD_INDEX}${hint}`);
}
