export { AdamW, type AdamWOptions } from './adamw.js';
export { type AttentionConfig, AttentionLM, type AttentionOptions } from './attention/attention-lm.js';
export { type EvaluateOptions, type Evaluation, evaluateBatches } from './evaluate.js';
export { evaluateText, type TextEvaluation } from './evaluate-text.js';
export {
  EXPERIMENT_NAMES,
  type Experiment,
  type ExperimentName,
  type ExperimentOverrides,
  type ExperimentRow,
  experiment,
} from './experiments/definitions.js';
export { type LineChart, lineChart, type Point, type Series } from './experiments/plot.js';
export {
  type ExperimentResult,
  type ExperimentRowResult,
  type ExperimentRun,
  markdownTable,
  type TestFigures,
} from './experiments/result.js';
export {
  type ExperimentOptions,
  type ExperimentProgress,
  runExperiment,
} from './experiments/run-experiment.js';
export { lossAndGradients } from './loss-and-gradients.js';
export {
  type Best,
  type EvaluationMetrics,
  type RunOptions,
  type RunResult,
  type RunState,
  type RunStore,
  runTraining,
  type StepMetrics,
} from './run.js';
export { openModel, RunFolder, type RunModel } from './run-folder.js';
export { checkSchedule, learningRate, type Schedule } from './schedule.js';
export { TASK_NAMES, type TaskName, type TrainSettings } from './settings.js';
export { type BackwardOptions, type Tape, tape } from './tape/tape.js';
export { type CopyingOptions, copying, selectiveCopying } from './tasks/copying.js';
export { type InductionHeadsOptions, inductionHeads } from './tasks/induction-heads.js';
export {
  type Synthetic,
  type SyntheticSettings,
  syntheticBatch,
  syntheticChance,
  syntheticTask,
} from './tasks/synthetic.js';
export { type Batch, type Chance, IGNORE, type Task } from './tasks/task.js';
export { splitText, type TextSettings, textTask } from './tasks/text.js';
export { type TrainOptions, type TrainResult, type TrainStart, train } from './train.js';
export type { StreamState, Trainable } from './trainable.js';
export { type StepResult, Trainer, type TrainerOptions, type TrainerState } from './trainer.js';
