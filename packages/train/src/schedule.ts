import { MambaError } from '@mamba-ts/backend';

export interface Schedule {
  kind: 'constant' | 'cosine';
  /** The highest learning rate. */
  lr: number;
  /** Steps of linear warm-up: step s of them runs at lr * s / warmup. */
  warmup: number;
  /** All steps, the warm-up included: where the cosine ends. */
  steps: number;
  /** Where the cosine ends. Default lr / 10. */
  minLr?: number | undefined;
}

/** The learning rate of a step; steps count from 1. After `steps`, the last one's. */
export function learningRate({ kind, lr, warmup, steps, minLr = lr / 10 }: Schedule, step: number): number {
  if (step < warmup) return (lr * step) / warmup;
  if (kind === 'constant') return lr;
  const progress = steps > warmup ? Math.min(1, (step - warmup) / (steps - warmup)) : 0;
  return minLr + ((lr - minLr) * (1 + Math.cos(Math.PI * progress))) / 2;
}

/** Throws `INVALID_ARGUMENT` for a schedule that makes no sense. */
export function checkSchedule({ kind, lr, warmup, steps, minLr = 0 }: Schedule): void {
  if (kind !== 'constant' && kind !== 'cosine') {
    throw new MambaError('INVALID_ARGUMENT', `schedule: must be constant or cosine, not ${String(kind)}`);
  }
  if (!(lr > 0 && Number.isFinite(lr))) {
    throw new MambaError('INVALID_ARGUMENT', `schedule: the learning rate must be above 0, not ${lr}`);
  }
  if (!(minLr >= 0 && minLr <= lr)) {
    throw new MambaError('INVALID_ARGUMENT', `schedule: minLr must be in [0, lr = ${lr}], not ${minLr}`);
  }
  if (!Number.isInteger(warmup) || warmup < 0 || warmup > steps) {
    throw new MambaError(
      'INVALID_ARGUMENT',
      `schedule: warm-up must be an integer in [0, steps = ${steps}], not ${warmup}`,
    );
  }
}
