// npm run build: installs what is missing and builds the packages. --types-only is what npm itself runs after an
// install (`prepare`): the addons were built by their install scripts then.
import { bootstrap, buildTypes, recordInstall } from './bootstrap.mjs';

if (process.argv.includes('--types-only')) {
  recordInstall();
  await buildTypes();
} else {
  await bootstrap();
}
