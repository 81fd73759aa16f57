export type { MambaConfig, MambaConfigInput } from './config/config.js';
export { writeConfig } from './config/original.js';
export { parseConfig } from './config/parse.js';
export { resolveConfig } from './config/resolve.js';
export type { Completion } from './generation/complete.js';
export type { Generated } from './generation/generate.js';
export type { GenerateOptions, SamplingOptions } from './generation/options.js';
export type { Prompt } from './generation/prompts.js';
export type { FinishReason } from './generation/text-stream.js';
export type { TokenIds } from './ids.js';
export {
  type CreateOptions,
  type ForwardOptions,
  type ForwardResult,
  MambaLM,
  type PrefillOptions,
} from './lm.js';
export type { LoadOptions } from './load.js';
export type { SaveOptions } from './save.js';
export { MambaState } from './state/state.js';
export { ByteTokenizer } from './tokenizers/bytes.js';
export { loadTokenizer } from './tokenizers/load.js';
export type { Tokenizer } from './tokenizers/tokenizer.js';
export type { WeightDType } from './weight-dtype.js';
