// There is no such export: a SyntaxError when it is linked, and nothing of it runs.
import { notThere } from 'node:fs';

export default { message: notThere };
