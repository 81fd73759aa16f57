import { expect, test } from 'vitest';
import { drop, FIRST, fork, measure, nextId, say } from './branches.js';

const textOf = (branches: typeof FIRST, id: number) =>
  branches.find((branch) => branch.id === id)?.pieces.map(({ by, text }) => `${by}:${text}`);

test('text of the same hand is one piece', () => {
  let branches = say(FIRST, 1, 'you', 'RO');
  branches = say(branches, 1, 'wasm', 'ME');
  branches = say(branches, 1, 'wasm', 'O');
  branches = say(branches, 1, 'webgpu', ':');
  branches = say(branches, 1, 'webgpu', '');
  expect(textOf(branches, 1)).toEqual(['you:RO', 'wasm:MEO', 'webgpu::']);
});

test('a fork shares the past and nothing else', () => {
  let branches = say(FIRST, 1, 'you', 'O');
  branches = fork(branches, 1, nextId(branches));
  branches = say(branches, 1, 'cpu', ' Romeo');
  branches = say(branches, 2, 'cpu', ' Juliet');
  expect(textOf(branches, 1)).toEqual(['you:O', 'cpu: Romeo']);
  expect(textOf(branches, 2)).toEqual(['you:O', 'cpu: Juliet']);
});

test('dropping the last leaves an empty page with an id of its own', () => {
  let branches = say(FIRST, 1, 'you', 'O');
  branches = drop(branches, 1);
  expect(branches.map(({ id, pieces }) => [id, pieces.length])).toEqual([[2, 0]]);
});

test('figures go to their branch', () => {
  const figures = { text: '', tokens: 3, tokensPerSecond: 9, position: 7, stateBytes: 5, done: false };
  const branches = measure(fork(FIRST, 1, 2), 2, { type: 'progress', branch: 2, ...figures });
  expect(branches.map(({ position, tokensPerSecond }) => [position, tokensPerSecond])).toEqual([
    [0, 0],
    [7, 9],
  ]);
});
