// For the packages of this repository: what else has worker threads to look after. Not for users; it changes as they need.
export { errorOf, reportOf, type ErrorReport } from './error-report.js';
export { Seat, type Observation, type SeatWatch } from './supervision/seat.js';
export { SupervisedThread, type ThreadStart } from './supervision/supervised-thread.js';
export { type SupervisedWork, Supervisor, type SupervisorOptions } from './supervision/supervisor.js';
export { moduleUrl } from './supervision/worker-module.js';
