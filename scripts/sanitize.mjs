// npm run sanitize -- address|thread: the C++ tests under AddressSanitizer and UndefinedBehaviorSanitizer, or under
// ThreadSanitizer.
import { nativeTests } from './native-tests.mjs';
import { checkRequirements } from './requirements.mjs';
import { isInstalled } from './run.mjs';

const kinds = {
  address: {
    sanitize: 'address,undefined',
    env: { ASAN_OPTIONS: 'detect_stack_use_after_return=1', UBSAN_OPTIONS: 'print_stacktrace=1' },
  },
  thread: {
    sanitize: 'thread',
    env: { TSAN_OPTIONS: 'halt_on_error=1 second_deadlock_stack=1' },
    // Kernels that randomise more address bits than ThreadSanitizer's shadow allows for make it refuse to start.
    launcher: isInstalled('setarch') ? ['setarch', process.arch === 'x64' ? 'x86_64' : 'aarch64', '-R'] : [],
  },
};

const kind = kinds[process.argv[2]];
if (kind === undefined || process.argv.length > 3) {
  process.stderr.write('Usage: npm run sanitize -- address|thread\n');
  process.exit(2);
}
checkRequirements();
const definitions = { MILLRACE_SANITIZE: kind.sanitize, CMAKE_BUILD_TYPE: 'None' };
const { passed, failed, skipped } = await nativeTests(process.argv[2], definitions, kind);
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed === 0 ? 0 : 1;
