import { MambaError } from '@mamba-ts/backend';
import type { MambaConfig, MambaConfigInput } from './config.js';

/** Makes the error for a field: the caller knows how the user calls it (`dModel`, `d_model`, `hidden_size`). */
export type Fail = (field: string, problem: string) => MambaError;

const invalid: Fail = (field, problem) =>
  new MambaError('INVALID_ARGUMENT', `config.${field} ${problem}`, { details: { field } });

/* Far above any model that exists, far below what would overflow an index or hang a loop over layers. */
const MAX_LAYERS = 4096;
const MAX_WIDTH = 2 ** 20;
const MAX_VOCAB = 2 ** 24;
const MAX_STATE = 4096;
const MAX_CONV = 1024;
const MAX_ELEMENTS = 2 ** 31 - 1;

/**
 * Fills in the official defaults and checks every field. Allocates nothing that grows with the sizes asked for.
 * @throws MambaError `INVALID_ARGUMENT`, or what `fail` makes, naming the first field that is wrong
 */
export function resolveConfig(input: MambaConfigInput, fail: Fail = invalid): MambaConfig {
  if (typeof input !== 'object' || input === null) {
    throw new MambaError('INVALID_ARGUMENT', 'config must be an object with at least dModel and nLayer');
  }
  const fields = new Fields(input as unknown as Record<string, unknown>, fail);
  const bytes = fields.oneOf('tokenizer', ['bytes', undefined], undefined) === 'bytes';
  const dModel = fields.integer('dModel', 1, MAX_WIDTH);
  const nLayer = fields.integer('nLayer', 1, MAX_LAYERS);
  const vocabSize = fields.integer('vocabSize', 1, MAX_VOCAB, bytes ? 256 : undefined);
  if (bytes && vocabSize < 256) throw fail('vocabSize', `must be at least 256 for bytes, not ${vocabSize}`);
  const padVocabSizeMultiple = fields.integer('padVocabSizeMultiple', 1, MAX_VOCAB, 8);
  const paddedVocabSize = Math.ceil(vocabSize / padVocabSizeMultiple) * padVocabSizeMultiple;
  fields.derived('paddedVocabSize', paddedVocabSize, 'vocabSize rounded up to padVocabSizeMultiple');

  const expand = fields.number('expand', 2 ** -20, MAX_WIDTH, 2);
  const dInner = fields.integer('dInner', 1, MAX_WIDTH, Math.floor(expand * dModel));
  const dConv = fields.integer('dConv', 2, MAX_CONV, 4);
  const auto = Math.ceil(dModel / 16);
  const dtRank = fields.value('dtRank') === 'auto' ? auto : fields.integer('dtRank', 1, MAX_WIDTH, auto);
  const dtMin = fields.number('dtMin', Number.MIN_VALUE, 1e6, 0.001);
  const dtMax = fields.number('dtMax', dtMin, 1e6, Math.max(0.1, dtMin));
  const dtInitFloor = fields.number('dtInitFloor', 0, 1e6, 1e-4);
  const dIntermediate = fields.integer('dIntermediate', 0, MAX_WIDTH, 0);

  const mixer = fields.oneOf('mixer', ['s6', 's4d'], 's6');
  const lti = mixer === 's4d';
  const complexA = fields.boolean('complexA', lti);
  if (lti && !complexA) throw fail('complexA', 'must be true for the mixer s4d, whose A is complex');
  const dState = fields.integer('dState', 1, MAX_STATE, 16);
  if (complexA && dState % 2 === 1) {
    throw fail('dState', `must be even with complex A (conjugate pairs), not ${dState}`);
  }
  const selective = resolveSelective(fields, lti, fail);

  const largest = Math.max(paddedVocabSize, 2 * dInner, 2 * dIntermediate) * dModel;
  if (largest > MAX_ELEMENTS) {
    throw fail('dModel', `makes a matrix of ${largest} elements; at most ${MAX_ELEMENTS} are supported`);
  }
  const id = (field: string) => fields.optionalInteger(field, 0, MAX_VOCAB);
  return {
    dModel,
    nLayer,
    vocabSize,
    padVocabSizeMultiple,
    paddedVocabSize,
    dInner,
    dState,
    dConv,
    expand,
    dtRank,
    dtMin,
    dtMax,
    dtInitFloor,
    dtScale: fields.number('dtScale', 0, 1e6, 1),
    dtInit: fields.oneOf('dtInit', ['random', 'constant'], 'random'),
    bias: fields.boolean('bias', false),
    convBias: fields.boolean('convBias', true),
    rmsNorm: fields.boolean('rmsNorm', true),
    normEps: fields.number('normEps', Number.MIN_VALUE, 1, 1e-5),
    residualInFp32: fields.boolean('residualInFp32', true),
    tieEmbeddings: fields.boolean('tieEmbeddings', true),
    dIntermediate,
    mixer,
    selective,
    complexA,
    gate: fields.boolean('gate', true),
    tokenizer: bytes ? 'bytes' : undefined,
    bosTokenId: id('bosTokenId'),
    eosTokenIds: resolveEos(fields, fail),
    padTokenId: id('padTokenId'),
  };
}

function resolveSelective(fields: Fields, lti: boolean, fail: Fail): MambaConfig['selective'] {
  const given = fields.value('selective') ?? {};
  if (typeof given !== 'object' || Array.isArray(given)) {
    throw fail('selective', 'must be an object of booleans: { delta, B, C }');
  }
  const nested = new Fields(given as Record<string, unknown>, (field, problem) =>
    fail(`selective.${field}`, problem),
  );
  const selective = {
    delta: nested.boolean('delta', !lti),
    B: nested.boolean('B', !lti),
    C: nested.boolean('C', !lti),
  };
  if (lti && (selective.delta || selective.B || selective.C)) {
    throw fail('selective', 'must be all false for the mixer s4d, which is time-invariant');
  }
  return selective;
}

function resolveEos(fields: Fields, fail: Fail): number[] {
  const given = fields.value('eosTokenIds') ?? [];
  if (!Array.isArray(given) || given.length > 64) {
    throw fail('eosTokenIds', 'must be a list of at most 64 token ids');
  }
  const ids = new Fields(Object.fromEntries(given.entries()), (index, problem) =>
    fail(`eosTokenIds[${index}]`, problem),
  );
  return given.map((_, i) => ids.integer(String(i), 0, MAX_VOCAB));
}

/** Reads fields of an untrusted object by type and range. */
class Fields {
  readonly #values: Record<string, unknown>;
  readonly #fail: Fail;

  constructor(values: Record<string, unknown>, fail: Fail) {
    this.#values = values;
    this.#fail = fail;
  }

  value(field: string): unknown {
    return Object.hasOwn(this.#values, field) ? (this.#values[field] ?? undefined) : undefined;
  }

  number(field: string, min: number, max: number, fallback?: number): number {
    const value = this.value(field) ?? fallback;
    if (value === undefined) throw this.#fail(field, 'is missing');
    if (typeof value !== 'number' || !(value >= min && value <= max)) {
      throw this.#fail(field, `must be a number in [${min}, ${max}], not ${show(value)}`);
    }
    return value;
  }

  integer(field: string, min: number, max: number, fallback?: number): number {
    const value = this.value(field) ?? fallback;
    if (value === undefined) throw this.#fail(field, 'is missing');
    if (!Number.isInteger(value) || (value as number) < min || (value as number) > max) {
      throw this.#fail(field, `must be an integer in [${min}, ${max}], not ${show(value)}`);
    }
    return value as number;
  }

  optionalInteger(field: string, min: number, max: number): number | undefined {
    return this.value(field) === undefined ? undefined : this.integer(field, min, max);
  }

  boolean(field: string, fallback: boolean): boolean {
    const value = this.value(field) ?? fallback;
    if (typeof value !== 'boolean') throw this.#fail(field, `must be true or false, not ${show(value)}`);
    return value;
  }

  oneOf<T extends string | undefined>(field: string, choices: readonly T[], fallback: T): T {
    const value = (this.value(field) ?? fallback) as T;
    if (!choices.includes(value)) {
      const list = choices.filter((choice) => choice !== undefined).join(' or ');
      throw this.#fail(field, `must be ${list}, not ${show(value)}`);
    }
    return value;
  }

  /** A field that follows from others: absent, or what it follows to. */
  derived(field: string, expected: number, from: string): void {
    const value = this.value(field) ?? expected;
    if (value !== expected) throw this.#fail(field, `must be ${expected} (${from}), not ${show(value)}`);
  }
}

/** A short, safe picture of an untrusted value. */
export function show(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value);
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}
