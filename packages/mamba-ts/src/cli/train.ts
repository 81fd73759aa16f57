import { MambaError } from '@mamba-ts/backend';
import { train as runTrain, TASK_NAMES, type TaskName, type TrainSettings } from '@mamba-ts/train';
import { BACKEND_OPTIONS, JSON_OPTION, openBackend } from './model.js';
import type { Options, Values } from './options.js';
import { Progress } from './progress.js';
import type { Verb } from './verb.js';

/** Steps between the lines that a pipe gets; a terminal has the bar. */
const LINE_EVERY = 10;

/** What stands between the projections of a block. */
const MIXER_OPTIONS: Options = {
  mixer: {
    kind: 'text',
    help: 'selective, linear time-invariant, or a Transformer to compare with',
    choices: ['s6', 's4d', 'attention'],
  },
  selective: {
    kind: 'text',
    value: 'LIST',
    help: 'which of delta,B,C depend on the input (s6): some of them, all or none',
  },
  complex: { kind: 'flag', help: 'complex A (s6)' },
  'd-state': { kind: 'integer', help: 'N: real numbers of state a channel', min: 1 },
  'no-gate': { kind: 'flag', help: 'leave out the branch that multiplies the mixer' },
  heads: { kind: 'integer', help: 'of the attention mixer', min: 1 },
};

function mixerSettings(values: Values): Pick<Partial<TrainSettings>, 'mixer' | 'heads' | 'model'> {
  const selective = values.text('selective');
  const dState = values.number('d-state');
  const model = {
    ...(selective !== undefined && { selective: parseSelective(selective) }),
    ...(values.flag('complex') && { complexA: true }),
    ...(dState !== undefined && { dState }),
    ...(values.flag('no-gate') && { gate: false }),
  };
  return {
    mixer: values.text('mixer') as TrainSettings['mixer'] | undefined,
    heads: values.number('heads'),
    ...(Object.keys(model).length > 0 && { model }),
  };
}

function parseSelective(list: string): { delta: boolean; B: boolean; C: boolean } {
  const named = list === 'all' ? ['delta', 'B', 'C'] : list === 'none' ? [] : list.split(',');
  const unknown = named.find((name) => !['delta', 'B', 'C'].includes(name));
  if (unknown !== undefined) {
    throw new MambaError(
      'INVALID_ARGUMENT',
      `--selective must be all, none, or some of delta,B,C; got "${unknown}"`,
    );
  }
  return { delta: named.includes('delta'), B: named.includes('B'), C: named.includes('C') };
}

export const train: Verb = {
  name: 'train',
  summary: 'train a model into a folder; killed and resumed, it gives the same losses',
  example: 'mamba-ts train --task text --data book.txt --out my-model',
  options: {
    task: { kind: 'text', help: 'what to learn; text unless given', choices: TASK_NAMES },
    data: {
      kind: 'text',
      value: 'FILE',
      help: 'the text to learn (task text): 90 % trains, the last 10 % validates',
    },
    out: {
      kind: 'text',
      value: 'DIR',
      help: 'folder of the run: the best model, checkpoints, metrics.jsonl',
      required: true,
    },
    resume: { kind: 'flag', help: 'go on from the newest checkpoint in --out' },
    steps: { kind: 'integer', help: 'optimiser steps in all', min: 1 },
    batch: { kind: 'integer', help: 'sequences a batch', min: 1 },
    length: { kind: 'integer', help: 'tokens a sequence', min: 2 },
    'min-length': { kind: 'integer', help: 'mixed lengths from here to --length; not for text', min: 1 },
    'eval-length': { kind: 'integer', help: 'tokens of an evaluation sequence; not for text', min: 2 },
    symbols: { kind: 'integer', help: 'ordinary tokens (induction-heads) [16]', min: 2 },
    vocab: { kind: 'integer', help: 'all tokens (copying, selective-copying) [16]', min: 4 },
    tokens: { kind: 'integer', help: 'tokens to memorise (copying, selective-copying) [16]', min: 1 },
    accumulate: { kind: 'integer', help: 'batches a step', min: 1 },
    lr: { kind: 'number', help: 'highest learning rate', min: 0 },
    'min-lr': { kind: 'number', help: 'learning rate at the end of the cosine', min: 0 },
    schedule: { kind: 'text', help: 'of the learning rate', choices: ['constant', 'cosine'] },
    warmup: { kind: 'integer', help: 'steps of linear warm-up', min: 0 },
    'weight-decay': { kind: 'number', help: 'decoupled; A_log and D never decay', min: 0 },
    clip: { kind: 'number', help: 'largest gradient norm', min: 0 },
    seed: { kind: 'integer', help: 'of the initial weights and the data', min: 0 },
    'd-model': { kind: 'integer', help: 'width', min: 1 },
    layers: { kind: 'integer', help: 'Mamba blocks', min: 1 },
    ...MIXER_OPTIONS,
    'eval-every': { kind: 'integer', help: 'steps between evaluations', min: 1 },
    'eval-size': { kind: 'integer', help: 'bytes (text) or sequences of an evaluation', min: 1 },
    'save-every': { kind: 'integer', help: 'steps between checkpoints', min: 1 },
    keep: { kind: 'integer', help: 'checkpoints kept', min: 1 },
    ...BACKEND_OPTIONS,
    ...JSON_OPTION,
  },
  async run(values, io) {
    const json = values.flag('json');
    const progress = new Progress(io);
    let steps = 0;
    const line = (record: object, text: string) => {
      progress.clear();
      io.out(json ? `${JSON.stringify(record)}\n` : `${text}\n`);
    };
    const backend = await openBackend(values);
    try {
      const result = await runTrain({
        backend,
        out: values.text('out') as string,
        resume: values.flag('resume'),
        signal: io.signal,
        // A run that is resumed knows its task.
        task: (values.text('task') ?? (values.flag('resume') ? undefined : 'text')) as TaskName | undefined,
        data: values.text('data'),
        steps: values.number('steps'),
        batch: values.number('batch'),
        length: values.number('length'),
        minLength: values.number('min-length'),
        evalLength: values.number('eval-length'),
        symbols: values.number('symbols'),
        vocabSize: values.number('vocab'),
        tokens: values.number('tokens'),
        accumulate: values.number('accumulate'),
        lr: values.number('lr'),
        minLr: values.number('min-lr'),
        schedule: values.text('schedule') as 'constant' | 'cosine' | undefined,
        warmup: values.number('warmup'),
        weightDecay: values.number('weight-decay'),
        clip: values.number('clip'),
        seed: values.number('seed'),
        dModel: values.number('d-model'),
        layers: values.number('layers'),
        ...mixerSettings(values),
        evalEvery: values.number('eval-every'),
        evalSize: values.number('eval-size'),
        saveEvery: values.number('save-every'),
        keep: values.number('keep'),
        onStart: ({ settings, step, parameters, chance }) => {
          line(
            { event: 'start', backend: backend.name, step, parameters, settings, chance },
            `${settings.task}: ${parameters} parameters on ${backend.description}, ` +
              `step ${step} of ${settings.steps}; a guesser's loss is ${chance.loss.toFixed(4)}`,
          );
          steps = settings.steps;
        },
        onStep: (metrics) => {
          const { step, loss, lr, tokensPerSecond } = metrics;
          const text =
            `step ${step}  loss ${loss.toFixed(4)}  lr ${lr.toExponential(2)}  ` +
            `${tokensPerSecond.toFixed(0)} tokens/s`;
          if (json) io.out(`${JSON.stringify({ event: 'step', ...metrics })}\n`);
          else if (io.isTerminal) progress.show(text, step, steps);
          else if (step % LINE_EVERY === 0) line(metrics, text);
        },
        onEvaluation: (metrics) => {
          const { step, validationLoss, tokenAccuracy } = metrics;
          line(
            { event: 'evaluation', ...metrics },
            `step ${step}  validation loss ${validationLoss.toFixed(4)}  accuracy ${(100 * tokenAccuracy).toFixed(2)} %`,
          );
        },
      });
      const { settings: _, ...summary } = result;
      line(
        { event: 'end', ...summary },
        result.best
          ? `best validation loss ${result.best.validationLoss.toFixed(4)} at step ${result.best.step}`
          : `stopped at step ${result.step}`,
      );
      if (result.aborted) throw new MambaError('ABORTED', `stopped at step ${result.step}: --resume goes on`);
    } finally {
      progress.clear();
      await backend.dispose();
    }
  },
};
