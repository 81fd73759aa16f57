import { MambaError, type Tensor } from '@mamba-ts/backend';
import { Random } from '@mamba-ts/ssm';
import { AdamW, type AdamWOptions } from './adamw.js';
import { differentiate } from './loss-and-gradients.js';
import { checkSchedule, learningRate, type Schedule } from './schedule.js';
import type { Task } from './tasks/task.js';
import type { Trainable } from './trainable.js';

export interface TrainerOptions extends AdamWOptions {
  schedule: Schedule;
  /** Of the training data. */
  seed: number;
  /** Batches a step; their gradients are averaged, each batch weighing the same. Default 1. */
  accumulate?: number | undefined;
}

export interface StepResult {
  /** Counts from 1. */
  step: number;
  /** Mean over the step's batches, in nats, before the update. */
  loss: number;
  lr: number;
  /** Norm of all gradients together, before clipping. */
  gradNorm: number;
  /** Tokens read. */
  tokens: number;
}

/** What the trainer must remember, beside the parameters and the optimiser's moments, to go on exactly. */
export interface TrainerState {
  /** Steps done. */
  step: number;
  /** State of the data's random numbers: the position in the data. */
  random: number[];
}

/**
 * Trains a model on a task, step by step. Deterministic: the same parameters, options and seed give the same losses on a
 * deterministic backend. Knows no files, so that it runs in a browser; `train` puts a run into a folder.
 */
export class Trainer<M extends Trainable = Trainable> {
  readonly model: M;
  readonly task: Task;
  readonly optimiser: AdamW;
  readonly #schedule: Schedule;
  readonly #accumulate: number;
  #random: Random;
  #step = 0;

  /** @throws MambaError `INVALID_ARGUMENT` for an option outside its range */
  constructor(model: M, task: Task, options: TrainerOptions) {
    const { schedule, seed, accumulate = 1 } = options;
    checkSchedule(schedule);
    if (!Number.isInteger(accumulate) || accumulate < 1) {
      throw new MambaError(
        'INVALID_ARGUMENT',
        `accumulate must be an integer of at least 1, not ${accumulate}`,
      );
    }
    if (!Number.isSafeInteger(seed)) {
      throw new MambaError('INVALID_ARGUMENT', `seed must be an integer of at most 53 bits, not ${seed}`);
    }
    this.model = model;
    this.task = task;
    this.#schedule = schedule;
    this.#accumulate = accumulate;
    this.#random = new Random(seed);
    this.optimiser = new AdamW(model, options);
  }

  /** Steps done. */
  get step(): number {
    return this.#step;
  }

  /**
   * One step of the optimiser.
   * @throws MambaError `DIVERGED` if the loss or the gradients are not finite; the parameters are then spoiled
   */
  async train(): Promise<StepResult> {
    const { backend } = this.model;
    const step = this.#step + 1;
    const lr = learningRate(this.#schedule, step);
    const batches = Array.from({ length: this.#accumulate }, () => this.task.batch(this.#random));
    const { losses, norm } = backend.scope(() => {
      const losses: Tensor[] = [];
      let total: Map<string, Tensor> | undefined;
      for (const batch of batches) {
        const { loss, grads } = differentiate(this.model, batch, 1 / batches.length);
        losses.push(loss);
        total = total ? this.#sum(total, grads) : grads;
      }
      return { losses, norm: this.optimiser.step(total!, { step, lr }) };
    });
    try {
      const values = await Promise.all(losses.map(async (loss) => (await loss.data())[0]!));
      const gradNorm = (await norm.data())[0]!;
      const loss = values.reduce((sum, value) => sum + value, 0) / values.length;
      if (!Number.isFinite(loss) || !Number.isFinite(gradNorm)) {
        throw new MambaError(
          'DIVERGED',
          `step ${step}: the loss is ${loss} and the norm of its gradient ${gradNorm}. Lower the learning rate, warm up ` +
            'longer or clip harder, and resume from the last checkpoint',
          { details: { step, loss, gradNorm } },
        );
      }
      this.#step = step;
      const tokens = batches.reduce((sum, { ids }) => sum + ids.length * ids[0]!.length, 0);
      return { step, loss, lr, gradNorm, tokens };
    } finally {
      for (const tensor of [...losses, norm]) tensor.dispose();
    }
  }

  state(): TrainerState {
    return { step: this.#step, random: this.#random.state() };
  }

  /** Goes on from another trainer's state; its parameters and moments are the caller's to bring. */
  restore({ step, random }: TrainerState): void {
    this.#step = step;
    this.#random = Random.fromState(random);
  }

  /** Frees the optimiser's moments. The model stays. */
  dispose(): void {
    this.optimiser.dispose();
  }

  #sum(a: Map<string, Tensor>, b: Map<string, Tensor>): Map<string, Tensor> {
    const { ops } = this.model.backend;
    const sums = new Map<string, Tensor>();
    for (const name of new Set([...a.keys(), ...b.keys()])) {
      const [left, right] = [a.get(name), b.get(name)];
      sums.set(name, left && right ? ops.add({ a: left, b: right }) : (left ?? right)!);
      if (left && right) {
        left.dispose();
        right.dispose();
      }
    }
    return sums;
  }
}
