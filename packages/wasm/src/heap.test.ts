import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Heap, type Pin } from './heap.js';
import { HEAP_BASE, LINE } from './layout.js';

const MiB = 1 << 20;

function heapOf(limit: number): { heap: Heap; grown: number[] } {
  const grown: number[] = [];
  return { heap: new Heap(MiB, limit, (bytes) => void grown.push(bytes)), grown };
}

describe('the heap', () => {
  test('blocks begin on a cache line, behind what is fixed', () => {
    const { heap } = heapOf(8 * MiB);
    for (const bytes of [1, 63, 64, 65, 4000]) {
      const address = heap.allocate(bytes);
      expect(address % LINE).toBe(0);
      expect(address).toBeGreaterThanOrEqual(HEAP_BASE);
    }
  });

  test('the same sizes again get the same blocks again, and memory does not grow', () => {
    const { heap, grown } = heapOf(8 * MiB);
    const sizes = [300_000, 64, 500_000, 70_000];
    const round = () => {
      const blocks = sizes.map((size) => heap.allocate(size));
      blocks.forEach((block, i) => {
        heap.free(block, sizes[i]);
      });
      return blocks;
    };
    const first = round();
    for (let i = 0; i < 100; i++) expect(round()).toEqual(first);
    expect(grown.length).toBe(0);
  });

  test('neighbours are merged, and the tightest block is cut, before memory grows', () => {
    const { heap, grown } = heapOf(8 * MiB);
    const [a, b, between, c, end] = [100_000, 100_000, 64, 300_000, 64].map((size) => heap.allocate(size));
    heap.free(a, 100_000);
    heap.free(b, 100_000);
    heap.free(c, 300_000);
    // 200 000 fits both a with b and c.
    expect(heap.allocate(200_000)).toBe(a);
    expect(heap.allocate(150_000)).toBe(c);
    heap.free(between, 64);
    heap.free(end, 64);
    expect(grown.length).toBe(0);
  });

  test('what does not fit is OUT_OF_MEMORY, with what was asked and what there is, and takes nothing', () => {
    const { heap } = heapOf(2 * MiB);
    const block = heap.allocate(MiB);
    expect(() => heap.allocate(MiB)).toThrow(
      expect.objectContaining({
        code: 'OUT_OF_MEMORY',
        details: expect.objectContaining({ bytes: MiB, limit: 2 * MiB }),
      }),
    );
    heap.free(block, MiB);
    expect(heap.allocate(MiB + MiB / 2)).toBe(block);
  });

  test('an engine that gives no more memory is OUT_OF_MEMORY too', () => {
    const heap = new Heap(MiB, 64 * MiB, () => {
      throw new RangeError('WebAssembly.Memory.grow(): Unable to grow instance memory');
    });
    expect(() => heap.allocate(4 * MiB)).toThrow(expect.objectContaining({ code: 'OUT_OF_MEMORY' }));
    expect(heap.allocate(1000)).toBe(HEAP_BASE);
  });

  test('live blocks never overlap, and once all are freed all of the memory is one block again', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ size: fc.integer({ min: 1, max: 90_000 }), free: fc.nat() }), {
          maxLength: 200,
        }),
        (steps) => {
          const { heap } = heapOf(1 << 30);
          const live: { address: number; size: number }[] = [];
          let top = 0;
          for (const { size, free } of steps) {
            const address = heap.allocate(size);
            for (const other of live) {
              expect(address + size <= other.address || other.address + other.size <= address).toBe(true);
            }
            live.push({ address, size });
            top = Math.max(top, address + size);
            if (free % 3 > 0) {
              const [gone] = live.splice(free % live.length, 1);
              heap.free(gone.address, gone.size);
            }
          }
          for (const { address, size } of live) heap.free(address, size);
          if (top > 0) expect(heap.allocate(top - HEAP_BASE)).toBe(HEAP_BASE);
        },
      ),
      { numRuns: 100 },
    );
  });

  test('what is allocated while pinning stays reserved, freed or not, until it is unpinned', () => {
    const { heap } = heapOf(8 * MiB);
    const pins: Pin[] = [];
    const [kept, freed] = heap.pinning(pins, () => {
      const blocks = [heap.allocate(1000), heap.allocate(1000)];
      heap.free(blocks[1], 1000);
      expect(blocks).not.toContain(heap.allocate(1000));
      return blocks;
    });
    heap.free(kept, 1000);
    const others = [heap.allocate(1000), heap.allocate(1000)];
    expect(others).not.toContain(kept);
    expect(others).not.toContain(freed);
    heap.unpin(pins);
    expect([heap.allocate(1000), heap.allocate(1000)].sort()).toEqual([kept, freed].sort());
  });

  test('pinning ends where its function throws', () => {
    const { heap } = heapOf(8 * MiB);
    const pins: Pin[] = [];
    expect(() =>
      heap.pinning(pins, () => {
        heap.allocate(64);
        throw new Error('mine');
      }),
    ).toThrow('mine');
    expect(pins.length).toBe(1);
    const block = heap.allocate(64);
    heap.free(block, 64);
    expect(heap.allocate(64)).toBe(block);
  });
});
