export type { ErrorCode } from './errors.js';
export { TimerWheel } from './timer-wheel.js';
export type { SharedToken, TimerHandle, TimerWheelOptions, WheelTimeout } from './types.js';
