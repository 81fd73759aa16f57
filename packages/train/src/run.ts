import { MambaError } from '@mamba-ts/backend';
import type { Evaluation } from './evaluate.js';
import type { StepResult, Trainer, TrainerState } from './trainer.js';
import { nextTurn } from './turn.js';

export interface StepMetrics extends Omit<StepResult, 'tokens'> {
  tokensPerSecond: number;
  /** Seconds since the run began; time between a kill and its resumption does not count. */
  elapsed: number;
}

export interface EvaluationMetrics {
  step: number;
  /** Nats. */
  validationLoss: number;
  tokenAccuracy: number;
  /** Absent where the validation set is one sequence. */
  sequenceAccuracy?: number;
  elapsed: number;
}

/** What a run must remember to go on exactly. */
export interface RunState extends TrainerState {
  /** The step of the last evaluation; 0 for none. */
  evaluated: number;
  best?: Best | undefined;
  /** Seconds. */
  elapsed: number;
}

/** The evaluation of lowest loss, the last of equals. */
export interface Best {
  step: number;
  validationLoss: number;
}

/** Where a run is kept. */
export interface RunStore {
  /** One line of metrics. */
  log(line: StepMetrics | EvaluationMetrics): Promise<void>;
  /** Keeps the present parameters as the best. */
  saveBest(): Promise<void>;
  /** Keeps everything that `state` leaves out too: parameters and moments. */
  save(state: RunState): Promise<void>;
}

export interface RunOptions {
  /** Where to stop, counted from the run's very beginning. */
  steps: number;
  /** Evaluate every so many steps, and at the end. */
  evalEvery: number;
  /** Save every so many steps, and at the end. */
  saveEvery: number;
  /** The state to go on from; the trainer has it already. */
  from?: RunState | undefined;
  store?: RunStore | undefined;
  /** Stops cleanly: the step is finished, an evaluation is not; all is saved; it returns. */
  signal?: AbortSignal | undefined;
  onStep?: ((metrics: StepMetrics) => void | Promise<void>) | undefined;
  onEvaluation?: ((metrics: EvaluationMetrics) => void | Promise<void>) | undefined;
}

export interface RunResult {
  /** Steps done since the run's very beginning. */
  step: number;
  /** Of the last step that this call ran. */
  last?: StepMetrics;
  /** The last evaluation of this call. */
  evaluation?: EvaluationMetrics;
  best: Best | undefined;
  /** Whether the signal stopped it. */
  aborted: boolean;
  elapsed: number;
}

/**
 * Trains to the given step: step, metrics, evaluation, checkpoint. In that order, so that a checkpoint never knows of more
 * than the metrics do.
 *
 * @throws MambaError `DIVERGED` if the loss is no longer finite; what was saved stays
 */
export async function runTraining(trainer: Trainer, options: RunOptions): Promise<RunResult> {
  const { steps, evalEvery, saveEvery, from, store, signal } = options;
  checkCounts({ steps, evalEvery, saveEvery });
  const begin = performance.now() - 1000 * (from?.elapsed ?? 0);
  const elapsed = () => (performance.now() - begin) / 1000;
  let { evaluated = 0, best } = from ?? {};
  let saved = trainer.step;
  let last: StepMetrics | undefined;
  let evaluation: EvaluationMetrics | undefined;

  const save = async () => {
    if (saved === trainer.step) return;
    await store?.save({ ...trainer.state(), evaluated, best, elapsed: elapsed() });
    saved = trainer.step;
  };

  for (;;) {
    const { step } = trainer;
    const isDue = (every: number) => step > 0 && (step % every === 0 || step >= steps);
    if (isDue(evalEvery) && evaluated !== step) {
      const result = await evaluateUnlessAborted(trainer, signal);
      if (result) {
        evaluated = step;
        evaluation = metricsOf(trainer, result, elapsed());
        // Of equals the later one: it has learned longer, and small tasks end at a loss of 0.
        if (evaluation.validationLoss <= (best?.validationLoss ?? Infinity)) {
          best = { step, validationLoss: evaluation.validationLoss };
          await store?.saveBest();
        }
        await store?.log(evaluation);
        await options.onEvaluation?.(evaluation);
      }
    }
    if (isDue(saveEvery)) await save();
    if (signal?.aborted || step >= steps) break;

    const start = performance.now();
    const { tokens, ...result } = await trainer.train();
    const tokensPerSecond = (1000 * tokens) / (performance.now() - start);
    last = { ...result, tokensPerSecond, elapsed: elapsed() };
    await store?.log(last);
    await options.onStep?.(last);
    await nextTurn();
  }
  await save();
  return {
    step: trainer.step,
    ...(last && { last }),
    ...(evaluation && { evaluation }),
    best,
    aborted: trainer.step < steps,
    elapsed: elapsed(),
  };
}

async function evaluateUnlessAborted(
  trainer: Trainer,
  signal: AbortSignal | undefined,
): Promise<Evaluation | undefined> {
  try {
    return await trainer.task.evaluate(trainer.model, { signal });
  } catch (error) {
    if (error instanceof MambaError && error.code === 'ABORTED') return undefined;
    throw error;
  }
}

function metricsOf({ step, task }: Trainer, evaluation: Evaluation, elapsed: number): EvaluationMetrics {
  const { loss, tokenAccuracy, sequenceAccuracy } = evaluation;
  return {
    step,
    validationLoss: loss,
    tokenAccuracy,
    ...(task.chance.sequenceAccuracy !== undefined && { sequenceAccuracy }),
    elapsed,
  };
}

function checkCounts(counts: Record<string, number>): void {
  for (const [name, value] of Object.entries(counts)) {
    if (!Number.isInteger(value) || value < 1) {
      throw new MambaError('INVALID_ARGUMENT', `${name} must be an integer of at least 1, not ${value}`);
    }
  }
}
