import { type Backend, sizeOf, type Tensor } from '@mamba-ts/backend';
import type { LayerState } from '../block.js';
import { type MambaConfig, stateColumns } from '../config/config.js';
import { bad, decodeState } from './format.js';

/** Makes one tensor of a state. */
type Make = (shape: readonly number[]) => Tensor;

/** The tensors of a state, layer by layer, each made by `make` in the order in which they are saved. */
function makeLayers(config: MambaConfig, batch: number, make: Make): LayerState[] {
  const { nLayer, dConv, dInner, complexA } = config;
  const ssm = [batch, dInner, stateColumns(config)];
  return Array.from({ length: nLayer }, () => ({
    conv: make([batch, dConv - 1, dInner]),
    ssm: complexA ? { re: make(ssm), im: make(ssm) } : make(ssm),
  }));
}

export function emptyLayers(
  config: MambaConfig,
  backend: Backend,
  dtype: 'f32' | 'f64',
  batch: number,
): LayerState[] {
  return backend.scope(() => makeLayers(config, batch, (shape) => backend.zeros(shape, dtype)));
}

export interface RestoredLayers {
  readonly layers: LayerState[];
  readonly batch: number;
  readonly position: number;
}

/** Uploads a saved state. `model` is the fingerprint of the model that wants it. */
export function restoreLayers(
  config: MambaConfig,
  backend: Backend,
  dtype: 'f32' | 'f64',
  model: string,
  bytes: Uint8Array,
): RestoredLayers {
  const saved = decodeState(bytes);
  const { batch, position } = saved;
  if (saved.model !== model) {
    throw bad(
      'model',
      `the state is of the model ${saved.model}, but this one is ${model}; restore it into its own`,
    );
  }
  const arrays = [...saved.arrays];
  const mismatch = () => bad('header', "the saved state's arrays do not have this model's sizes");
  const perLayer = config.complexA ? 3 : 2;
  if (batch < 1 || arrays.length !== perLayer * config.nLayer) throw mismatch();
  const layers = backend.scope(() =>
    makeLayers(config, batch, (shape) => {
      const array = arrays.shift()!;
      if (array.length !== sizeOf(shape)) throw mismatch();
      return backend.tensor(array, shape, dtype);
    }),
  );
  return { layers, batch, position };
}
