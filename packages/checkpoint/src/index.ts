export { type CacheEntry, CheckpointCache, openCache } from './cache.js';
export { browserStore, type CacheStore, folderStore } from './cache-store.js';
export type { CheckpointData, CheckpointDType } from './dtype.js';
export { encodeSafetensors, type LazyTensorInput, type TensorInput, type Tensors } from './encode.js';
export type { TensorInfo } from './header.js';
export {
  type Checkpoint,
  type CheckpointTensor,
  type OpenCheckpointOptions,
  openCheckpoint,
  type Progress,
} from './open-checkpoint.js';
export { type OpenSourceOptions, openSource, type SourceLike } from './open-source.js';
export { type ReadJsonOptions, readJson } from './read-json.js';
export type { ByteRange, Source } from './source.js';
export { filesSource } from './sources/files.js';
export { folderSource } from './sources/folder.js';
export { type HttpOptions, HttpSource } from './sources/http.js';
export { type HubOptions, hubSource } from './sources/hub.js';
export { type FileRecord, memorySource } from './sources/memory.js';
export { type WriteOptions, writeCheckpoint, writeSafetensors } from './write.js';
export { writeFileAtomic } from './write-file-atomic.js';
