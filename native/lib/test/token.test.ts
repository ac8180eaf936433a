import { makeToken, readToken, sharedGone } from '@millrace/native';

describe('tokens', () => {
  const identity = { id: 3, nonce: 2 ** 52, copy: 9 };
  const token = makeToken('slab', identity, { shape: 1 });
  const reader = { copy: 9, package: '@millrace/slab' };

  test('say what they were made of, after a clone too', () => {
    expect(readToken('slab', structuredClone(token), reader)).toEqual({
      kind: 'slab',
      ...identity,
      pid: process.pid,
      shape: 1,
    });
  });

  test.each<[string, unknown, string]>([
    ['nothing', undefined, 'ERR_INVALID_ARG_TYPE'],
    ['another kind', { ...token, kind: 'queue' }, 'ERR_INVALID_ARG_VALUE'],
    ['no id', { ...token, id: '3' }, 'ERR_INVALID_ARG_VALUE'],
    ['a nonce that is no integer', { ...token, nonce: 0.5 }, 'ERR_INVALID_ARG_VALUE'],
    ['another process', { ...token, pid: 1 }, 'ERR_SHARED_GONE'],
    ['another copy of the package', { ...token, copy: 8 }, 'ERR_LAYOUT_MISMATCH'],
  ])('%s is refused', (_, given, code) => {
    expect(() => readToken('slab', given, reader)).toThrow(expect.objectContaining({ code }));
  });

  test('the error of what is gone says so', () => {
    expect(sharedGone('slab')).toMatchObject({ code: 'ERR_SHARED_GONE', message: expect.stringContaining('slab') });
  });
});
