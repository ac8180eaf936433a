// npm run soak [-- --cycles 10000 --lanes 2 --seed N]: soak/run.mjs, once the packages are built.
import { bootstrap } from './bootstrap.mjs';

await bootstrap();
await import('./soak/run.mjs');
