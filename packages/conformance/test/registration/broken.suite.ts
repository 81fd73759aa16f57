import { conformance } from '../../src/index.js';
import { createMinimalBackend } from '../minimal-backend.js';

const createBackend = async () => {
  const good = await createMinimalBackend();
  const add: typeof good.ops.add = ({ a }) => good.ops.copy({ x: a });
  return { ...good, ops: { ...good.ops, copy: good.ops.copy, add } };
};

conformance({
  name: 'broken',
  createBackend,
  createOracle: createMinimalBackend,
  ops: ['copy', 'add', 'mul'],
  dtypes: ['f32'],
});

conformance({
  name: 'absent',
  createBackend,
  createOracle: createMinimalBackend,
  skip: 'there is no such device here',
});
