import { ObjectPool, record } from '@millrace/object-pool';

const Record = record({ value: 'f64' });
const warned = jest.spyOn(process, 'emitWarning').mockImplementation();
afterEach(() => warned.mockClear());
afterAll(() => warned.mockRestore());

test('close() in debug mode says what is still out, and where that was acquired', () => {
  const pool = new ObjectPool(Record, { capacity: 100, debug: true });
  const leak = (): number => pool.acquireIndex();
  leak();
  leak();
  pool.release(pool.acquire()!);
  pool.handOn(pool.acquireIndex());
  pool.close();
  expect(warned.mock.calls).toEqual([
    [
      'records still out when their pool was closed: 2',
      {
        type: 'ObjectPoolLeak',
        code: 'MILLRACE_OBJECT_POOL_LEAK',
        detail: expect.stringMatching(/^2 acquired at leak \(.*leaks\.test\.ts:\d+:\d+\)$/),
      },
    ],
  ]);
});

test('what another handle released is not out', () => {
  const pool = new ObjectPool(Record, { capacity: 100, debug: true });
  using other = ObjectPool.attach(pool.share());
  other.releaseIndex(pool.acquireIndex());
  pool.close();
  expect(warned).not.toHaveBeenCalled();
});

test('plain pools do the same', () => {
  const pool = new ObjectPool({ create: () => ({}), capacity: 100, debug: true });
  pool.release(pool.acquire()!);
  pool.acquire();
  pool.close();
  expect(warned.mock.calls).toEqual([
    [
      'objects still out when their pool was closed: 1',
      expect.objectContaining({ detail: expect.stringMatching(/^1 acquired at .*leaks\.test\.ts/) }),
    ],
  ]);
});

test('without debug mode nothing is said', () => {
  const pool = new ObjectPool(Record, { capacity: 100 });
  pool.acquire();
  pool.close();
  expect(warned).not.toHaveBeenCalled();
});
