import { type Backend, type DType, MambaError } from '@mamba-ts/backend';
import type { ParameterSpec } from './parameters/spec.js';

/**
 * Type of a model's weights.
 *
 * - `f32`: everything in f32.
 * - `f16`, `bf16`, `int8`: the weights of `linear` and `embedding`; everything else stays f32, and so do activations and
 *   states. (int8 keeps the small projections to and from Δ, B and C in f16.)
 * - `f64`: everything, activations and states too; on cpu.
 */
export type WeightDType = 'f64' | 'f32' | 'f16' | 'bf16' | 'int8';

export function activationDType(dtype: WeightDType): 'f32' | 'f64' {
  return dtype === 'f64' ? 'f64' : 'f32';
}

/** The type that a parameter is kept in. */
export function parameterDType({ role }: Pick<ParameterSpec, 'role'>, dtype: WeightDType): WeightDType {
  if (role === 'vector') return activationDType(dtype);
  return role === 'projection' && dtype === 'int8' ? 'f16' : dtype;
}

/** Refuses, before anything is read, what the backend cannot run. */
export function checkWeightDType(backend: Backend, dtype: unknown): WeightDType {
  const choices: readonly unknown[] = ['f64', 'f32', 'f16', 'bf16', 'int8'];
  if (!choices.includes(dtype)) {
    throw new MambaError(
      'INVALID_ARGUMENT',
      `dtype must be one of ${choices.join(', ')}, not ${String(dtype)}`,
    );
  }
  const weights = new Set(
    (['matrix', 'projection'] as const).map((role) => parameterDType({ role }, dtype as WeightDType)),
  );
  for (const weight of weights) {
    const need = { dtype: activationDType(dtype as WeightDType), weight: weight as DType };
    if (!backend.supports('linear', need) || !backend.supports('embedding', need)) {
      throw new MambaError(
        'DTYPE',
        `the backend ${backend.name} does not run models with ${dtype} weights; f32 runs on every backend`,
      );
    }
  }
  return dtype as WeightDType;
}
