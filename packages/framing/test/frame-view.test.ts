import { FrameView } from '@millrace/framing/internal';

const code = (body: () => unknown): string | undefined => {
  try {
    body();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
  return undefined;
};

function viewOf(bytes: Uint8Array, start = 0, parts: number[] = []): FrameView {
  const memory = new Uint8Array(new SharedArrayBuffer(64 + start + bytes.length));
  memory.set(bytes, start);
  const words = new Uint32Array([99, 99, ...parts]);
  const view = new FrameView(memory, words);
  view.reset(start, bytes.length, 2, parts.length / 2);
  return view;
}

describe('FrameView', () => {
  test('reads numbers in either order, at any alignment', () => {
    const bytes = Buffer.from([0xff, 0x01, 0x02, 0x83, 0x04, 0x05, 0x06, 0x07, 0x88]);
    const view = viewOf(bytes, 3);
    expect(view.byteLength).toBe(9);
    expect(view.u8(0)).toBe(0xff);
    expect(view.u16(1)).toBe(0x0102);
    expect(view.u16(1, true)).toBe(0x0201);
    expect(view.u32(1)).toBe(0x01028304);
    expect(view.u32(1, true)).toBe(0x04830201);
    expect(view.i32(3)).toBe(0x83040506 | 0);
    expect(view.i32(5, true)).toBe(0x88070605 | 0);
    expect(view.u64(1)).toBe(0x0102830405060788n);
    expect(view.u64(1, true)).toBe(0x8807060504830201n);
    bytes.writeDoubleBE(1.5, 1);
    expect(viewOf(bytes).f64(1)).toBe(1.5);
    bytes.writeDoubleLE(-2.5, 1);
    expect(viewOf(bytes).f64(1, true)).toBe(-2.5);
  });

  test('makes strings of every length', () => {
    for (let length = 0; length <= 20; length++) {
      const text = 'abcdefghijklmnopqrst'.slice(0, length);
      const latin = Buffer.from(text.replace('b', 'ü'), 'latin1');
      expect(viewOf(Buffer.from(text), 5).utf8()).toBe(text);
      expect(viewOf(latin, 5).latin1()).toBe(latin.toString('latin1'));
      const utf8 = Buffer.from(text.replace('b', 'ü'));
      expect(viewOf(utf8, 5).utf8()).toBe(utf8.toString());
    }
    expect(viewOf(Buffer.from('hello')).latin1(1, 3)).toBe('el');
    expect(viewOf(Buffer.from('hello')).utf8(4)).toBe('o');
    expect(viewOf(Buffer.from([0xff])).utf8()).toBe('\ufffd');
  });

  test('view shares the memory, copy does not', () => {
    const view = viewOf(Buffer.from('hello'), 7);
    const shared = view.view(1, 4);
    expect(Buffer.isBuffer(shared)).toBe(false);
    expect(shared.buffer).toBeInstanceOf(SharedArrayBuffer);
    const copy = view.copy(1, 4);
    expect(Buffer.isBuffer(copy)).toBe(true);
    expect(copy.buffer).not.toBeInstanceOf(SharedArrayBuffer);
    expect(copy.toString()).toBe('ell');
    shared[0] = 0x45;
    expect(view.latin1()).toBe('hEllo');
    expect(copy.toString()).toBe('ell');
    expect(view.view().length).toBe(5);
    expect(view.copy().toString()).toBe('hEllo');
  });

  test('shows parts', () => {
    const view = viewOf(Buffer.from('GET ключ '), 11, [0, 3, 4, 8]);
    expect(view.partCount).toBe(2);
    expect(view.partLatin1(0)).toBe('GET');
    expect(view.partUtf8(1)).toBe('ключ');
    expect(Buffer.from(view.part(1)).toString()).toBe('ключ');
    expect([view.partOffset(1), view.partLength(1)]).toEqual([4, 8]);
  });

  test.each([-1, 1, 2, 0.5, NaN, Infinity, 2 ** 32, 2 ** 53])('refuses offset %p as out of range', (offset) => {
    const view = viewOf(Buffer.from('x'), 0, [0, 1]);
    expect(code(() => view.u8(offset))).toBe('ERR_OUT_OF_RANGE');
    expect(code(() => view.part(offset))).toBe('ERR_OUT_OF_RANGE');
    expect(code(() => view.partLatin1(offset))).toBe('ERR_OUT_OF_RANGE');
    expect(code(() => view.u16(offset))).toBe('ERR_OUT_OF_RANGE');
    if (offset !== 1) {
      expect(code(() => view.latin1(0, offset))).toBe('ERR_OUT_OF_RANGE');
      expect(code(() => view.utf8(offset))).toBe('ERR_OUT_OF_RANGE');
    }
  });

  test('refuses what reaches over the end, even where memory goes on', () => {
    const view = viewOf(Buffer.from('1234567'));
    expect(code(() => view.u16(6))).toBe('ERR_OUT_OF_RANGE');
    expect(code(() => view.u32(4))).toBe('ERR_OUT_OF_RANGE');
    expect(code(() => view.i32(4))).toBe('ERR_OUT_OF_RANGE');
    expect(code(() => view.u64(0))).toBe('ERR_OUT_OF_RANGE');
    expect(code(() => view.f64(0))).toBe('ERR_OUT_OF_RANGE');
    expect(code(() => view.view(0, 8))).toBe('ERR_OUT_OF_RANGE');
    expect(code(() => view.copy(5, 4))).toBe('ERR_OUT_OF_RANGE');
    expect(code(() => view.u8('1' as never))).toBe('ERR_INVALID_ARG_TYPE');
    expect(code(() => view.part(0))).toBe('ERR_OUT_OF_RANGE');
  });

  test('refuses everything once expired, until it is reset', () => {
    const view = viewOf(Buffer.from('12345678'), 0, [0, 1]);
    view.expire();
    expect(view.expired).toBe(true);
    const reads: (() => unknown)[] = [
      () => view.byteLength,
      () => view.partCount,
      () => view.u8(0),
      () => view.u16(0),
      () => view.u32(0),
      () => view.i32(0),
      () => view.u64(0),
      () => view.f64(0),
      () => view.latin1(),
      () => view.latin1(0, 0),
      () => view.utf8(),
      () => view.view(),
      () => view.copy(),
      () => view.part(0),
      () => view.partLatin1(0),
      () => view.partUtf8(0),
      () => view.partOffset(0),
      () => view.partLength(0),
    ];
    expect(reads.map(code)).toEqual(reads.map(() => 'ERR_MESSAGE_EXPIRED'));
    view.reset(0, 8, 2, 1);
    expect(reads.map(code)).toEqual(reads.map(() => undefined));
  });

  test('goes over to other memory', () => {
    const view = viewOf(Buffer.from('old'));
    view.setMemory(Buffer.from('-new').subarray(1), new Uint32Array([1, 2]));
    expect(view.expired).toBe(true);
    view.reset(0, 3, 0, 1);
    expect(view.latin1() + view.partLatin1(0)).toBe('newew');
  });
});
