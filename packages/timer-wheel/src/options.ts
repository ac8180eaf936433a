import { checkObject, checkOneOf, integerOption } from '@millrace/native';
import { native } from './native.js';
import type { WheelSettings } from './raw-wheel.js';
import type { TimerWheelOptions } from './types.js';

export function checkOptions(options: TimerWheelOptions = {}): WheelSettings {
  const { tickMs, capacity, clock = 'auto' } = checkObject('options', options);
  return {
    tickMs: integerOption('options.tickMs', tickMs, { min: 1, max: 2 ** 31 - 1, default: 1 }),
    capacity: integerOption('options.capacity', capacity, { min: 1, max: native.maxCapacity, default: 2 ** 20 }),
    manual: checkOneOf('options.clock', clock, ['auto', 'manual']) === 'manual',
  };
}
